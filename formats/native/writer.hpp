// A document as a native file.
#pragma once

#include <cstdint>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt::native {

enum class Mode : std::uint8_t {
    kCompact,  ///< each chunk by the codec that makes it smallest
    kRaw,      ///< storages as they are, aligned to 64, to be mapped
};

/// The plan: chunks in the order of the document, then index and footer. Reads from the storages what it needs to find
/// equal ones: samples of those with equal sizes, all of those with equal samples. Throws Error (kRefused) where
/// storages have more than `most_bytes` together.
WritePlan plan_document(const Document& document, Mode mode, std::uint64_t most_bytes, const Context& context);

}  // namespace ckpt::native
