// Outputs that are whole or absent: a temporary sibling that takes its final name at the end.
#pragma once

#include <string>

#include "libckpt/execute.hpp"

namespace ckpt {

/// A file or folder under construction beside its final name. Unless `commit` was reached, the destructor removes it.
class AtomicOutput {
public:
    /// Refuses an existing `path` (Error kRefused) unless kOverwrite; follows a symbolic link, so that its target is
    /// replaced. Removes temporaries that dead processes left for the same path. Creates the temporary; Error (kOutput)
    /// with the system's reason otherwise.
    AtomicOutput(const std::string& path, Existing existing, bool is_folder);
    ~AtomicOutput();
    AtomicOutput(const AtomicOutput&) = delete;
    AtomicOutput& operator=(const AtomicOutput&) = delete;

    /// Where to write: the temporary file (to be opened for writing), or the folder to fill.
    const std::string& temporary() const noexcept { return temporary_; }
    /// Renames to the final name and syncs the folder that holds it. The data must have been synced before.
    void commit();

private:
    std::string final_;
    std::string folder_;
    std::string temporary_;
    Existing existing_;
    bool is_folder_;
    bool committed_ = false;
};

/// Throws Error (kOutput) "WHAT: REASON" for the given errno.
[[noreturn]] void throw_output_error(const std::string& what, int error_number);

}  // namespace ckpt
