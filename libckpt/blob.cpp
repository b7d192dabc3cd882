// Blobs over memory, files and other blobs.
#include "libckpt/blob.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "libckpt/error.hpp"
#include "libckpt/file.hpp"

namespace ckpt {
namespace {

/// Throws unless [offset, offset + size) lies in a blob of `whole` bytes.
void check_range(std::uint64_t offset_bytes, std::uint64_t size_bytes, std::uint64_t whole_bytes) {
    if (offset_bytes > whole_bytes || size_bytes > whole_bytes - offset_bytes) {
        throw_damaged("{} bytes wanted at {}, but there are only {}", size_bytes, offset_bytes, whole_bytes);
    }
}

class MemoryBlob final : public Blob {
public:
    explicit MemoryBlob(std::string bytes) : bytes_(std::move(bytes)) {}
    std::uint64_t size_bytes() const noexcept override { return bytes_.size(); }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        check_range(offset_bytes, out.size(), bytes_.size());
        if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset_bytes, out.size());
    }

private:
    std::string bytes_;
};

class FileBlob final : public Blob {
public:
    explicit FileBlob(FileRange range) : range_(std::move(range)) {}
    std::uint64_t size_bytes() const noexcept override { return range_.size_bytes; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        check_range(offset_bytes, out.size(), range_.size_bytes);
        range_.file->read(range_.offset_bytes + offset_bytes, out);
    }
    std::optional<FileRange> file_range() const override { return range_; }

private:
    FileRange range_;
};

class SliceBlob final : public Blob {
public:
    SliceBlob(BlobPtr whole, std::uint64_t offset_bytes, std::uint64_t size_bytes)
        : whole_(std::move(whole)), offset_bytes_(offset_bytes), size_bytes_(size_bytes) {}
    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        check_range(offset_bytes, out.size(), size_bytes_);
        whole_->read(offset_bytes_ + offset_bytes, out);
    }
    std::optional<FileRange> file_range() const override {
        auto range = whole_->file_range();
        if (!range) return std::nullopt;
        range->offset_bytes += offset_bytes_;
        range->size_bytes = size_bytes_;
        return range;
    }
    std::uint64_t best_read_bytes() const noexcept override { return whole_->best_read_bytes(); }

private:
    BlobPtr whole_;
    std::uint64_t offset_bytes_;
    std::uint64_t size_bytes_;
};

class ZeroBlob final : public Blob {
public:
    explicit ZeroBlob(std::uint64_t size_bytes) : size_bytes_(size_bytes) {}
    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        check_range(offset_bytes, out.size(), size_bytes_);
        std::fill(out.begin(), out.end(), std::byte{0});
    }

private:
    std::uint64_t size_bytes_;
};

class ByteSwappedBlob final : public Blob {
public:
    ByteSwappedBlob(BlobPtr whole, unsigned width_bytes) : whole_(std::move(whole)), width_bytes_(width_bytes) {}
    std::uint64_t size_bytes() const noexcept override { return whole_->size_bytes(); }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        check_range(offset_bytes, out.size(), size_bytes());
        const std::uint64_t first = offset_bytes / width_bytes_ * width_bytes_;
        const auto skipped = static_cast<std::size_t>(offset_bytes - first);
        if (skipped == 0 && out.size() % width_bytes_ == 0) {
            whole_->read(first, out);
            swap(out);
            return;
        }
        // The range cuts elements: read whole ones into a buffer.
        const std::size_t groups = (skipped + out.size() + width_bytes_ - 1) / width_bytes_;
        std::vector<std::byte> buffer(groups * width_bytes_);
        whole_->read(first, buffer);
        swap(buffer);
        std::copy_n(buffer.begin() + static_cast<std::ptrdiff_t>(skipped), out.size(), out.begin());
    }
    std::uint64_t best_read_bytes() const noexcept override { return whole_->best_read_bytes(); }

private:
    void swap(std::span<std::byte> bytes) const {
        for (std::size_t at = 0; at < bytes.size(); at += width_bytes_) {
            std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                         bytes.begin() + static_cast<std::ptrdiff_t>(at + width_bytes_));
        }
    }
    BlobPtr whole_;
    unsigned width_bytes_;
};

