// Lays out the objects of a Writer: heap of texts, object headers, chunk indices, data. Facts: hdf5.md, 15.
#include "formats/shared/h5/write.hpp"

#include <algorithm>
#include <memory>
#include <numeric>

#include "formats/shared/h5/cursor.hpp"
#include "formats/shared/h5/write_bytes.hpp"
#include "formats/shared/h5/write_chunks.hpp"
#include "formats/shared/h5/write_dense.hpp"
#include "formats/shared/h5/write_heap.hpp"
#include "formats/shared/h5/write_layout.hpp"
#include "libckpt/error.hpp"

namespace ckpt::h5 {
namespace {

constexpr std::uint64_t kSuperblockBytes = 48;
constexpr std::uint64_t kDataAlignment = 64;
constexpr std::uint64_t kMaxCompactDataBytes = 64;
constexpr std::uint64_t kMinEncodedBytes = 4096;  // below, a chunk's overhead outweighs the gain
constexpr std::size_t kMaxCompactLinks = 8;
constexpr std::size_t kMaxCompactAttributes = 8;
constexpr std::size_t kMaxMessageBytes = 65000;
// What fields of 16 and 32 bits can say; libhdf5 has the same limits.
constexpr std::size_t kMaxAttributeNameBytes = 65534;  // a NUL follows
constexpr std::size_t kMaxAttributes = 65535;
constexpr std::size_t kMaxLinkNameBytes = 0xffffffff;
constexpr std::size_t kMaxSoftTargetBytes = 65535;
constexpr std::size_t kMaxExternalTargetBytes = 65532;
constexpr std::size_t kMaxTextBytes = 0xffffffff;
constexpr std::size_t kMaxRank = 32;

enum MessageType : unsigned {
    kDataspaceMessage = 0x01,
    kLinkInfoMessage = 0x02,
    kDatatypeMessage = 0x03,
    kFillValueMessage = 0x05,
    kLinkMessage = 0x06,
    kLayoutMessage = 0x08,
    kGroupInfoMessage = 0x0a,
    kFilterMessage = 0x0b,
    kAttributeMessage = 0x0c,
    kAttributeInfoMessage = 0x15,
    kReferenceCountMessage = 0x16,
};
enum LinkType : unsigned { kSoftLink = 1, kExternalLink = 64 };
enum TreeType : unsigned { kLinksByName = 5, kLinksByOrder = 6, kAttributesByName = 8, kAttributesByOrder = 9 };

std::uint64_t aligned(std::uint64_t offset, std::uint64_t alignment) {
    return (offset + alignment - 1) / alignment * alignment;
}

std::uint64_t element_count(const WriteSpace& space) {
    if (space.kind == WriteSpace::Kind::kNull) return 0;
    return std::accumulate(space.dims.begin(), space.dims.end(), std::uint64_t{1}, std::multiplies<>());
}

std::string space_message(const WriteSpace& space, const std::vector<std::uint64_t>& max_dims = {}) {
    std::string message;
    put(message, 1, 2);
    put(message, 1, space.dims.size());
    put(message, 1, max_dims.empty() ? 0 : 1);
    put(message, 1, static_cast<std::uint64_t>(space.kind));
    for (const std::uint64_t dim : space.dims) put(message, 8, dim);
    for (const std::uint64_t dim : max_dims) put(message, 8, dim);
    return message;
}

/// The beginning of a name, for messages.
std::string shortened(std::string_view name) {
    std::size_t shown_bytes = 40;
    if (name.size() <= shown_bytes) return std::string(name);
    while (shown_bytes > 0 && (static_cast<unsigned char>(name[shown_bytes]) & 0xc0) == 0x80) --shown_bytes;
    return std::string(name.substr(0, shown_bytes)) + "...";
}

void check_size(std::string_view what, std::string_view name, std::size_t size, std::size_t most,
                std::string_view unit = "bytes") {
    if (size <= most) return;
    throw_error(ErrorCode::kRefused, "{} '{}' has {} {}, HDF5 holds at most {}", what, shortened(name), size, unit,
                most);
}

void check_link_name(std::string_view name) {
    check_size("the name of the link", name, name.size(), kMaxLinkNameBytes);
    if (name.empty() || name == "." || name.find_first_of(std::string_view("/\0", 2)) != std::string_view::npos)
        throw_error(ErrorCode::kRefused, "'{}' cannot be the name of a link in HDF5", shortened(name));
}

void check_soft_target(std::string_view name, std::string_view target) {
    check_size("the target of the soft link", name, target.size(), kMaxSoftTargetBytes);
    if (target.empty()) throw_error(ErrorCode::kRefused, "the soft link '{}' leads to no path", shortened(name));
    if (target.find('\0') != std::string_view::npos)
        throw_error(ErrorCode::kRefused, "the target of the soft link '{}' holds NUL", shortened(name));
}

void check_external_target(std::string_view name, std::string_view file, std::string_view target) {
    check_size("the target of the external link", name, file.size() + target.size(), kMaxExternalTargetBytes);
    if (file.empty() || target.empty() || file.find('\0') != std::string_view::npos ||
        target.find('\0') != std::string_view::npos)
        throw_error(ErrorCode::kRefused, "the external link '{}' leads to no file and path", shortened(name));
}

void check_attribute_name(std::string_view name) {
    check_size("the name of the attribute", name, name.size(), kMaxAttributeNameBytes);
    if (name.find('\0') != std::string_view::npos)
        throw_error(ErrorCode::kRefused, "the name of the attribute '{}' holds NUL", shortened(name));
}

void check_data(std::string_view what, std::string_view name, const WriteData& data) {
    check_size(what, name, data.space.dims.size(), kMaxRank, "dimensions");
    for (const std::string& text : data.texts) check_size("a text of", name, text.size(), kMaxTextBytes);
}

struct Message {
    unsigned type;
    std::string body;
    std::size_t creation_index = 0;
};

/// A version-2 object header of one block, without times.
std::string object_header(const std::vector<Message>& messages, bool tracks_attributes) {
    std::string body;
    for (const Message& message : messages) {
        put(body, 1, message.type);
        put(body, 2, message.body.size());
        put(body, 1, 0);
        if (tracks_attributes) put(body, 2, message.creation_index);
        body += message.body;
    }
    const unsigned width_code = body.size() < 1U << 8 ? 0 : body.size() < 1U << 16 ? 1 : 2;
    std::string header = "OHDR";
    put(header, 1, 2);
    put(header, 1, width_code | (tracks_attributes ? 0x0cU : 0U));
    put(header, 1U << width_code, body.size());
    header += body;
    seal(header);
    return header;
}

/// Indices of `names` in the order of B-trees by name: by hash, then by name.
std::vector<std::size_t> hash_order(const std::vector<std::string_view>& names, std::vector<std::uint32_t>& hashes) {
    hashes.clear();
    for (const auto name : names) hashes.push_back(metadata_checksum(name));
    std::vector<std::size_t> order(names.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return hashes[a] != hashes[b] ? hashes[a] < hashes[b] : names[a] < names[b];
    });
    return order;
}

}  // namespace

