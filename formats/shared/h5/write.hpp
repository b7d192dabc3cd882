// Writing HDF5: a tree of groups, datasets, links and attributes becomes the plan of one file.
//
// Only structures that libhdf5 1.8 and later read are written: superblock 2, object headers 2, datatypes of versions 1
// and 3, layout message 3 (HDF5 File Format Specification 3.0).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/shared/h5/h5.hpp"
#include "libckpt/blob.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt::h5 {

/// A datatype message as it stands in the file, and the bytes of one element.
struct WriteType {
    std::string message;
    std::uint32_t element_bytes = 0;
};

/// Little-endian. `width_bytes` is 1, 2, 4 or 8.
WriteType integer_type(unsigned width_bytes, bool is_signed);
/// IEEE binary16, binary32 or binary64, by width 2, 4 or 8.
WriteType ieee_type(unsigned width_bytes);
/// 16 bits: sign, 8 of exponent, 7 of mantissa.
WriteType bfloat16_type();
/// h5py's bool: an enum {FALSE 0, TRUE 1} over int8.
WriteType bool_type();
/// h5py's complex: a compound {r, i} of two equal floats.
WriteType complex_type(const WriteType& part);
/// Variable-length UTF-8 text; no element may hold NUL.
WriteType text_type();
/// A type that was read, in the oldest version that says it. nullopt for what has none that every libhdf5 reads: the
/// complex class of HDF5 2.0, revised references, types of files with addresses of other widths than 8.
std::optional<WriteType> encode_type(const Datatype& type);

/// Bytes of an element of a variable-length type, and of one reference to an object or to a region.
inline constexpr std::uint32_t kHeapReferenceBytes = 16;
inline constexpr std::uint32_t kObjectReferenceBytes = 8;
inline constexpr std::uint32_t kRegionReferenceBytes = 12;

struct WriteSpace {
    enum class Kind : std::uint8_t { kScalar, kSimple, kNull } kind = Kind::kScalar;
    std::vector<std::uint64_t> dims;  ///< kSimple only; 1 to 32
};
inline WriteSpace scalar_space() {
    return {};
}
inline WriteSpace null_space() {
    return {WriteSpace::Kind::kNull, {}};
}
/// Without dimensions it is a scalar's.
inline WriteSpace simple_space(std::vector<std::uint64_t> dims) {
    return dims.empty() ? WriteSpace{} : WriteSpace{WriteSpace::Kind::kSimple, std::move(dims)};
}

/// A place in `bytes` where a reference to an object is to stand; `target` is a number that the Writer gave out.
struct ReferencePlace {
    std::uint64_t offset_bytes = 0;
    std::uint32_t target = 0;
};
/// What an element of a variable-length type holds, or what a reference to a region says: the object's address and the
/// selection. The place in the data gets 16 bytes that lead to it.
struct HeapItem {
    std::uint64_t offset_bytes = 0;  ///< in the data, or in the bytes of the item that holds it
    std::uint32_t count = 0;         ///< of base elements; text: of bytes
    bool is_region = false;          ///< a reference to a region: the place gets 12 bytes, which have no count
    std::string bytes;
    std::vector<ReferencePlace> references;
    std::vector<HeapItem> items;
};

/// Elements held in memory: raw bytes, or texts where the type is a variable-length string.
struct WriteData {
    WriteType type;
    WriteSpace space;
    std::string bytes;
    std::vector<std::string> texts = {};
    std::vector<HeapItem> items = {};             ///< for elements that stand in the heap
    std::vector<ReferencePlace> references = {};  ///< for elements that are references
};
/// One text as a scalar.
WriteData text_data(std::string text);
/// Texts in one dimension.
WriteData texts_data(std::vector<std::string> texts);

enum class Codec : std::uint8_t { kNone, kGzip, kZstd };

/// How a dataset is to be stored, where it is not for the writer to choose.
struct WriteLayout {
    std::vector<std::uint64_t> chunk;     ///< one size per dimension; empty: not in chunks
    std::vector<std::uint64_t> max_dims;  ///< of chunked ones; kUnlimited where a dimension may grow; empty: the shape
    std::vector<Filter> filters;
    std::string fill;  ///< one element, or empty for the default
};