/// Blobs one after the other.
class JoinedBlob final : public Blob {
public:
    explicit JoinedBlob(std::vector<BlobPtr> pieces) : pieces_(std::move(pieces)) {
        for (const auto& piece : pieces_) {
            begins_.push_back(size_bytes_);
            size_bytes_ += piece->size_bytes();
        }
    }
    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }
    std::vector<BlobPtr> pieces() const override { return pieces_; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        check_range(offset_bytes, out.size(), size_bytes_);
        auto index =
            static_cast<std::size_t>(std::upper_bound(begins_.begin(), begins_.end(), offset_bytes) - begins_.begin());
        for (index = index == 0 ? 0 : index - 1; !out.empty(); ++index) {
            const std::uint64_t from = offset_bytes - begins_[index];
            const auto size =
                static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), pieces_[index]->size_bytes() - from));
            if (size > 0) pieces_[index]->read(from, out.first(size));
            out = out.subspan(size);
            offset_bytes += size;
        }
    }

private:
    std::vector<BlobPtr> pieces_;
    std::vector<std::uint64_t> begins_;
    std::uint64_t size_bytes_ = 0;
};

class PlacedBlob final : public Blob {
public:
    PlacedBlob(BlobPtr blob, std::string file, std::string place)
        : blob_(std::move(blob)), file_(std::move(file)), place_(std::move(place)) {}
    std::uint64_t size_bytes() const noexcept override { return blob_->size_bytes(); }
    std::uint64_t best_read_bytes() const noexcept override { return blob_->best_read_bytes(); }
    std::vector<BlobPtr> pieces() const override {
        std::vector<BlobPtr> placed = blob_->pieces();
        for (BlobPtr& piece : placed) piece = placed_blob(std::move(piece), file_, place_);
        return placed;
    }
    std::optional<Digest128> known_digest() const override { return blob_->known_digest(); }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        try {
            blob_->read(offset_bytes, out);
        } catch (const Error& error) {
            if (!error.file().empty() || error.code() == ErrorCode::kCancelled) throw;
            Error placed(error.code(), place_.empty() ? error.message() : place_ + ": " + error.message());
            placed.in_file(file_);
            throw placed;
        }
    }

private:
    BlobPtr blob_;
    std::string file_;
    std::string place_;
};

}  // namespace

BlobPtr memory_blob(std::string bytes) {
    return std::make_shared<MemoryBlob>(std::move(bytes));
}

BlobPtr file_blob(FileRange range) {
    check_range(range.offset_bytes, range.size_bytes, range.file->size_bytes());
    return std::make_shared<FileBlob>(std::move(range));
}

BlobPtr slice_blob(BlobPtr whole, std::uint64_t offset_bytes, std::uint64_t size_bytes) {
    check_range(offset_bytes, size_bytes, whole->size_bytes());
    if (offset_bytes == 0 && size_bytes == whole->size_bytes()) return whole;
    return std::make_shared<SliceBlob>(std::move(whole), offset_bytes, size_bytes);
}

BlobPtr zero_blob(std::uint64_t size_bytes) {
    return std::make_shared<ZeroBlob>(size_bytes);
}

BlobPtr byte_swapped_blob(BlobPtr whole, unsigned width_bytes) {
    if (width_bytes <= 1) return whole;
    if (whole->size_bytes() % width_bytes != 0) {
        throw_damaged("{} bytes are no whole number of elements of {} bytes", whole->size_bytes(), width_bytes);
    }
    return std::make_shared<ByteSwappedBlob>(std::move(whole), width_bytes);
}

BlobPtr joined_blob(std::vector<BlobPtr> pieces) {
    return std::make_shared<JoinedBlob>(std::move(pieces));
}

BlobPtr placed_blob(BlobPtr blob, std::string file, std::string place) {
    if (blob->file_range()) return blob;
    return std::make_shared<PlacedBlob>(std::move(blob), std::move(file), std::move(place));
}

std::string read_all(const Blob& blob, std::uint64_t limit_bytes) {
    if (blob.size_bytes() > limit_bytes) {
        throw_error(ErrorCode::kRefused, "{} bytes are more than the limit of {}", blob.size_bytes(), limit_bytes);
    }
    std::string bytes(static_cast<std::size_t>(blob.size_bytes()), '\0');
    blob.read(0, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    return bytes;
}

}  // namespace ckpt