/// One use of a Writer: everything that is known about where things come to lie.
class FileLayout {
public:
    FileLayout(std::vector<Writer::Object> objects, std::vector<std::optional<Writer::ObjectId>> targets)
        : objects_(std::move(objects)), targets_(std::move(targets)) {}

    WritePlan run(Writer::ObjectId root) {
        check(root);
        ++objects_[root].hard_links;
        std::vector<AddressPlace> addresses;
        std::string metadata = store_elements(addresses);
        places_.resize(objects_.size());
        const std::uint64_t headers_start = kSuperblockBytes + metadata.size();
        // Sizes do not depend on addresses: the first pass learns where everything is, the second one says it.
        place_data(0);
        const std::uint64_t headers_end = headers_start + build_headers(headers_start).size();
        const std::uint64_t trees_end = place_trees(headers_end);
        place_data(aligned(trees_end, kDataAlignment));
        for (const AddressPlace& place : addresses) put_address(metadata, place.at - kSuperblockBytes, place.target);
        fill_references();
        metadata += build_headers(headers_start);
        return plan(std::move(metadata), headers_end, trees_end, places_[root].header);
    }

private:
    struct Place {
        std::uint64_t header = 0;
        std::uint64_t data = 0;
        std::uint64_t data_bytes = 0;
        bool is_compact = false;
        std::uint64_t tree = 0;             ///< where the chunk index begins
        std::unique_ptr<ChunkPlan> chunks;  ///< of encoded data
    };

