// The plan of `ckpt prune`, for people and as JSON.
#pragma once

#include <optional>
#include <string>

#include "libckpt/prune.hpp"
#include "tools/session.hpp"

namespace ckpt {

/// "keep 3, remove 2 (24.1 KiB)".
std::string prune_summary(const PrunePlan& plan);
/// A line for each checkpoint and leftover, and the summary.
void print_prune_table(Session& session, const PrunePlan& plan);
/// `done` once the plan was carried out.
void print_prune_json(Session& session, const PrunePlan& plan, const std::optional<PrunePlan::Done>& done);

}  // namespace ckpt
