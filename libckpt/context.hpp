// What a caller lends to every operation: where warnings and progress go, limits, threads, cancellation.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace ckpt {

/// Bounds that hostile files run into before the machine does. Defaults are far above every real checkpoint.
struct Limits {
    std::uint64_t max_header_bytes = std::uint64_t{1} << 30;  ///< one index, pickle or header, decoded
    std::uint64_t max_nodes = std::uint64_t{1} << 26;         ///< values in one document
    std::uint64_t max_container_entries = 1u << 24;           ///< members of an archive, links of a group
    std::uint64_t max_inline_bytes = std::uint64_t{1} << 30;  ///< text and bytes held in memory by one document
};

/// Bytes that went through the files of one run; what `--verbose` reports. Thread-safe.
struct IoCounters {
    std::atomic<std::uint64_t> bytes_read{0};
    std::atomic<std::uint64_t> bytes_written{0};
};

/// Lent by the caller to every operation; the library never prints. Callbacks run on the calling thread only.
struct Context {
    std::function<void(std::string_view)> on_warning;  ///< something looks wrong but reading went on
    std::function<void(std::string_view)> on_note;     ///< something the user may want to know (a class kept as a tag)
    std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)> on_progress;
    Limits limits;
    unsigned threads = 0;  ///< worker threads; 0 = one per core
    /// Folder whose files may be read where a checkpoint names them as part of its data; empty: none, ".": that of the
    /// checkpoint.
    std::string external_folder;
    /// The caller looks at structure alone: parts that an index describes need not be opened before they are read.
    bool index_only = false;
    const std::atomic<bool>* cancel = nullptr;  ///< raised by a signal handler: stop at the next safe point
    std::shared_ptr<IoCounters> io = std::make_shared<IoCounters>();

    void warn(std::string_view text) const {
        if (on_warning) on_warning(text);
    }
    void note(std::string_view text) const {
        if (on_note) on_note(text);
    }
    void progress(std::uint64_t done_bytes, std::uint64_t total_bytes) const {
        if (on_progress) on_progress(done_bytes, total_bytes);
    }
    /// Throws Error(kCancelled) once the cancellation flag is up.
    void check_cancelled() const;
    /// `threads`, with 0 resolved to the number of cores.
    unsigned thread_count() const;
};

}  // namespace ckpt