    /// Refuses what HDF5's fields cannot say.
    void check(Writer::ObjectId root) const {
        std::vector<std::string_view> names(objects_.size());  // by the first link, for messages
        names[root] = "/";
        for (const Writer::Object& object : objects_) {
            for (const Writer::Link& link : object.links) {
                check_link_name(link.name);
                if (!link.file.empty()) {
                    check_external_target(link.name, link.file, *link.soft_target);
                } else if (link.soft_target) {
                    check_soft_target(link.name, *link.soft_target);
                } else if (names[link.target].empty()) {
                    names[link.target] = link.name;
                }
            }
        }
        for (std::size_t i = 0; i < objects_.size(); ++i) {
            check_data("the dataset", names[i], objects_[i].data);
            check_size("the object", names[i], objects_[i].attributes.size(), kMaxAttributes, "attributes");
            for (const Writer::Attribute& attribute : objects_[i].attributes) {
                check_attribute_name(attribute.name);
                check_data("the attribute", attribute.name, attribute.data);
            }
        }
    }

    /// Elements of variable length move to the heap; from here on all data are bytes.
    std::string store_elements(std::vector<AddressPlace>& addresses) {
        ElementHeap heap(kSuperblockBytes);
        const auto store = [&heap](WriteData& data) {
            if (!data.texts.empty()) data.bytes = heap.add(data.texts);
            heap.add(data.bytes, data.items);
        };
        for (Writer::Object& object : objects_) {
            store(object.data);
            for (Writer::Attribute& attribute : object.attributes) store(attribute.data);
        }
        std::string bytes = std::move(heap.finish());
        addresses = heap.addresses();
        return bytes;
    }

    /// A target that is nothing stays zeros, which is a null reference.
    void put_address(std::string& bytes, std::uint64_t at, std::uint32_t target) const {
        if (!targets_[target]) return;
        std::string address;
        put(address, kObjectReferenceBytes, places_[*targets_[target]].header);
        bytes.replace(static_cast<std::size_t>(at), address.size(), address);
    }
    void fill_references() {
        const auto fill = [this](WriteData& data) {
            for (const ReferencePlace& place : data.references)
                put_address(data.bytes, place.offset_bytes, place.target);
        };
        for (Writer::Object& object : objects_) {
            fill(object.data);
            for (Writer::Attribute& attribute : object.attributes) fill(attribute.data);
        }
    }

    void place_data(std::uint64_t start) {
        std::uint64_t at = start;
        data_end_ = 0;
        for (std::size_t i = 0; i < objects_.size(); ++i) {
            const Writer::Object& object = objects_[i];
            Place& place = places_[i];
            if (object.is_group || object.is_datatype) continue;
            place.data_bytes = element_count(object.data.space) * object.data.type.element_bytes;
            const std::uint64_t present = object.blob ? object.blob->size_bytes() : object.data.bytes.size();
            if (present != place.data_bytes) {
                throw_error(ErrorCode::kInternal, "a dataset of {} bytes was given {}", place.data_bytes, present);
            }
            if (object.layout && !object.layout->chunk.empty()) {
                if (!place.chunks) {
                    place.chunks = std::make_unique<ChunkPlan>(
                        plan_given_chunks(*object.layout, object.data.space.dims, object.data.type.element_bytes));
                }
                continue;
            }
            place.is_compact = place.data_bytes <= (object.blob ? 0 : kMaxCompactDataBytes);
            if (place.is_compact) continue;
            if (object.codec != Codec::kNone && place.data_bytes >= kMinEncodedBytes) {
                if (!place.chunks) {
                    place.chunks = std::make_unique<ChunkPlan>(
                        plan_chunks(object.data.space.dims, object.data.type.element_bytes));
                }
                continue;
            }
            at = aligned(at, kDataAlignment);
            place.data = at;
            at += place.data_bytes;
            data_end_ = at;
        }
    }

    std::uint64_t place_trees(std::uint64_t at) {
        for (std::size_t i = 0; i < objects_.size(); ++i) {
            if (!places_[i].chunks) continue;
            places_[i].tree = at;
            at += chunk_tree_bytes(places_[i].chunks->parts.size(), objects_[i].data.space.dims.size());
        }
        return at;
    }

