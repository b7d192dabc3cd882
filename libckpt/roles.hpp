// Which parts of a checkpoint are model, optimizer, scheduler, hyper-parameters, log or other.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libckpt/document.hpp"

namespace ckpt {

/// kAveraged: averages of the model's weights (EMA, SWA) beside those that were trained. kTrained: the trained ones,
/// where those under the model's own name are the average.
enum class Role : std::uint8_t { kModel, kOptimizer, kScheduler, kHyperParameters, kLog, kOther, kAveraged, kTrained };
/// "model", "optimizer", "scheduler", "hyper-parameters", "log", "other", "averaged", "trained".
std::string_view role_name(Role role) noexcept;
/// The same, back; also "hparams". Throws Error (kUsage) listing the roles.
Role parse_role(std::string_view name);

/// Roles of the parts of a document. Parts are the top-level entries, or the whole where the root is a bare state dict.
struct Roles {
    std::string
        system;  ///< who saves like this: "Lightning", "Mammoth", "plain state dict", ...; empty if no convention fits.
                 ///< Never "Fabric": the keys of its files are those that its user gave, so nothing tells them apart
    std::vector<std::pair<std::string, Role>> parts;  ///< escaped path of a part and its role, in document order
    /// The same for parts of a part, where one entry holds the whole training state ("state/parameters").
    std::vector<std::pair<std::string, Role>> inner_parts;
    /// Parts with a role of their own, further down: the average that a callback holds.
    std::vector<std::pair<std::string, Role>> deep_parts;
    bool whole_is_model = false;
    bool model_is_averaged = false;  ///< the weights under the model's own name are an average

    Role role_of(std::string_view path) const;
};

/// By one table of conventions; parts whose names say nothing by what they are made of. Reads names and kinds only.
Roles classify_roles(const Document& document);

}  // namespace ckpt
