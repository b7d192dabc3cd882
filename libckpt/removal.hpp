// Taking checkpoints away so that a kill at any instant leaves none of them half there under its name.
#pragma once

#include <string>
#include <vector>

namespace ckpt {

/// Removes files and folders that are one checkpoint, the one that gives it its name first: all are renamed to hidden
/// leftovers (`.NAME.ckpt-tmp-...`, which no command takes for a checkpoint and `prune --remove-tmp` clears away), then
/// removed. Links are removed, not what they lead to. Throws Error (kOutput) naming the path and the system's reason;
/// what was renamed by then keeps that name, unless nothing but renaming was done: then it is undone.
void remove_unit(const std::vector<std::string>& paths);

/// Moves them into `folder`, which must be there, by way of hidden leftovers as above; the one that gives it its name
/// comes last. Throws Error (kRefused) when a name is taken there, before anything is moved, and Error (kOutput); then
/// all have their names back. Between file systems each is copied, synced and then removed.
void move_unit(const std::vector<std::string>& paths, const std::string& folder);

}  // namespace ckpt
