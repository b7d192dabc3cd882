// HDF5 files for reading: objects, links, attributes, and data as blobs. No libhdf5 beneath.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/shared/h5/datatype.hpp"
#include "formats/shared/h5/links.hpp"
#include "formats/shared/h5/selection.hpp"
#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"
#include "libckpt/error.hpp"

namespace ckpt::h5 {

class GlobalHeap;
struct ChunkSupport;
class Image;
class H5File;
struct ObjectHeader;

/// The shape of a dataset or an attribute.
struct Dataspace {
    enum class Kind : std::uint8_t { kNull, kScalar, kSimple } kind = Kind::kScalar;
    std::vector<std::uint64_t> dims;
    std::vector<std::uint64_t> max_dims;  ///< as many as dims; kUnlimited where a dimension may grow for ever
    std::uint64_t element_count = 1;      ///< 0 for null, 1 for scalar; below 2^63

    static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
};

/// kUsual: by creation order where the group tracks it, else by name bytes. kStored: as the file has them, which is the
/// order of insertion where links stand in the group's header (JLD2 writes them so).
enum class LinkOrder : std::uint8_t { kUsual, kStored };

struct Attribute {
    std::string name;
    DatatypePtr type;
    Dataspace space;
    std::string bytes;  ///< elements row-major, as the file has them
    std::optional<std::uint32_t> creation_order;
};

struct AttributeList {
    /// By creation order where the object tracks it, else by name bytes.
    std::vector<Attribute> attributes;
    /// One per attribute that could not be read; the others are there.
    std::vector<Error> errors;
};

struct Filter {
    std::uint16_t id = 0;
    std::string name;  ///< ours for ids that are known ("gzip", "shuffle", ...), else the file's
    bool is_optional = false;
    std::vector<std::uint32_t> parameters;
};

enum class LayoutClass : std::uint8_t { kCompact, kContiguous, kChunked, kVirtual };
enum class ChunkIndex : std::uint8_t { kBtree1, kSingle, kImplicit, kFixedArray, kExtensibleArray, kBtree2 };
enum class FillState : std::uint8_t { kDefault, kUndefined, kValue };

/// Where and how elements are stored. The part behind the blank line is for the engine.
struct Layout {
    LayoutClass cls = LayoutClass::kContiguous;
    bool is_external = false;            ///< data lie in other files
    std::vector<std::uint64_t> chunk;    ///< kChunked: dimensions of a chunk, in elements
    std::uint64_t chunk_size_bytes = 0;  ///< kChunked: of one chunk, decoded
    ChunkIndex index = ChunkIndex::kBtree1;

    std::uint8_t version = 3;
    std::uint64_t address = 0;
    std::uint64_t stored_size_bytes = 0;  ///< kContiguous: what the message says; kSingle: of the chunk
    std::uint32_t filter_mask = 0;        ///< kSingle
    bool keeps_edges_raw = false;         ///< chunks that stick out were not filtered
    bool single_is_filtered = false;      ///< kSingle
    std::string compact;                  ///< kCompact: the elements
    std::string external;                 ///< the message that says in which other files the data lie
    std::uint32_t virtual_index = 0;      ///< kVirtual: object of the global heap at `address`
};

/// A dataset without its elements.
struct Dataset {
    DatatypePtr type;
    bool type_is_committed = false;
    std::uint64_t type_address = 0;  ///< of the named datatype, where `type_is_committed`
    Dataspace space;
    Layout layout;
    std::vector<Filter> filters;  ///< in pipeline order
    FillState fill_state = FillState::kDefault;
    std::string fill;  ///< one element, or empty for zeros
    /// elements x element size; below 2^63. The elements may be nowhere: a fill value is enough for any size.
    std::uint64_t size_bytes = 0;
};

/// A stored chunk.
struct Chunk {
    std::vector<std::uint64_t> offset;  ///< of its first element, per dimension
    std::uint64_t address = 0;
    std::uint64_t stored_bytes = 0;
    std::uint32_t filter_mask = 0;  ///< bit i: filter i was skipped
};

enum class ObjectKind : std::uint8_t { kGroup, kDataset, kNamedDatatype };

/// Of virtual datasets that grow with their sources: the size that the file has stored, or that of now.
enum class VirtualExtent : std::uint8_t { kStored, kCurrent };

/// Opens a file that an HDF5 file names (a virtual dataset's source, external data): all of its bytes, or nullptr where
/// there is no such file. Throws Error (kRefused) for those that may not be read.
using SiblingOpener = std::function<BlobPtr(const std::string& name)>;

/// One object of a file: its header is read, everything else when it is asked for. Thread-safe; keeps the file open.
/// Members throw Error (kDamaged, kUnsupported) with messages that say which structure at which address is wrong; the
/// caller, who knows the object's path, adds it.
class Object {
public:
    Object(std::shared_ptr<const H5File> file, std::uint64_t address);
    ~Object();

    /// Identity: links with one address are the same object.
    std::uint64_t address() const noexcept { return address_; }
    ObjectKind kind() const noexcept { return kind_; }
    /// Hard links to this object, as its header says; not to be trusted.
    std::uint32_t reference_count() const noexcept;

