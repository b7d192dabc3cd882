// The tar archives of torch 0.1.1 and before (README: "The tar kind").
#pragma once

#include <string_view>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt {

/// Whether bytes begin as a tar archive with one of torch's members does.
bool begins_like_torch_tar(std::string_view head) noexcept;

/// Throws Error (kDamaged) naming the member and the byte.
Document read_torch_tar(const Source& source, const Context& context);

}  // namespace ckpt