    std::string build_headers(std::uint64_t start) {
        MetadataArea area(start);
        for (std::size_t i = 0; i < objects_.size(); ++i) {
            const Writer::Object& object = objects_[i];
            std::vector<Message> messages;
            if (object.is_group) {
                add_group(area, object, messages);
            } else if (object.is_datatype) {
                messages.push_back({kDatatypeMessage, object.data.type.message});
            } else {
                add_dataset(object, places_[i], messages);
            }
            if (object.hard_links > 1) {
                std::string count(1, '\0');
                put(count, 4, object.hard_links);
                messages.push_back({kReferenceCountMessage, std::move(count)});
            }
            add_attributes(area, object, messages);
            places_[i].header = area.append(object_header(messages, !object.attributes.empty()));
        }
        return std::move(area.bytes());
    }

    std::string link_body(const Writer::Link& link, std::size_t order) const {
        const bool is_hard = !link.soft_target.has_value();
        const bool is_external = !link.file.empty();
        const unsigned width_code = link.name.size() < 1U << 8 ? 0 : link.name.size() < 1U << 16 ? 1 : 2;
        std::string body;
        put(body, 1, 1);
        put(body, 1, width_code | 4U | 16U | (is_hard ? 0U : 8U));
        if (!is_hard) put(body, 1, is_external ? kExternalLink : kSoftLink);
        put(body, 8, order);
        put(body, 1, 1);  // UTF-8
        put(body, 1U << width_code, link.name.size());
        body += link.name;
        if (is_external) {
            put(body, 2, 1 + link.file.size() + 1 + link.soft_target->size() + 1);
            put(body, 1, 0);  // version and flags
            body += link.file + '\0' + *link.soft_target + '\0';
        } else if (!is_hard) {
            put(body, 2, link.soft_target->size());
            body += *link.soft_target;
        } else {
            put(body, 8, places_[link.target].header);
        }
        return body;
    }

    void add_group(MetadataArea& area, const Writer::Object& object, std::vector<Message>& messages) const {
        std::vector<std::string> bodies;
        std::vector<std::string_view> names;
        bool is_dense = object.links.size() > kMaxCompactLinks;
        for (const Writer::Link& link : object.links) {
            bodies.push_back(link_body(link, bodies.size()));
            names.push_back(link.name);
            is_dense |= bodies.back().size() >= kMaxMessageBytes;
        }
        std::string info(1, '\0');
        put(info, 1, 3);  // creation order tracked and indexed
        put(info, 8, bodies.size());
        if (!is_dense) {
            for (int i = 0; i < 3; ++i) put(info, 8, kUndefinedAddress);
        } else {
            const HeapIds heap = write_heap(area, bodies, 7);
            std::vector<std::uint32_t> hashes;
            std::vector<std::string> by_name;
            std::vector<std::string> by_order;
            for (const std::size_t i : hash_order(names, hashes)) {
                put(by_name.emplace_back(), 4, hashes[i]);
                by_name.back() += heap.ids[i];
            }
            for (std::size_t i = 0; i < bodies.size(); ++i) {
                put(by_order.emplace_back(), 8, i);
                by_order.back() += heap.ids[i];
            }
            put(info, 8, heap.address);
            put(info, 8, write_btree2(area, kLinksByName, by_name));
            put(info, 8, write_btree2(area, kLinksByOrder, by_order));
        }
        messages.push_back({kLinkInfoMessage, std::move(info)});
        messages.push_back({kGroupInfoMessage, std::string(2, '\0')});
        if (is_dense) return;
        for (std::string& body : bodies) messages.push_back({kLinkMessage, std::move(body)});
    }

