// Sizes of plans, and their bound.
#include "libckpt/write_plan.hpp"

namespace ckpt {

std::uint64_t planned_bytes(const Extent& extent) noexcept {
    if (const auto* literal = std::get_if<LiteralExtent>(&extent.content)) return literal->bytes.size();
    if (const auto* blob = std::get_if<BlobExtent>(&extent.content)) return blob->blob->size_bytes();
    if (const auto* encoded = std::get_if<EncodedExtent>(&extent.content)) return encoded->size_bytes;
    const auto* late = std::get_if<LateExtent>(&extent.content);
    return late == nullptr || late->size_bytes == LateExtent::kUnknownSize ? 0 : late->size_bytes;
}

std::uint64_t WritePlan::total_bytes() const noexcept {
    std::uint64_t total = 0;
    for (const auto& file : files) {
        for (const auto& extent : file.extents) {
            if (__builtin_add_overflow(total, planned_bytes(extent), &total)) return ~std::uint64_t{0};
        }
    }
    return total;
}

void OutputBound::add(std::uint64_t bytes) {
    if (__builtin_add_overflow(bytes_, bytes, &bytes_)) bytes_ = ~std::uint64_t{0};
    if (bytes_ <= most_bytes_) return;
    throw TooLarge(ErrorCode::kRefused, fmt::format("would have {} bytes or more (uncompressed), over the limit of {}",
                                                    bytes_, most_bytes_));
}

}  // namespace ckpt
