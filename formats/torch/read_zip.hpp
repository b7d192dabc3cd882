// Zip archives of torch: torch.save's and TorchScript's here, torch.package's and torch.export's in files of their own.
#pragma once

#include <memory>
#include <string_view>

#include "formats/shared/torch/archive.hpp"
#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt {

/// Attributes of nodes, without prefix. torch does not look at records that it does not know.
inline constexpr std::string_view kAttributesRecord = ".ckpt/attributes.pkl";

/// The document's `format` says which kind it is. Throws Error (kDamaged; kNotCheckpoint for a zip of something else).
Document read_torch_zip(const std::shared_ptr<const File>& file, const Context& context);

/// "torch", "torchscript", "torch-package", "torch-export".
std::string_view archive_layout(ArchiveKind kind) noexcept;

/// Resources by their paths: pickles first, then texts and bytes in the order of the archive (README: "torch.package").
void read_package(const TorchArchive& archive, const Context& context, Document& document);

/// `state_dict` and `constants` of each exported program (README: "torch.export").
void read_export(const TorchArchive& archive, const Context& context, Document& document);

/// Whether it is what torch.export wrote before torch 2.8, and that read.
bool is_old_export(const ZipDirectory& zip);
void read_old_export(const ZipDirectory& zip, const Context& context, Document& document);

/// Says on the objects of a TorchScript archive which of their fields are parameters and buffers, as its code does.
void mark_script_modules(const TorchArchive& archive, const Context& context, Document& document);

}  // namespace ckpt
