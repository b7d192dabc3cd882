// From a place in a storage to the chunks that hold it.
#include "formats/native/chunk_store.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "libckpt/error.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt::native {
namespace {

class StorageBlob final : public Blob {
public:
    StorageBlob(std::shared_ptr<const ChunkStore> store, std::uint64_t storage)
        : store_(std::move(store)), storage_(storage) {}
    std::uint64_t size_bytes() const noexcept override {
        return store_->storages()[static_cast<std::size_t>(storage_)].size_bytes;
    }
    std::optional<Digest128> known_digest() const override {
        return store_->storages()[static_cast<std::size_t>(storage_)].digest;
    }
    std::uint64_t storage() const noexcept { return storage_; }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        store_->read(storage_, offset_bytes, out);
    }

private:
    std::shared_ptr<const ChunkStore> store_;
    std::uint64_t storage_;
};

}  // namespace

ChunkStore::ChunkStore(std::shared_ptr<const File> file, std::vector<ChunkEntry> chunks,
                       std::vector<StorageEntry> storages)
    : file_(std::move(file)),
      chunks_(std::move(chunks)),
      storages_(std::move(storages)),
      name_places_(storages_.size()),
      cache_(std::make_unique<ChunkCache>()) {
    positions_.reserve(chunks_.size() + 1);
    std::uint64_t position = 0;
    for (const ChunkEntry& chunk : chunks_) {
        positions_.push_back(position);
        position += chunk.raw_bytes;
    }
    positions_.push_back(position);
    place_storages();
}

void ChunkStore::place_storages() {
    first_like_.resize(storages_.size());
    for (std::size_t i = 0; i < storages_.size(); ++i) {
        first_like_[i] = static_cast<std::uint32_t>(i);
        if (storages_[i].size_bytes != 0) in_order_.push_back(static_cast<std::uint32_t>(i));
    }
    const auto place = [this](std::uint32_t storage) {
        return std::tuple(begin_of(storage), storages_[storage].size_bytes, storage);
    };
    std::sort(in_order_.begin(), in_order_.end(), [&](auto a, auto b) { return place(a) < place(b); });
    std::size_t kept = 0;
    std::uint64_t end = 0;
    for (const std::uint32_t storage : in_order_) {
        const std::uint64_t begin = begin_of(storage);
        const std::uint64_t size = storages_[storage].size_bytes;
        if (kept != 0) {
            const std::uint32_t before = in_order_[kept - 1];
            if (begin_of(before) == begin && storages_[before].size_bytes == size) {
                first_like_[storage] = before;
                continue;
            }
        }
        if (begin < end) overlapping_.push_back(storage);
        end = std::max(end, begin + size);
        in_order_[kept++] = storage;
    }
    in_order_.resize(kept);
}

std::pair<std::uint64_t, std::uint64_t> ChunkStore::chunks_of(std::uint64_t storage) const {
    const StorageEntry& entry = storages_.at(static_cast<std::size_t>(storage));
    if (entry.size_bytes == 0) return {entry.first_chunk, entry.first_chunk};
    const std::uint64_t end = position(entry.first_chunk) + entry.offset + entry.size_bytes;
    const auto last = std::lower_bound(positions_.begin(), positions_.end(), end);
    return {entry.first_chunk, static_cast<std::uint64_t>(last - positions_.begin())};
}

void ChunkStore::set_name(std::uint64_t storage, std::string_view path) {
    auto& [at, size] = name_places_.at(static_cast<std::size_t>(first_like(storage)));
    if (size != 0) return;
    at = names_.size();
    names_ += path.empty() ? "(root)" : path;
    size = names_.size() - at;
}

std::string_view ChunkStore::name(std::uint64_t storage) const {
    const auto& [at, size] = name_places_.at(static_cast<std::size_t>(first_like(storage)));
    return std::string_view(names_).substr(at, size);
}

std::span<const std::byte> ChunkStore::stored(std::uint64_t number, std::vector<std::byte>& buffer) const {
    const ChunkEntry& chunk = chunks_[static_cast<std::size_t>(number)];
    const auto size = static_cast<std::size_t>(chunk.stored_bytes);
    if (buffer.size() < size) buffer.resize(size);
    const auto bytes = std::span(buffer).first(size);
    file_->read(chunk.offset, bytes);
    if (const std::uint64_t found = xxh3_64(bytes); found != chunk.xxh3)
        throw_damaged("its {} stored bytes have the checksum {:016x}, the index says {:016x}", size, found, chunk.xxh3);
    return bytes;
}

void ChunkStore::decode(std::uint64_t number, std::span<std::byte> raw) const {
    thread_local std::vector<std::byte> buffer;
    decode_chunk(chunks_[static_cast<std::size_t>(number)].codec, stored(number, buffer), raw);
}

void ChunkStore::read(std::uint64_t storage, std::uint64_t offset, std::span<std::byte> out) const {
    const StorageEntry& entry = storages_.at(static_cast<std::size_t>(storage));
    if (offset > entry.size_bytes || out.size() > entry.size_bytes - offset)
        throw_damaged("{} bytes wanted at {}, but there are only {}", out.size(), offset, entry.size_bytes);
    if (out.empty()) return;
    std::uint64_t at = position(entry.first_chunk) + entry.offset + offset;
    auto number =
        static_cast<std::uint64_t>(std::upper_bound(positions_.begin(), positions_.end(), at) - positions_.begin() - 1);
    try {
        for (; !out.empty(); ++number) {
            const ChunkEntry& chunk = chunks_[static_cast<std::size_t>(number)];
            const auto inside = static_cast<std::size_t>(at - positions_[static_cast<std::size_t>(number)]);
            const std::size_t size =
                std::min<std::size_t>(out.size(), static_cast<std::size_t>(chunk.raw_bytes) - inside);
            if (size == chunk.raw_bytes) {
                decode(number, out.first(size));
            } else {
                auto cached = cache_->find(0, number);
                if (!cached) {
                    auto decoded = std::make_shared<Buffer>(static_cast<std::size_t>(chunk.raw_bytes));
                    decode(number, decoded->span());
                    cache_->add(0, number, decoded);
                    cached = std::move(decoded);
                }
                std::memcpy(out.data(), cached->data() + inside, size);
            }
            out = out.subspan(size);
            at += size;
        }
    } catch (const Error& error) {
        if (!error.file().empty()) throw;
        const std::string_view path = name(storage);
        Error placed(error.code(),
                     fmt::format("{}chunk {} at byte {}: {}",
                                 path.empty() ? fmt::format("storage {}: ", storage) : fmt::format("'{}': ", path),
                                 number, chunks_[static_cast<std::size_t>(number)].offset, error.message()));
        placed.in_file(file_->path());
        throw placed;
    }
}

BlobPtr ChunkStore::blob(const std::shared_ptr<const ChunkStore>& store, std::uint64_t storage) {
    return std::make_shared<StorageBlob>(store, storage);
}

std::uint64_t ChunkStore::number_of(const Blob& blob) {
    return dynamic_cast<const StorageBlob&>(blob).storage();
}

}  // namespace ckpt::native
