// Links of groups: symbol tables, link messages, dense links. Facts: hdf5.md, 6 and 7.
#include <algorithm>
#include <unordered_set>

#include "formats/shared/h5/btree.hpp"
#include "formats/shared/h5/fractal_heap.hpp"
#include "formats/shared/h5/messages.hpp"

namespace ckpt::h5 {
namespace {

enum LinkType : unsigned { kHardLink = 0, kSoftLink = 1, kExternalLink = 64 };
constexpr std::uint32_t kCachedSoftLink = 2;

/// Its texts are parts of `bytes`.
Link read_link(const Image& image, std::string_view bytes) {
    Cursor cursor(bytes, image.widths(), "link");
    cursor.version(1);
    const unsigned flags = cursor.u8();
    require((flags & 0xe0) == 0, "link has flags {:#x}", flags);
    const unsigned type = (flags & 8) != 0 ? cursor.u8() : static_cast<unsigned>(kHardLink);
    Link link;
    if ((flags & 4) != 0) link.creation_order = static_cast<std::int64_t>(cursor.u64());
    if ((flags & 16) != 0) cursor.skip(1);
    link.name = cursor.take(cursor.number(1U << (flags & 3)));
    if (type == kHardLink) {
        link.address = cursor.address();
        return link;
    }
    require(type == kSoftLink || type >= kExternalLink, "link '{}' has type {}", link.name, type);
    const std::string_view target = cursor.take(cursor.u16());
    if (type == kSoftLink) {
        link.kind = Link::Kind::kSoft;
        link.target = target;
    } else if (type == kExternalLink) {
        link.kind = Link::Kind::kExternal;
        Cursor parts(target, image.widths(), "external link");
        require(parts.u8() == 0, "external link '{}' has an unknown version", link.name);
        link.file = parts.text();
        link.target = parts.text();
    } else {
        link.kind = Link::Kind::kUser;
        link.user_type = static_cast<std::uint8_t>(type);
        link.target = target;
    }
    return link;
}

}  // namespace

std::string_view heap_name(std::string_view heap, std::uint64_t offset, std::string_view what) {
    require(offset < heap.size(), "{} at offset {} lies outside of its heap of {} bytes", what, offset, heap.size());
    const std::string_view rest = heap.substr(static_cast<std::size_t>(offset));
    const auto end = rest.find('\0');
    require(end != std::string_view::npos, "{} at offset {} has no end", what, offset);
    return rest.substr(0, end);
}

std::string read_local_heap(const Image& image, std::uint64_t address) {
    const Widths widths = image.widths();
    const std::string bytes = image.bytes(address, 8 + 2 * widths.length_bytes + widths.offset_bytes, "local heap");
    Cursor cursor(bytes, widths, "local heap");
    cursor.signature("HEAP");
    cursor.version(0);
    cursor.skip(3);
    const std::uint64_t size = cursor.length();
    cursor.length();  // first free block
    return image.bytes(cursor.address(), size, "local heap");
}

namespace {

/// One entry of a symbol table node.
Link read_symbol(Cursor& cursor, std::string_view names) {
    Link link;
    link.name = heap_name(names, cursor.length(), "link name");
    link.address = cursor.address();
    const std::uint32_t cached = cursor.u32();
    cursor.skip(4);
    const std::string_view scratch = cursor.take(16);
    if (cached == kCachedSoftLink) {
        link.kind = Link::Kind::kSoft;
        link.address = 0;
        link.target = heap_name(names, little_endian(scratch.substr(0, 4)), "soft link's target");
    }
    return link;
}

void read_symbol_table(const Image& image, const Message& message, LinkList& list) {
    const Widths widths = image.widths();
    Cursor cursor(message.bytes, widths, "symbol table");
    const std::uint64_t tree = cursor.address();
    const std::string names = read_local_heap(image, cursor.address());
    const std::size_t entry_bytes = widths.length_bytes + widths.offset_bytes + 24;
    const std::size_t most = 2 * image.superblock().group_leaf_k;
    Links& links = list.links;
    std::unordered_set<std::uint64_t> nodes;
    walk_btree1(image, tree, Btree1Kind::kGroup, widths.length_bytes, [&](std::string_view, std::uint64_t address) {
        require(nodes.insert(address).second, "symbol node at address {} is met twice", address);
        const std::string head = image.bytes(address, 8, "symbol node");
        Cursor start(head, widths, "symbol node");
        start.signature("SNOD");
        start.version(1);
        start.skip(1);
        const std::size_t count = start.u16();
        require(count <= most, "symbol node at address {} claims {} links and holds {}", address, count, most);
        require(links.size() + count <= image.limits().max_container_entries, "group has too many links");
        const std::string body = image.bytes(address + 8, count * entry_bytes, "symbol node");
        Cursor entry(body, widths, "symbol node");
        for (std::size_t i = 0; i < count; ++i) links.add(read_symbol(entry, names));
    });
}

void read_dense_links(const Image& image, std::uint64_t heap_address, std::uint64_t tree, LinkList& list) {
    FractalHeap heap(image, heap_address);
    walk_btree2(image, tree, Btree2Type::kLinkName, 4 + heap.id_bytes(), [&](std::string_view record) {
        const Link link = read_link(image, heap.get(record.substr(4)));
        require(metadata_checksum(link.name) == little_endian(record.substr(0, 4)),
                "link '{}' is indexed under another name's hash", link.name);
        list.links.add(link);
    });
}

bool is_name(std::string_view name) {
    return !name.empty() && name != "." && name.find('/') == std::string_view::npos &&
           name.find('\0') == std::string_view::npos;
}

/// Whether all names are good and none is there twice; groups may have hundreds of thousands.
bool are_sound(const Links& links) {
    std::vector<std::size_t> hashes;
    hashes.reserve(links.size());
    for (const Link& link : links) {
        if (!is_name(link.name)) return false;
        hashes.push_back(std::hash<std::string_view>()(link.name));
    }
    std::sort(hashes.begin(), hashes.end());
    return std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end();
}

/// A bad name spoils its own link only.
void set_bad_names_aside(LinkList& list) {
    if (are_sound(list.links)) return;
    std::unordered_set<std::string_view> names;
    std::vector<std::uint32_t> sound;
    for (std::uint32_t i = 0; i < list.links.size(); ++i) {
        const Link link = list.links[i];
        if (!is_name(link.name)) {
            list.errors.emplace_back(ErrorCode::kDamaged, fmt::format("'{}' cannot be the name of a link", link.name));
        } else if (!names.insert(link.name).second) {
            list.errors.emplace_back(ErrorCode::kDamaged, fmt::format("a second link has the name '{}'", link.name));
        } else {
            sound.push_back(i);
        }
    }
    list.links.arrange(sound);
}

/// Sorts by what `key` gives, each link moved once.
template <typename Key>
void sort_by(Links& links, const Key& key) {
    using Entry = std::pair<decltype(key(Link())), std::uint32_t>;
    std::vector<Entry> order;
    order.reserve(links.size());
    for (const Link& link : links) order.emplace_back(key(link), static_cast<std::uint32_t>(order.size()));
    if (std::is_sorted(order.begin(), order.end())) return;
    std::sort(order.begin(), order.end());
    std::vector<std::uint32_t> places;
    places.reserve(order.size());
    for (const Entry& entry : order) places.push_back(entry.second);
    order = {};
    links.arrange(places);
}

void sort_links(LinkList& list) {
    if (list.in_creation_order) {
        for (const Link& link : list.links) {
            require(link.creation_order.has_value(), "link '{}' has no creation order, its group keeps one", link.name);
        }
        sort_by(list.links, [](const Link& link) { return *link.creation_order; });
    } else {
        sort_by(list.links, [](const Link& link) { return link.name; });
    }
}

}  // namespace

LinkList read_links(const Image& image, const ObjectHeader& header, LinkOrder order) {
    LinkList list;
    if (const Message* table = header.find(MessageType::kSymbolTable)) {
        read_symbol_table(image, *table, list);
    } else {
        std::uint64_t heap = kUndefinedAddress;
        std::uint64_t tree = kUndefinedAddress;
        if (const Message* info = header.find(MessageType::kLinkInfo)) {
            Cursor cursor(info->bytes, image.widths(), "link info");
            cursor.version(0);
            const unsigned flags = cursor.u8();
            list.in_creation_order = (flags & 1) != 0;
            if (list.in_creation_order) cursor.skip(8);
            heap = cursor.address();
            tree = cursor.address();
        }
        for (const Message& message : header.messages) {
            if (message.type != MessageType::kLink) continue;
            const MessageBody body = message_body(image, message);
            list.links.add(read_link(image, body.bytes));
        }
        if (heap != kUndefinedAddress) read_dense_links(image, heap, tree, list);
    }
    set_bad_names_aside(list);
    if (order == LinkOrder::kUsual) sort_links(list);
    return list;
}

}  // namespace ckpt::h5
