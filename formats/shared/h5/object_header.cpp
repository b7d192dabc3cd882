// Object headers of versions 1 and 2. Facts: hdf5.md, 3 and 14.
#include "formats/shared/h5/object_header.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "formats/shared/h5/fractal_heap.hpp"

namespace ckpt::h5 {
namespace {

constexpr unsigned kSharedFlag = 2;
constexpr unsigned kMustUnderstandFlag = 128;
constexpr unsigned kLastKnownMessage = 0x18;

/// Reads blocks in the order in which their continuations are met; a block may not overlap one that was read.
class HeaderReader {
public:
    HeaderReader(const Image& image, std::uint64_t address) : image_(image) { header_.address = address; }

    ObjectHeader run() {
        std::array<char, 4> signature = {};
        image_.read(header_.address, std::as_writable_bytes(std::span(signature)), "object header");
        header_.messages.reserve(8);
        if (std::string_view(signature.data(), signature.size()) == "OHDR") {
            read_version_2();
        } else {
            read_version_1();
        }
        return std::move(header_);
    }

private:
    struct Block {
        std::uint64_t address;
        std::uint64_t size_bytes;
    };

    void read_version_1() {
        const std::string start = image_.bytes(header_.address, 16, "object header");
        Cursor cursor(start, image_.widths(), "object header");
        const unsigned version = cursor.u8();
        require(version == 1, "object header at address {} has version {}, or there is none", header_.address, version);
        cursor.skip(1);
        const std::size_t count = cursor.u16();
        header_.reference_count = cursor.u32();
        add_block(header_.address + 16, cursor.u32());
        std::size_t met = 0;
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            const std::string& bytes =
                keep(image_.bytes(blocks_[i].address, blocks_[i].size_bytes, "object header block"));
            Cursor block(bytes, image_.widths(), "object header block");
            while (block.left() >= 8 && met < count) {
                const unsigned type = block.u16();
                const unsigned size = block.u16();
                const unsigned flags = block.u8();
                block.skip(3);
                require(size % 8 == 0, "object header message {:#x} has {} bytes, no multiple of 8", type, size);
                ++met;
                add_message(type, flags, std::nullopt, block.take(size));
            }
        }
    }

    void read_version_2() {
        const std::uint64_t at = header_.address;
        std::array<char, 40> head = {};
        const std::string_view start(head.data(), static_cast<std::size_t>(image_.available(at, head.size())));
        image_.read(at, std::as_writable_bytes(std::span(head)).first(start.size()), "object header");
        Cursor cursor(start, image_.widths(), "object header");
        cursor.signature("OHDR");
        cursor.version(2);
        const unsigned flags = cursor.u8();
        require((flags & 0xc0) == 0, "object header at address {} has flags {:#x}", at, flags);
        if ((flags & 32) != 0) cursor.skip(16);
        if ((flags & 16) != 0) cursor.skip(4);
        header_.tracks_attribute_order = (flags & 4) != 0;
        const std::uint64_t size = cursor.number(1U << (flags & 3));
        const std::size_t prefix = cursor.position();
        require(size <= kMaxHeaderBytes, "object header of {} bytes is over the limit of {}", size, kMaxHeaderBytes);
        add_block(at, prefix + size + 4);
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            const auto [address, block_bytes] = blocks_[i];
            const std::string& bytes = keep(image_.bytes(address, block_bytes, "object header block"));
            Cursor whole(bytes, image_.widths(), "object header");
            require(block_bytes >= 8, "object header continuation of {} bytes", block_bytes);
            whole.skip(block_bytes - 4);
            whole.checksum();
            Cursor block(std::string_view(bytes).substr(0, bytes.size() - 4), image_.widths(), "object header block");
            if (i == 0) {
                block.skip(prefix);
            } else {
                block.signature("OCHK");
            }
            read_messages_2(block);
        }
    }

    void read_messages_2(Cursor& block) {
        const std::size_t frame = header_.tracks_attribute_order ? 6 : 4;
        while (block.left() >= frame) {
            const unsigned type = block.u8();
            const unsigned size = block.u16();
            const unsigned flags = block.u8();
            std::optional<std::uint16_t> order;
            if (header_.tracks_attribute_order) order = block.u16();
            add_message(type, flags, order, block.take(size));
        }
    }

