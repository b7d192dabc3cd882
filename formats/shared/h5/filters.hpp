// Filters that chunks go through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "formats/shared/h5/h5.hpp"

namespace ckpt::h5 {

/// Our name for a filter id, as the manuals have it ("gzip", "blosc"); empty for ids nobody registered.
std::string_view filter_name(unsigned id) noexcept;
/// Throws Error (kUnsupported) naming the first filter that this engine cannot undo.
void require_known_filters(std::span<const Filter> filters);

/// A buffer whose bytes are not touched before they are written: a hostile size costs nothing.
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(std::size_t size_bytes)
        : bytes_(std::make_unique_for_overwrite<std::byte[]>(size_bytes)), size_(size_bytes) {}
    std::byte* data() noexcept { return bytes_.get(); }
    const std::byte* data() const noexcept { return bytes_.get(); }
    std::size_t size() const noexcept { return size_; }
    std::span<std::byte> span() noexcept { return {bytes_.get(), size_}; }
    std::span<const std::byte> span() const noexcept { return {bytes_.get(), size_}; }
    /// Keeps the first bytes.
    void shrink(std::size_t size_bytes) noexcept { size_ = std::min(size_, size_bytes); }

private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
};

/// Undoes the pipeline, last filter first, but for those that the mask says were skipped. The result has exactly
/// `size_bytes` bytes. Throws Error (kDamaged).
Buffer undo_filters(Buffer stored, std::span<const Filter> filters, std::uint32_t mask, std::size_t size_bytes);

}  // namespace ckpt::h5
