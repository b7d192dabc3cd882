// What `verify` finds in a checkpoint: of a file by its layout, of one of a run folder in all that belongs to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libckpt/check_entry.hpp"
#include "libckpt/error.hpp"
#include "tools/session.hpp"
#include "tools/verify_sample.hpp"

namespace ckpt {

struct VerifyHow {
    std::string from;  ///< a layout's name; empty: by the content
    bool full = false;
    bool values = false;
    std::optional<SampleSize> size;
    std::uint64_t seed = 0;
};

struct Verified {
    std::string layout;  ///< empty where it is not known
    std::vector<Finding> findings;
    std::optional<Error> unread;  ///< why it could not be read; names the file

    bool is_damaged() const noexcept;
};

/// What is at the path and nothing else. Throws Error (kCancelled, kUsage).
Verified verify_path(const Session& session, const std::string& path, const VerifyHow& how);

/// That and the rest of the checkpoint, as `EntryChecker::check` judges it. Throws the same.
Verified verify_entry(const Session& session, const EntryChecker& checker, const CheckpointEntry& entry,
                      const VerifyHow& how);

/// Appends what was found in one of the files in `folder`; each finding begins with its name.
void add_part(Verified& whole, const Verified& part, const std::string& file, const std::string& folder);

/// The folder as the checkpoint that its own name and what is in it say it is (`run/checkpoint-500`); nullopt for any
/// other. A name that says little (`seed_2`) does not count where the folder holds checkpoints.
std::optional<CheckpointEntry> named_folder(const Session& session, const std::string& path, const RunFolder& folder);

}  // namespace ckpt
