// The pickled dataclasses of torch.distributed.checkpoint in little memory: there are three for each chunk.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "formats/shared/pickle/pickle.hpp"
#include "libckpt/size_list.hpp"
#include "libckpt/value.hpp"

namespace ckpt::dcp {

/// Texts, each once, by their numbers.
class Names {
public:
    std::uint32_t number(std::string_view text);
    std::optional<std::uint32_t> find(std::string_view text) const;
    const std::string& text(std::uint32_t number) const { return texts_[number]; }

private:
    std::deque<std::string> texts_;
    std::unordered_map<std::string_view, std::uint32_t> numbers_;  // of `texts_`
};

/// A ChunkStorageMetadata, MetadataIndex or _StorageInfo whose attributes are what they should be. One with others is
/// an object like any other, with its recipe.
struct Record : ObjectNode {
    bool is_set = false;
};
struct ChunkRecord : Record {
    SizeList offsets, sizes;
};
struct IndexRecord : Record {
    std::uint32_t name = 0;
    bool has_offsets = false;
    SizeList offsets;
};
struct PlaceRecord : Record {
    std::uint32_t file = 0;
    std::uint64_t offset_bytes = 0, length_bytes = 0;
    Value transforms;
};

/// What the records of all files refer to.
struct Records {
    Names names;
};

/// nullptr for another kind of record, one without attributes, and all else.
template <typename T>
const T* record_of(const Value& value) {
    if (!value.is(Kind::kObject) || value.node()->recipe) return nullptr;
    const auto* record = dynamic_cast<const T*>(value.node());
    return record != nullptr && record->is_set ? record : nullptr;
}

/// Makes records, and of torch.Size the plain tuple that it is; all else stays inert. A stream may not come to much
/// more than what torch writes in so many bytes.
class RecordHooks final : public PickleReaderHooks {
public:
    explicit RecordHooks(Records& records) : records_(records) {}
    Node* construct(Pool& pool, std::unique_ptr<Recipe>& recipe) override;
    bool build(Pool& pool, Node& target, Value state) override;
    bool is_done_with_arguments() const override { return true; }
    PickleBounds bounds(std::uint64_t stream_bytes) const override;

    /// Whether getattr is called for anything but what early Pythons 3.11 make of an enum's member.
    bool is_getattr_odd() const noexcept { return is_getattr_odd_; }

private:
    bool fill(Node& target, const DictNode& state);

    Records& records_;
    bool is_getattr_odd_ = false;
};

/// The last component of a class's name, where its module is torch's for this; else empty (README: "The metadata").
std::string_view class_name(std::string_view type);
std::string_view class_name(const Value& value);
/// A class that is only named.
std::string global_name(const Value& value);

std::string kind_text(const Value& value);
std::string number_text(const Value& value);
/// The attributes that were set on an instance: those of its class with this name. These throw Error (kDamaged).
const DictNode& fields(const Value& value, std::string_view name);
Value field(const DictNode& dict, std::string_view name, std::string_view owner);
/// Wants a dict: nullptr where torch wrote none.
const DictNode* dict_field(const DictNode& dict, std::string_view name);
SizeList size_numbers(const Value& value, std::string_view what);

}  // namespace ckpt::dcp
