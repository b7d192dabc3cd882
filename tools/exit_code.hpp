// Exit codes: a contract with scripts.
#pragma once

#include "libckpt/error.hpp"

namespace ckpt {

enum class ExitCode : int {
    kYes = 0,
    kNo = 1,
    kUsage = 2,
    kInput = 3,
    kDamaged = 4,
    kRefused = 5,
    kOutput = 6,
    kPartly = 7,
    kInternal = 70,
    kInterrupted = 130,
};

inline ExitCode exit_code(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::kUsage:
            return ExitCode::kUsage;
        case ErrorCode::kNotFound:
        case ErrorCode::kNotCheckpoint:
            return ExitCode::kInput;
        case ErrorCode::kDamaged:
            return ExitCode::kDamaged;
        case ErrorCode::kUnsupported:
        case ErrorCode::kRefused:
            return ExitCode::kRefused;
        case ErrorCode::kOutput:
            return ExitCode::kOutput;
        case ErrorCode::kCancelled:
            return ExitCode::kInterrupted;
        default:
            return ExitCode::kInternal;
    }
}

}  // namespace ckpt
