// Whether a checkpoint is one that a run can be resumed from, as far as its own structure tells.
#pragma once

#include <cstdint>
#include <string>

#include "libckpt/format.hpp"

namespace ckpt {

struct CheckResult {
    enum class State : std::uint8_t {
        kValid,
        kDamaged,     ///< it is of a known layout, or empty or cut so that it could be of any, and not whole
        kUnreadable,  ///< it is of no layout that is known, cannot be opened, or needs what is not supported
    } state = State::kValid;
    std::string layout;  ///< empty where it is not known
    std::string why;     ///< the first damage, or why it cannot be read; empty for kValid
};

/// Damage; of what this version does not know, or does not read for its size, a warning.
Finding finding_of(const Error& error, std::string path = {});

/// Reads every storage, each once; what cannot be read is a finding. Throws Error (kCancelled).
void read_through(const Document& document, std::vector<Finding>& findings, const Context& context);

/// Opens the checkpoint and verifies it at the level. Throws Error (kCancelled) only.
CheckResult check_checkpoint(const Registry& registry, const std::string& path, VerifyLevel level,
                             const Context& context);

}  // namespace ckpt