    void add_dataset(const Writer::Object& object, const Place& place, std::vector<Message>& messages) const {
        const WriteLayout* given = object.layout ? &*object.layout : nullptr;
        messages.push_back(
            {kDataspaceMessage,
             space_message(object.data.space, given != nullptr ? given->max_dims : std::vector<std::uint64_t>())});
        messages.push_back({kDatatypeMessage, object.data.type.message});
        messages.push_back({kFillValueMessage, fill_message(place, given != nullptr ? given->fill : "")});
        std::string layout = "\x03";
        if (place.is_compact) {
            put(layout, 1, 0);
            put(layout, 2, object.data.bytes.size());
            layout += object.data.bytes;
        } else if (!place.chunks) {
            put(layout, 1, 1);
            put(layout, 8, place.data);
            put(layout, 8, place.data_bytes);
        } else {
            const std::size_t rank = object.data.space.dims.size();
            put(layout, 1, 2);
            put(layout, 1, rank + 1);
            put(layout, 8, chunk_tree_root(place.tree, place.chunks->parts.size(), rank));
            for (const std::uint64_t dim : place.chunks->dims) put(layout, 4, dim);
            put(layout, 4, object.data.type.element_bytes);
        }
        messages.push_back({kLayoutMessage, std::move(layout)});
        if (given != nullptr && place.chunks) {
            if (!given->filters.empty()) messages.push_back({kFilterMessage, filters_message(given->filters)});
        } else if (place.chunks) {
            messages.push_back({kFilterMessage, filter_message(object.codec, object.data.type.element_bytes)});
        }
    }

    /// Compact data have their space early (libhdf5 refuses to copy their properties otherwise), contiguous ones late,
    /// others chunk by chunk; the value is written where one was set.
    static std::string fill_message(const Place& place, const std::string& value) {
        constexpr unsigned kWrittenIfSet = 8;
        constexpr unsigned kHasValue = 0x20;
        const unsigned allocation = place.is_compact ? 1 : place.chunks ? 3 : 2;
        std::string message = "\x03";
        put(message, 1, allocation | kWrittenIfSet | (value.empty() ? 0U : kHasValue));
        if (value.empty()) return message;
        put(message, 4, value.size());
        return message + value;
    }

    static std::string attribute_body(const Writer::Attribute& attribute) {
        const std::string space = space_message(attribute.data.space);
        std::string body;
        put(body, 1, 3);
        put(body, 1, 0);
        put(body, 2, attribute.name.size() + 1);
        put(body, 2, attribute.data.type.message.size());
        put(body, 2, space.size());
        put(body, 1, 1);  // the name is UTF-8
        body += attribute.name;
        body += '\0';
        body += attribute.data.type.message;
        body += space;
        body += attribute.data.bytes;
        return body;
    }

    static void add_attributes(MetadataArea& area, const Writer::Object& object, std::vector<Message>& messages) {
        if (object.attributes.empty()) return;
        std::vector<std::string> bodies;
        std::vector<std::string_view> names;
        bool is_dense = object.attributes.size() > kMaxCompactAttributes;
        for (const Writer::Attribute& attribute : object.attributes) {
            bodies.push_back(attribute_body(attribute));
            names.push_back(attribute.name);
            is_dense |= bodies.back().size() >= kMaxMessageBytes;
        }
        std::string info(1, '\0');
        put(info, 1, 3);
        put(info, 2, bodies.size());
        if (!is_dense) {
            for (int i = 0; i < 3; ++i) put(info, 8, kUndefinedAddress);
            messages.push_back({kAttributeInfoMessage, std::move(info)});
            for (std::size_t i = 0; i < bodies.size(); ++i) {
                messages.push_back({kAttributeMessage, std::move(bodies[i]), i});
            }
            return;
        }
        const HeapIds heap = write_heap(area, bodies, 8);
        std::vector<std::uint32_t> hashes;
        std::vector<std::string> by_name;
        std::vector<std::string> by_order;
        for (const std::size_t i : hash_order(names, hashes)) {
            std::string& record = by_name.emplace_back(heap.ids[i]);
            put(record, 1, 0);
            put(record, 4, i);
            put(record, 4, hashes[i]);
        }
        for (std::size_t i = 0; i < bodies.size(); ++i) {
            std::string& record = by_order.emplace_back(heap.ids[i]);
            put(record, 1, 0);
            put(record, 4, i);
        }
        put(info, 8, heap.address);
        put(info, 8, write_btree2(area, kAttributesByName, by_name));
        put(info, 8, write_btree2(area, kAttributesByOrder, by_order));
        messages.push_back({kAttributeInfoMessage, std::move(info)});
    }

    static std::string superblock(std::uint64_t end, std::uint64_t root) {
        std::string block("\x89HDF\r\n\x1a\n\2\x08\x08\0", 12);
        put(block, 8, 0);
        put(block, 8, kUndefinedAddress);
        put(block, 8, end);
        put(block, 8, root);
        seal(block);
        return block;
    }

