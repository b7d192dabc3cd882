// A torch.save archive as a write plan, byte for byte as torch 2.13 writes it (formats/torch/README.md: "Bytes").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/write_plan.hpp"

namespace ckpt {

enum class ArchiveChecksums : std::uint8_t { kAll, kNoStorages, kNone };

struct ArchiveOptions {
    std::string prefix = "archive";
    unsigned alignment_bytes = 64;
    ArchiveChecksums checksums = ArchiveChecksums::kAll;
    bool byteorder_last =
        false;  ///< the byteorder record behind `version`, as torch does when told not to write it first
};

struct ExtraRecord {
    std::string name;  ///< without prefix
    std::string bytes;
};

/// The plan of one archive. `storages` are the records data/0, data/1, ... in this order; `extra` follow them (torch
/// computes storage offsets by walking from the first record, so nothing may stand in between).
PlannedFile plan_archive(std::string pickle, const std::vector<BlobPtr>& storages, std::vector<ExtraRecord> extra,
                         const ArchiveOptions& options);

}  // namespace ckpt
