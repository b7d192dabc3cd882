// The one exception type of the library: what went wrong, where, and with which number.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace ckpt {

/// What kind of failure an Error is. The program maps each to an exit code (tools/exit_code.hpp).
enum class ErrorCode : std::uint8_t {
    kUsage,          ///< the caller asked for something that makes no sense (exit 2)
    kNotFound,       ///< the input is missing or cannot be opened (exit 3)
    kNotCheckpoint,  ///< the input is there but is no checkpoint: text, HTML, a foreign file (exit 3)
    kDamaged,        ///< the input is a checkpoint that contradicts itself or ends early (exit 4)
    kUnsupported,    ///< valid, but a feature that this build cannot read or represent (exit 5)
    kRefused,        ///< would lose something, overwrite something, or exceed a limit (exit 5)
    kOutput,         ///< writing failed: disk full, folder not writable (exit 6)
    kCancelled,      ///< the caller's cancellation flag was raised (exit 130)
    kInternal,       ///< a broken invariant of this library (exit 70)
};

/// Thrown by every function of the library that fails. Copyable, immutable but for `in_file`.
///
/// `what()` is one line for a person: "FILE: MESSAGE". Parsers throw without a file; the function that opened the file
/// (`read_document`, `execute`) adds it, so that each message names its file exactly once.
class Error : public std::exception {
public:
    Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)), what_(message_) {}

    /// Place of the failure in the file, for programs; messages that depend on it say it in words as well.
    Error&& at(std::uint64_t offset_bytes) && {
        offset_bytes_ = offset_bytes;
        return std::move(*this);
    }
    /// Names the file, unless one is named already.
    void in_file(std::string_view file) {
        if (!file_.empty()) return;
        file_ = file;
        what_ = file_ + ": " + message_;
    }

    const char* what() const noexcept override { return what_.c_str(); }
    ErrorCode code() const noexcept { return code_; }
    const std::string& file() const noexcept { return file_; }
    const std::string& message() const noexcept { return message_; }
    std::optional<std::uint64_t> offset_bytes() const noexcept { return offset_bytes_; }

private:
    ErrorCode code_;
    std::string message_;
    std::string file_;
    std::optional<std::uint64_t> offset_bytes_;
    std::string what_;
};

/// Throws Error(kDamaged) with a formatted message.
template <typename... Args>
[[noreturn]] void throw_damaged(fmt::format_string<Args...> text, Args&&... args) {
    throw Error(ErrorCode::kDamaged, fmt::format(text, std::forward<Args>(args)...));
}

/// Throws Error(code) with a formatted message.
template <typename... Args>
[[noreturn]] void throw_error(ErrorCode code, fmt::format_string<Args...> text, Args&&... args) {
    throw Error(code, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace ckpt
