// Which files a ZeRO folder has, and what they say of themselves (README: "Files").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"

namespace ckpt::zero {

/// Whether a name is that of a partition: "[bf16_]zero_pp_rank_3_mp_rank_00_optim_states.pt".
bool is_optimizer_file(std::string_view name) noexcept;
/// "mp_rank_00_model_states.pt", "zero_pp_rank_3_mp_rank_00_model_states.pt".
bool is_model_file(std::string_view name) noexcept;

/// A file as it was read.
struct Part {
    std::string name;
    Document document;

    /// An entry of its root, or of a dict in it; nullptr where there is none.
    const Value* find(std::string_view key) const;
};

struct Folder {
    std::string path;
    int stage = 0;
    std::vector<Part> optimizers;  ///< by rank, all there are
    std::vector<Part> models;      ///< one, or one for each rank
};

/// The folder that holds the files: the source itself, or the one in it that its file `latest` names. Throws Error
/// (kDamaged).
Source find_folder(const Source& source, const Context& context);

/// Reads the index of every file. Throws Error (kDamaged) naming each partition that is missing, the file that is cut,
/// or the entry that is not what it should be.
Folder read_folder(const Source& source, const Context& context);

}  // namespace ckpt::zero