    const std::string& keep(std::string bytes) { return header_.blocks.emplace_front(std::move(bytes)); }

    void add_block(std::uint64_t address, std::uint64_t size_bytes) {
        require(size_bytes <= kMaxHeaderBytes, "object header block of {} bytes is over the limit of {}", size_bytes,
                kMaxHeaderBytes);
        image_.check(address, size_bytes, "object header block");
        for (const Block& block : blocks_) {
            require(address + size_bytes <= block.address || address >= block.address + block.size_bytes,
                    "object header block at address {} overlaps the one at {}", address, block.address);
        }
        blocks_.push_back({address, size_bytes});
        require(blocks_.size() <= kMaxContinuations, "object header has more than {} continuations", kMaxContinuations);
    }

    void add_message(unsigned type, unsigned flags, std::optional<std::uint16_t> order, std::string_view bytes) {
        require(++message_count_ <= kMaxMessages, "object header has more than {} messages", kMaxMessages);
        if (type > kLastKnownMessage) {
            if ((flags & kMustUnderstandFlag) != 0) {
                throw_error(ErrorCode::kUnsupported, "object header message {:#x} is unknown and must be understood",
                            type);
            }
            return;
        }
        const auto kind = static_cast<MessageType>(type);
        if (kind == MessageType::kNull) return;
        if (kind == MessageType::kContinuation) {
            Cursor cursor(bytes, image_.widths(), "continuation");
            const std::uint64_t address = cursor.address();
            add_block(address, cursor.length());
            return;
        }
        if (kind == MessageType::kReferenceCount && bytes.size() >= 5) {
            header_.reference_count = static_cast<std::uint32_t>(little_endian(bytes.substr(1, 4)));
        }
        header_.messages.push_back({kind, (flags & kSharedFlag) != 0, order, bytes});
    }

    const Image& image_;
    ObjectHeader header_;
    std::vector<Block> blocks_;
    std::size_t message_count_ = 0;
};

}  // namespace

const Message* ObjectHeader::find(MessageType type) const noexcept {
    const auto found =
        std::find_if(messages.begin(), messages.end(), [type](const Message& m) { return m.type == type; });
    return found == messages.end() ? nullptr : &*found;
}

ObjectHeader read_object_header(const Image& image, std::uint64_t address) {
    return HeaderReader(image, address).run();
}

std::string shared_heap_object(const Image& image, MessageType type, std::string_view id) {
    const auto& heaps = image.shared_heaps();
    const auto found = std::find_if(heaps.begin(), heaps.end(), [type](const SharedHeap& heap) {
        return (heap.types >> static_cast<unsigned>(type) & 1) != 0;
    });
    require(found != heaps.end(), "message of type {:#x} is shared, but no heap has such messages",
            static_cast<unsigned>(type));
    return std::string(FractalHeap(image, found->address).get(id));
}

MessageBody shared_body(const Image& image, MessageType type, std::string_view record) {
    Cursor cursor(record, image.widths(), "shared message");
    const unsigned version = cursor.u8();
    require(version >= 1 && version <= 3, "shared message has version {}", version);
    const unsigned kind = cursor.u8();
    if (version == 1) {
        cursor.skip(6);
        cursor.length();
    } else if (version == 3 && kind == 1) {
        const auto copy = std::make_shared<const std::string>(shared_heap_object(image, type, cursor.take(8)));
        return {*copy, false, 0, nullptr, copy};
    } else {
        require(version == 2 || kind == 2, "shared message has kind {}", kind);
    }
    require(type == MessageType::kDatatype, "shared message of type {:#x}: only datatypes are shared by objects",
            static_cast<unsigned>(type));
    const std::uint64_t address = cursor.address();
    auto header = std::make_shared<const ObjectHeader>(read_object_header(image, address));
    const Message* message = header->find(type);
    require(message != nullptr, "named datatype at address {} has no datatype", address);
    require(!message->is_shared, "named datatype at address {} is itself shared", address);
    return {message->bytes, true, address, std::move(header)};
}

MessageBody message_body(const Image& image, const Message& message) {
    if (!message.is_shared) return {message.bytes, false, 0};
    return shared_body(image, message.type, message.bytes);
}

}  // namespace ckpt::h5
