// Where the tensors of a checkpoint in several files are stored, as its index says.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "libckpt/document.hpp"

namespace ckpt {

/// A layout whose tensors are stored in chunks says so in an attribute of the document, `FORMAT:chunks`: a dict from
/// paths to lists of dicts with `offsets`, `sizes`, `file`, `offset` and `bytes`.
class ChunkIndex {
public:
    explicit ChunkIndex(const Document& document);

    bool empty() const noexcept { return lists_.empty(); }
    /// The chunks of a tensor, or nullptr.
    const Value* find(const std::string& path) const;

    struct FileSum {
        std::uint64_t chunks = 0;
        std::uint64_t bytes = 0;
    };
    const std::map<std::string, FileSum>& files() const noexcept { return files_; }
    /// "in 4 files: 12 tensors in 48 chunks, 3 whole in one of them (replicated)"
    std::string text() const;

private:
    std::unordered_map<std::string, Value> lists_;
    std::map<std::string, FileSum> files_;
    std::uint64_t cut_ = 0, chunks_ = 0, whole_ = 0;
};

}  // namespace ckpt
