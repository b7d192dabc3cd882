// Many short texts in a few blocks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace ckpt {

/// Copies of texts that live as long as it does. Without an allocation for each, and without the moment at which a
/// growing buffer is there twice.
class TextArena {
public:
    std::string_view keep(std::string_view text) {
        if (text.empty()) return {};
        if (text.size() > left_) add_block(text.size());
        std::memcpy(next_, text.data(), text.size());
        const std::string_view kept(next_, text.size());
        next_ += text.size();
        left_ -= text.size();
        return kept;
    }

private:
    static constexpr std::size_t kBlockBytes = std::size_t{64} << 10;

    void add_block(std::size_t least_bytes) {
        const std::size_t size = std::max(blocks_.empty() ? kBlockBytes / 64 : kBlockBytes, least_bytes);
        blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
        next_ = blocks_.back().get();
        left_ = size;
    }

    std::vector<std::unique_ptr<char[]>> blocks_;
    char* next_ = nullptr;
    std::size_t left_ = 0;
};

}  // namespace ckpt
