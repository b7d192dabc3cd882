// Small values as JSON text, for attributes that hold what is neither number nor tensor (formats/hdf5/README.md:
// "Values as text").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// Where a value stands that its text only refers to.
struct ValueReference {
    enum class Where : std::uint8_t { kAsideValue, kMember } where = Where::kAsideValue;
    std::uint64_t number = 0;  ///< kAsideValue
    std::string link;          ///< kMember: of a member of the object itself
};

class ValueTextWriter {
public:
    /// `is_shared` says whether a node is met anywhere else; such nodes keep their identity only outside of a text.
    /// `set_aside` takes a value that has no text and returns where it stands now.
    ValueTextWriter(std::function<bool(const Node&)> is_shared, std::function<ValueReference(Value)> set_aside)
        : is_shared_(std::move(is_shared)), set_aside_(std::move(set_aside)) {}

    /// JSON of a value, or of a reference to it.
    std::string text(Value value) const;
    /// JSON of a list of keys.
    std::string list(const std::vector<Value>& values) const;
    /// JSON of named values.
    std::string object(const std::vector<std::pair<std::string, Value>>& members) const;
    /// JSON of how a node is made again. With `links`, its parts are referred to as members of the object.
    std::string recipe(const Recipe& recipe, bool parts_are_links) const;

private:
    std::function<bool(const Node&)> is_shared_;
    std::function<ValueReference(Value)> set_aside_;
};

/// The way back. Throws Error (kDamaged) for text that is no such JSON.
class ValueTextReader {
public:
    /// `resolve` gives the value that a reference means, `key` the text node of a dict's key.
    ValueTextReader(Pool& pool, std::function<Value(const ValueReference&)> resolve,
                    std::function<Value(const std::string&)> key)
        : pool_(pool), resolve_(std::move(resolve)), key_(std::move(key)) {}

    Value value(std::string_view text) const;
    std::vector<Value> list(std::string_view text) const;
    std::vector<std::pair<std::string, Value>> object(std::string_view text) const;
    Recipe recipe(std::string_view text) const;

private:
    Pool& pool_;
    std::function<Value(const ValueReference&)> resolve_;
    std::function<Value(const std::string&)> key_;
};

}  // namespace ckpt