/// Collects objects, then lays them out. Objects and their data stand in the file in the order in which they were
/// added. Deterministic; nothing depends on time. Not thread-safe.
class Writer {
public:
    using ObjectId = std::uint32_t;

    Writer() : Writer(OutputBound::kAnySize) {}
    /// Blobs of more than `most_bytes` together are refused by `plan`.
    explicit Writer(std::uint64_t most_bytes) : most_bytes_(most_bytes) {}

    ObjectId add_group();
    /// Small data (up to 64 bytes, and none at all) stand in the object's header, others at a multiple of 64.
    ObjectId add_dataset(WriteData data);
    /// `blob` holds the elements, row-major; its size must match type and space. The data stand at a multiple of 64
    /// bytes; with a codec, larger data are stored as shuffled and encoded chunks of about 1 MiB instead.
    ObjectId add_dataset(WriteType type, WriteSpace space, BlobPtr blob, Codec codec = Codec::kNone);

    /// Stores a dataset so, and whole: chunks without data are written as well. False where it cannot be.
    bool set_layout(ObjectId dataset, WriteLayout layout);
    /// A committed datatype, of which only the type is looked at.
    ObjectId add_datatype(WriteType type);

    /// A number for an object that is not known yet; a reference to it is null unless `set_target` says what it is.
    std::uint32_t add_target();
    void set_target(std::uint32_t target, ObjectId object) { targets_[target] = object; }

    /// A hard link. Cycles and any number of links to one object are legal. The name may not be empty or "." or hold
    /// '/' or NUL, has up to 2^32 - 1 bytes, and must be unique within its group.
    void link(ObjectId group, std::string name, ObjectId target);
    /// `target_path` has 1 to 65535 bytes without NUL and need not lead anywhere.
    void soft_link(ObjectId group, std::string name, std::string target_path);
    /// Makes a hard link of a group soft, if its target can be reached from the group (or from `root`, where the path
    /// begins with '/') by links other than it; else leaves it as it is. A scalar that no other link leads to is left
    /// out if the target is one with the same element and attributes.
    void soften(ObjectId root, ObjectId group, const std::string& name, std::string target_path);
    /// A link into another file. Both parts have at least 1 byte and no NUL, and together up to 65532.
    void external_link(ObjectId group, std::string name, std::string file, std::string target_path);
    /// The name must be unique within its object and may not hold NUL; it has up to 65534 bytes. Up to 65535 attributes
    /// per object.
    void attribute(ObjectId object, std::string name, WriteData data);

    /// The file whose root group is `root`: superblock, metadata, then data. Every offset is known before a byte is
    /// written, but for encoded chunks, whose addresses are filled in at last. The writer is used up.
    /// Throws Error (kRefused) with the beginning of the name and the numbers for what HDF5 cannot hold: names, soft
    /// targets and counts beyond the limits above, more than 32 dimensions, texts of 4 GiB.
    WritePlan plan(ObjectId root);

private:
    friend class FileLayout;
    struct Attribute {
        std::string name;
        WriteData data;
    };
    struct Link {
        std::string name;
        std::optional<std::string> soft_target;  ///< of soft links only; of external ones the path in `file`
        std::string file;                        ///< of external links only
        ObjectId target = 0;
    };
    struct Object {
        bool is_group = false;
        bool is_datatype = false;
        WriteData data;
        BlobPtr blob;  ///< instead of bytes in `data`
        Codec codec = Codec::kNone;
        std::optional<WriteLayout> layout;
        std::vector<Link> links;
        std::vector<Attribute> attributes;
        std::uint32_t hard_links = 0;
        std::optional<ObjectId> same_as;  ///< left out for another one
    };
    static bool is_same_scalar(const Object& a, const Object& b);
    void leave_out_doubles(ObjectId& root);
    Link* find_link(ObjectId group, std::string_view name);

    std::uint64_t most_bytes_;
    std::vector<Object> objects_;
    std::vector<std::optional<ObjectId>> targets_;
    std::unordered_map<ObjectId, std::unordered_map<std::string_view, std::size_t>> names_;  ///< of groups looked into
};

}  // namespace ckpt::h5
