// Sums over the chunks of a document.
#include "tools/inspect_chunks.hpp"

#include <fmt/format.h>

namespace ckpt {

ChunkIndex::ChunkIndex(const Document& document) {
    const Value* chunks = document.attribute(document.format + ":chunks");
    if (chunks == nullptr || !chunks->is(Kind::kDict)) return;
    for (const auto& [key, list] : chunks->dict().entries) {
        lists_.emplace(key.as_string(), list);
        const auto& items = list.sequence().items;
        for (const Value& chunk : items) {
            FileSum& file = files_[std::string(chunk.dict().find("file")->as_string())];
            ++file.chunks;
            file.bytes += chunk.dict().find("bytes")->as_uint64().value_or(0);
        }
        (items.size() == 1 ? whole_ : cut_) += 1;
        if (items.size() != 1) chunks_ += items.size();
    }
}

const Value* ChunkIndex::find(const std::string& path) const {
    const auto found = lists_.find(path);
    return found != lists_.end() ? &found->second : nullptr;
}

std::string ChunkIndex::text() const {
    const auto tensors = [](std::uint64_t count) { return fmt::format("{} tensor{}", count, count == 1 ? "" : "s"); };
    std::string text = fmt::format("in {} file{}: ", files_.size(), files_.size() == 1 ? "" : "s");
    if (cut_ > 0) text += fmt::format("{} in {} chunks", tensors(cut_), chunks_);
    if (whole_ > 0) {
        text += fmt::format("{}{} whole{}", cut_ > 0 ? ", " : "", cut_ > 0 ? std::to_string(whole_) : tensors(whole_),
                            files_.size() > 1 ? " in one of them (replicated, or of one rank)" : "");
    }
    return text;
}

}  // namespace ckpt
