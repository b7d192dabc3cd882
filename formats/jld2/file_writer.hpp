// The bytes of a JLD2 file: object headers, heaps and elements as JLD2.jl itself lays them out (README: "Bytes").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libckpt/blob.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt::jld2 {

using ObjectId = std::uint32_t;
inline constexpr ObjectId kNoObject = ~ObjectId{0};

/// A datatype message of version 3, the bytes of one element, and the committed type that says it, where there is one.
struct TypeMessage {
    std::string message;
    std::uint32_t element_bytes = 0;
    ObjectId committed = kNoObject;
};
TypeMessage integer_message(unsigned width_bytes, bool is_signed);
TypeMessage bool_message();
/// IEEE binary16, binary32 or binary64.
TypeMessage float_message(unsigned width_bytes);
TypeMessage fixed_text_message(std::size_t size_bytes);
TypeMessage text_message();            ///< variable length, in the heap
TypeMessage reference_message();       ///< to an object
TypeMessage reference_list_message();  ///< variable length, in the heap
TypeMessage opaque_message(std::uint32_t size_bytes);
/// Members follow each other without gaps.
TypeMessage compound_message(const std::vector<std::pair<std::string, TypeMessage>>& members);

/// Something in the global heap.
struct HeapItem {
    std::uint32_t count = 0;  ///< elements
    std::uint32_t collection = 0;
    std::uint32_t index = 0;
};

/// Bytes with places for addresses that are known only when the file is laid out.
class Data {
public:
    void bytes(std::string_view bytes) { bytes_ += bytes; }
    void number(unsigned width_bytes, std::uint64_t value);
    void reference(ObjectId target);  ///< kNoObject is a null reference
    void heap(const HeapItem& item);
    void append(const Data& other);
    std::size_t size() const noexcept { return bytes_.size(); }
    bool empty() const noexcept { return bytes_.empty(); }

private:
    friend class FileWriter;
    enum class Target : std::uint8_t { kObject, kHeap, kRaw, kStored, kStoredBytes };
    struct Patch {
        std::uint32_t at;
        Target target;
        std::uint32_t index;
    };
    void patch(Target target, std::size_t index);
    std::string bytes_;
    std::vector<Patch> patches_;
};

struct Space {
    enum class Kind : std::uint8_t { kScalar, kSimple, kNull } kind = Kind::kScalar;
    std::vector<std::uint64_t> dims;  ///< HDF5's order
};

struct AttributeSpec {
    std::string name;
    TypeMessage type;
    Space space;
    Data data;
};

struct DatasetSpec {
    TypeMessage type;
    Space space;
    std::vector<AttributeSpec> attributes;
    Data data;     ///< the elements, unless there is a blob
    BlobPtr blob;  ///< the elements
};

enum class Compression : std::uint8_t { kNone, kZlib };

/// Collects objects, then lays them out in the order in which they were reserved, elements of blobs behind them.
/// Deterministic. Not thread-safe. Members throw Error (kRefused) for what the fields of a file cannot hold: messages
/// over 65535 bytes (names, types of very many fields), texts of 4 GiB.
class FileWriter {
public:
    /// With zlib, blobs of 4 KiB and more are stored as one stream each. Blobs of more than `most_bytes` together are
    /// refused by `plan`.
    FileWriter(Compression compression, std::uint64_t most_bytes)
        : compression_(compression), most_bytes_(most_bytes) {}

    /// An object to be set once. Others may refer to it before.
    ObjectId reserve();
    void set_dataset(ObjectId id, const DatasetSpec& spec);
    void set_type(ObjectId id, const TypeMessage& type, const std::vector<AttributeSpec>& attributes);
    /// Names are any bytes without '/' and NUL.
    void set_group(ObjectId id, const std::vector<std::pair<std::string, ObjectId>>& links,
                   const std::vector<AttributeSpec>& attributes);
    HeapItem heap_text(std::string_view text);
    HeapItem heap_references(const std::vector<ObjectId>& targets);

    /// `user_block` is at most 512 bytes. The writer is used up.
    WritePlan plan(ObjectId root, std::string_view user_block);

private:
    /// Elements of a blob, and where they come to lie.
    struct Stored {
        BlobPtr blob;
        bool is_compressed = false;
        std::uint64_t address = 0;
        std::uint64_t stored_bytes = 0;
    };
    struct Collection {
        Data data;
        std::uint32_t items = 0;
    };
    struct Layout;

    HeapItem add_to_heap(const Data& content, std::uint64_t count);
    void set_header(ObjectId id, const Data& messages);

    Compression compression_;
    std::uint64_t most_bytes_;
    std::vector<Data> headers_;  ///< by id; without checksums
    std::vector<Data> raw_;      ///< elements with references that are too many for a header
    std::vector<Collection> collections_;
    std::vector<Stored> stored_;
};

}  // namespace ckpt::jld2
