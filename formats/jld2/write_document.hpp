// A document as a file of JLD2.
#pragma once

#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/format.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt::jld2 {

/// What Julia's types and HDF5 cannot hold.
std::vector<Loss> losses(const Document& document);

/// The plan of the file. Deterministic. What cannot be written is left out as `nothing`. Notes say what Julia sees
/// otherwise than it is. Throws Error (kRefused) for what a file's fields cannot hold.
WritePlan plan_document(const Document& document, const WriteOptions& options, const Context& context);

}  // namespace ckpt::jld2