    /// Of a group. Read anew at each call.
    LinkList links(LinkOrder order = LinkOrder::kUsual) const;
    /// Never throws for a single damaged attribute. Read anew at each call.
    AttributeList attributes() const;
    /// Of a dataset: type, shape, layout, filters.
    Dataset dataset(VirtualExtent extent = VirtualExtent::kCurrent) const;
    /// Of a named datatype.
    DatatypePtr named_datatype() const;

private:
    std::shared_ptr<const H5File> file_;
    std::uint64_t address_;
    ObjectKind kind_ = ObjectKind::kGroup;
    std::unique_ptr<const ObjectHeader> header_;
};

/// A variable-length element: `bytes` holds `count` base elements (text: `count` bytes).
struct HeapValue {
    std::uint32_t count = 0;
    std::string bytes;
};

/// Elements of reference types.
struct Reference {
    enum class Kind : std::uint8_t { kNull, kObject, kRegion, kAttribute } kind = Kind::kNull;
    std::uint64_t address = 0;  ///< of the object's header; nothing says that there is one
    Selection region;           ///< kRegion
    std::string selection;      ///< kRegion: the region as it stands in the file
    std::string attribute;      ///< kAttribute: its name
    std::string file;           ///< of the object, where that is another one; never opened
};

/// An open HDF5 file. Opening reads the superblock and the root's links. Thread-safe.
class H5File : public std::enable_shared_from_this<H5File> {
public:
    /// `whole` is the file from its first byte, user block included. Throws Error (kNotCheckpoint) without a
    /// signature, (kDamaged) when superblock or root cannot be read or the file is shorter than it says. Warns
    /// when the writer did not close the file and when bytes follow its end.
    /// Other files are read through `opener` alone, and not at all without one.
    static std::shared_ptr<const H5File> open(BlobPtr whole, const Context& context, Dialect dialect = Dialect::kHdf5,
                                              SiblingOpener opener = {});
    ~H5File();

    std::uint64_t root_address() const noexcept;
    unsigned superblock_version() const noexcept;
    std::uint64_t user_block_bytes() const noexcept;
    /// From the superblock to the stored end.
    std::uint64_t size_bytes() const noexcept;

    /// Reads the header at an address. Throws Error (kDamaged) if there is none.
    std::shared_ptr<const Object> object(std::uint64_t address) const;
    /// Address of the object that a path names from a group on ('/' first: from the root). Follows soft links, 16 at
    /// most, never external ones; nullopt where there is nothing. Throws Error if a group on the way is damaged.
    std::optional<std::uint64_t> resolve(std::uint64_t group_address, std::string_view path) const;

    /// All elements of a dataset, row-major, in the file's byte order (variable-length ones as their 16-byte
    /// references). Contiguous data have a `file_range`; chunks are decoded when they are read, in parallel where a
    /// read needs several, through a cache bounded in bytes; what was never written reads as the fill value. The index
    /// of the chunks is read at the first `read`. Throws Error (kUnsupported) naming the filter or layout that is not
    /// read, (kRefused) for chunks over 512 MiB,
    /// and over 80 MiB in files of less than a sixteenth of the chunk.
    BlobPtr data(const Dataset& dataset) const;
    /// Reads all that is stored of a dataset, each chunk through its filters, in parallel; what was never written costs
    /// nothing. Throws what reading throws, for the first chunk that is damaged.
    void check_data(const Dataset& dataset, const Context& context) const;
    /// The chunks that are stored.
    std::vector<Chunk> chunks(const Dataset& dataset) const;

    /// Follows an element of a variable-length type into the global heap. Throws Error (kDamaged).
    HeapValue heap_value(const Datatype& type, std::string_view element) const;
    /// Decodes an element of a reference type. Addresses are not followed.
    Reference reference(const Datatype& type, std::string_view element) const;

    /// All bytes of an object of the global heap. Throws Error (kDamaged).
    std::string heap_object(std::uint64_t collection, std::uint32_t index) const;
    /// Another HDF5 file, opened once; nullptr where there is none. Throws Error (kRefused) naming it and `what` is
    /// wanted of it where it may not be read.
    std::shared_ptr<const H5File> sibling(const std::string& name, std::string_view what) const;
    /// Any other file. Throws Error (kRefused) also where there is none.
    BlobPtr sibling_bytes(const std::string& name, std::string_view what) const;
    /// Parts of virtual datasets that were put together so far; throws Error (kRefused) when they become too many.
    void count_mappings(std::uint64_t count) const;
    void warn(std::string_view text) const { context_.warn(text); }

    const Image& image() const noexcept { return *image_; }
    const std::shared_ptr<const Image>& shared_image() const noexcept { return image_; }

private:
    H5File(std::shared_ptr<const Image> image, const Context& context, SiblingOpener opener);
    Reference revised_reference(Cursor& cursor) const;
    BlobPtr open_sibling(const std::string& name, std::string_view what) const;

    std::shared_ptr<const Image> image_;
    Context context_;
    SiblingOpener opener_;
    mutable std::mutex siblings_mutex_;
    mutable std::map<std::string, std::shared_ptr<const H5File>> siblings_;
    mutable std::atomic<std::uint64_t> mappings_{0};
    std::unique_ptr<GlobalHeap> global_heap_;
    std::unique_ptr<ChunkSupport> chunk_support_;
};

}  // namespace ckpt::h5