    WritePlan plan(std::string metadata, std::uint64_t headers_end, std::uint64_t trees_end, std::uint64_t root) {
        const bool is_encoded = trees_end > headers_end;
        PlannedFile file;
        const std::uint64_t data_end = std::max(data_end_, trees_end);
        if (!is_encoded) {
            file.extents.push_back({LiteralExtent{superblock(data_end, root) + std::move(metadata)}});
        } else {
            file.extents.push_back({LateExtent{kSuperblockBytes,
                                               [root](std::span<const ExtentResult> results) {
                                                   return superblock(
                                                       results.back().offset_bytes + results.back().size_bytes, root);
                                               },
                                               true}});
            file.extents.push_back({LiteralExtent{std::move(metadata)}});
        }
        const std::size_t trees_at = file.extents.size();
        if (is_encoded) file.extents.emplace_back();  // filled below, when the chunks have their numbers
        std::uint64_t at = trees_end;
        for (std::size_t i = 0; i < objects_.size(); ++i) {
            Writer::Object& object = objects_[i];
            const Place& place = places_[i];
            if (object.is_group || object.is_datatype || place.is_compact || place.chunks) continue;
            if (place.data > at) file.extents.push_back({LiteralExtent{std::string(place.data - at, '\0')}});
            BlobPtr blob = object.blob ? std::move(object.blob) : memory_blob(std::move(object.data.bytes));
            file.extents.push_back({BlobExtent{std::move(blob)}});
            at = place.data + place.data_bytes;
        }
        if (is_encoded) {
            file.extents[trees_at] = {LateExtent{trees_end - headers_end, add_chunks(file.extents), true}};
        }
        WritePlan result;
        result.files.push_back(std::move(file));
        return result;
    }

    /// Appends the encoded chunks; returns what makes their indices.
    std::function<std::string(std::span<const ExtentResult>)> add_chunks(std::vector<Extent>& extents) {
        struct Tree {
            std::uint64_t start;
            std::shared_ptr<const ChunkPlan> chunks;
            std::vector<std::uint64_t> shape;
            std::size_t first_extent;
        };
        std::vector<Tree> trees;
        for (std::size_t i = 0; i < objects_.size(); ++i) {
            if (!places_[i].chunks) continue;
            const Writer::Object& object = objects_[i];
            trees.push_back({places_[i].tree, std::move(places_[i].chunks), object.data.space.dims, extents.size()});
            const ChunkPlan& chunks = *trees.back().chunks;
            const std::uint32_t element_bytes = object.data.type.element_bytes;
            BlobPtr blob = object.blob ? object.blob : memory_blob(object.data.bytes);
            if (object.layout)
                blob = chunked_blob(std::move(blob), *object.layout, object.data.space.dims, element_bytes);
            const auto encode = object.layout ? filter_encoder(object.layout->filters, element_bytes)
                                              : chunk_encoder(object.codec, element_bytes, chunks.chunk_bytes);
            for (const ChunkPlan::Part& part : chunks.parts) {
                extents.push_back({EncodedExtent{blob, part.offset_bytes, part.size_bytes, encode}});
            }
        }
        return [trees = std::move(trees)](std::span<const ExtentResult> results) {
            std::string bytes;
            for (const Tree& tree : trees) {
                std::vector<StoredPart> stored;
                for (std::size_t i = 0; i < tree.chunks->parts.size(); ++i) {
                    const ExtentResult& result = results[tree.first_extent + i];
                    stored.push_back({result.offset_bytes, result.size_bytes,
                                      static_cast<std::uint32_t>(little_endian(result.note))});
                }
                bytes += chunk_tree(tree.start, *tree.chunks, tree.shape, stored);
            }
            return bytes;
        };
    }

    std::vector<Writer::Object> objects_;
    std::vector<std::optional<Writer::ObjectId>> targets_;
    std::vector<Place> places_;
    std::uint64_t data_end_ = 0;
};

WritePlan Writer::plan(ObjectId root) {
    OutputBound bound(most_bytes_);
    OutputBound encoded(OutputBound::kMostEncoded);
    for (const Object& object : objects_) {
        if (!object.blob) continue;
        bound.add(object.blob->size_bytes());
        if (object.codec != Codec::kNone) encoded.add(object.blob->size_bytes());
    }
    leave_out_doubles(root);
    return FileLayout(std::move(objects_), std::move(targets_)).run(root);
}

}  // namespace ckpt::h5
