// What is whole of a torch.save archive that was cut or damaged (README: "Salvage").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"
#include "libckpt/format.hpp"

namespace ckpt {

/// kNow: bytes that are there count; kAll: those whose checksum is there must agree with it, which reads them.
enum class SalvageCheck : bool { kNow, kAll };

/// The document without tensors that are not whole: entries of dicts are left out, elsewhere None stands for them.
/// Records are found by the directory, and by their local headers where that is gone or wrong. `damage` lists what is
/// lost. Throws Error (kDamaged) where the pickle that names the tensors is gone, (kUnsupported) for archives of
/// torch.package and torch.export.
Document salvage_torch_zip(const Source& source, SalvageCheck check, const Context& context);

/// The same as findings: each tensor that is lost, each that is whole, and a sum.
std::vector<Finding> survey_torch_zip(const Source& source, SalvageCheck check, const Context& context);

}  // namespace ckpt
