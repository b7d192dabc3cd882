// Files in which training programs write down which checkpoint is the newest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

/// What a pointer file says. It is a hint, never the truth: the checkpoint may be gone, or torn.
struct Pointer {
    std::string name;  ///< of the file: "latest", "last_checkpoint", "checkpoint", ...
    std::string
        target;  ///< last component of the path that it names; of Megatron's the name that its number stands for
};

/// The pointer that a file of such a name is by these bytes, or nullopt: "latest" (DeepSpeed: a tag), "last_checkpoint"
/// (detectron2, MMEngine: a name or path), "latest_checkpointed_iteration.txt" (Megatron: a number, or "release"),
/// "checkpoint" (TensorFlow: `model_checkpoint_path: "..."`).
std::optional<Pointer> parse_pointer(std::string_view name, std::string_view bytes);

/// All pointers of a folder that can be read, by name. Opens regular files of those names only.
std::vector<Pointer> read_pointers(const std::string& folder);

}  // namespace ckpt
