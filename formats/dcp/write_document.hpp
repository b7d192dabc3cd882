// A document as a distributed checkpoint: rows divided among shards, as torch divides them.
#pragma once

#include "formats/dcp/flatten.hpp"
#include "libckpt/format.hpp"

namespace ckpt::dcp {

/// What the layout would lose.
std::vector<Loss> folder_losses(const Document& document);
/// The folder of `.metadata` and `.distcp` files, and Lightning's `meta.pt` where the document is a training state.
WritePlan plan_folder(const Document& document, const WriteOptions& options, const Context& context);

std::vector<Loss> shard_losses(const Document& document);
/// The folder of safetensors files.
WritePlan plan_shards(const Document& document, const WriteOptions& options, const Context& context);

}  // namespace ckpt::dcp
