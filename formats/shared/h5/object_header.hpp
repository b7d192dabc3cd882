// Object headers: the messages that an object is made of.
#pragma once

#include <cstdint>
#include <forward_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/shared/h5/image.hpp"

namespace ckpt::h5 {

enum class MessageType : std::uint8_t {
    kNull = 0x00,
    kDataspace = 0x01,
    kLinkInfo = 0x02,
    kDatatype = 0x03,
    kOldFillValue = 0x04,
    kFillValue = 0x05,
    kLink = 0x06,
    kExternalFiles = 0x07,
    kLayout = 0x08,
    kGroupInfo = 0x0a,
    kFilters = 0x0b,
    kAttribute = 0x0c,
    kSharedMessageTable = 0x0f,
    kContinuation = 0x10,
    kSymbolTable = 0x11,
    kTreeWidths = 0x13,
    kDriverInfo = 0x14,
    kAttributeInfo = 0x15,
    kReferenceCount = 0x16,
    kFileSpace = 0x17,
    kCacheImage = 0x18,
};

struct Message {
    MessageType type = MessageType::kNull;
    bool is_shared = false;  ///< `bytes` say where the message is
    std::optional<std::uint16_t> creation_order;
    std::string_view bytes;  ///< as long as the header is there
};

/// All messages of one object, in the order of its blocks; null messages are left out.
struct ObjectHeader {
    std::uint64_t address = 0;
    std::uint32_t reference_count = 1;
    bool tracks_attribute_order = false;
    std::vector<Message> messages;
    std::forward_list<std::string> blocks;  ///< what the messages look into; moving a header does not move them

    ObjectHeader() = default;
    ObjectHeader(ObjectHeader&&) = default;
    ObjectHeader& operator=(ObjectHeader&&) = default;
    ObjectHeader(const ObjectHeader&) = delete;
    ObjectHeader& operator=(const ObjectHeader&) = delete;

    /// The first message of a type, or nullptr.
    const Message* find(MessageType type) const noexcept;
};

/// A message's own bytes, wherever they were.
struct MessageBody {
    std::string_view bytes;               ///< as long as this and the message are there
    bool is_committed = false;            ///< taken from a named datatype
    std::uint64_t committed_address = 0;  ///< that datatype's
    std::shared_ptr<const ObjectHeader> owner = nullptr;
    std::shared_ptr<const std::string> copy = nullptr;  ///< of the shared-message heap
};

/// Reads both versions, with continuations. Throws Error (kDamaged).
ObjectHeader read_object_header(const Image& image, std::uint64_t address);

/// A message in the heap that messages of its type are shared in. Throws Error (kDamaged).
std::string shared_heap_object(const Image& image, MessageType type, std::string_view id);
/// Follows a shared message. Throws Error (kDamaged).
MessageBody message_body(const Image& image, const Message& message);
/// The same for a record inside an attribute.
MessageBody shared_body(const Image& image, MessageType type, std::string_view record);

}  // namespace ckpt::h5
