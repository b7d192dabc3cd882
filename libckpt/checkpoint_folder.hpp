// Whether a folder is a checkpoint, by the names in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libckpt/series.hpp"

namespace ckpt {

/// Whether a name ends as files of checkpoints do: in one of these, or in what other programs write.
bool has_checkpoint_extension(std::string_view name, const std::vector<std::string>& extensions);

/// Whether a folder, whose name says `match`, is a checkpoint rather than an empty one or the folder of a run. Where
/// the name is that of a convention (`checkpoint-500`), some file in it, or at most two folders further down (some
/// programs give each rank a folder), must by its name be a checkpoint or shard. Where it says little (`seed_0`, `3`),
/// a run has names like `last.ckpt`, those of a convention, or several numbered ones of a series, and no checkpoint
/// has. One that cannot be read counts as a checkpoint, since unreadable is not empty.
bool is_checkpoint_folder(const std::string& path, const NameMatch& match, NameReader& names,
                          const std::vector<std::string>& extensions);

}  // namespace ckpt
