// Files in which training programs write down which checkpoint is the newest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/run_folder.hpp"

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

/// Last component of the path that a `trainer_state.json` (Hugging Face) has as its `best_model_checkpoint`, or
/// nullopt.
std::optional<std::string> best_of_trainer_state(std::string_view text);

/// All pointers of a folder that can be read, by name. Opens regular files of those names only.
std::vector<Pointer> read_pointers(const std::string& folder);

/// What names a checkpoint of a folder as its newest, held against the names that are there.
struct JudgedPointer {
    enum class State : std::uint8_t {
        kNewest,
        kOlder,    ///< what it names is there, and something newer beside it
        kMissing,  ///< what it names is not there
    } state = State::kNewest;
    std::string path;    ///< of the pointer file or the link
    std::string target;  ///< the name of the checkpoint, or what the pointer says where there is none
    std::string newest;  ///< name of the newest checkpoint; empty where there is none
};

/// The pointer files of a folder, its links that lead nowhere and those that call themselves the last, and where the
/// scan was recursive those of each folder below that holds checkpoints. `folder` is what was scanned at `path` with
/// `options`, its times looked at.
std::vector<JudgedPointer> judge_pointers(RunFolder& folder, const std::string& path, const ScanOptions& options,
                                          const Context& context);

}  // namespace ckpt
