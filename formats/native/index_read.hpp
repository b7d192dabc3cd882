// The index out of msgpack: nothing in it is believed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "formats/native/chunk_store.hpp"
#include "formats/native/cursor.hpp"
#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/error.hpp"

namespace ckpt::native {

struct OpenedIndex {
    std::string producer;
    std::vector<ChunkEntry> chunks;
    std::vector<StorageEntry> storages;
};

/// What long texts and bytes of the tree lie in, by node; and those that could not be read, which are empty.
struct LongTexts {
    std::unordered_map<const Node*, std::uint64_t> storages;
    std::vector<std::pair<const Node*, Error>> lost;
};

/// A parsed index. The bytes must outlive it.
class IndexReader {
public:
    /// Throws Error (kDamaged) where the bytes are no index or contradict themselves. `payload_end` is where the index
    /// record begins: chunks must lie before it, in order.
    /// (kRefused) where a chunk is over the limit of what it may decode to, (kUnsupported) for differences.
    IndexReader(std::string_view bytes, std::uint64_t payload_end);

    OpenedIndex& opened() noexcept { return opened_; }
    /// Fills root and attributes; tensors get their storages from `store`. Throws Error (kDamaged, kUnsupported,
    /// kRefused); long texts whose chunks are damaged are listed.
    LongTexts read_tree(Document& document, const std::shared_ptr<ChunkStore>& store, const Context& context) const;

private:
    Cursor entry(std::string_view key) const;
    void read_chunks(Cursor cursor, std::uint64_t payload_end);
    void read_storages(Cursor cursor);

    std::string_view bytes_;
    std::map<std::string, std::size_t, std::less<>> places_;  ///< of the values, by key
    OpenedIndex opened_;
};

/// A storage's name beside a chunk.
struct NamedTensor {
    std::string path;
    DType dtype = DType::kUInt8;
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> stride;
    std::int64_t offset = 0;
};
struct NamedStorage {
    std::uint64_t number = 0;
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
    std::vector<NamedTensor> tensors;
};
/// What packed names were. Throws Error (kDamaged), (kRefused) where that is more than `budget_bytes`, which grows less
/// by it.
std::string unpack_names(std::string_view packed, std::uint64_t& budget_bytes);
/// The same for the memory that the names take.
std::vector<NamedStorage> read_names(std::string_view bytes, std::uint64_t& budget_bytes);

}  // namespace ckpt::native
