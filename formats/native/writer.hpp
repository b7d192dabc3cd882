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
/// equal ones: samples of those with equal sizes, all of those with equal samples.
WritePlan plan_document(const Document& document, Mode mode, const Context& context);

}  // namespace ckpt::native
