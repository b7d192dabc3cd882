// Which Julia type a value of the model is of.
#pragma once

#include <optional>
#include <unordered_map>

#include "formats/jld2/julia_type.hpp"
#include "formats/jld2/visible.hpp"
#include "libckpt/value.hpp"

namespace ckpt::jld2 {

/// The Julia type of elements of a dtype ("Core.Float32"), or nullptr where Julia has none.
TypePtr element_type(JuliaTypes& types, DType dtype);
/// The dtype of a Julia number type, nullopt for others.
std::optional<DType> dtype_of(TypePtr type);

/// The dtype that elements are written as: bfloat16 as float32, the types that Julia lacks as the integers that hold
/// them.
DType julia_dtype(DType dtype);

/// What a dict is whose keys are all identifiers, where it does not say so itself.
enum class DictsAs : bool { kDicts, kNamedTuples };

/// Julia types of values; each node is looked at once. The type that a list or dict says by its attribute counts only
/// if its items fit: they may have been changed since. Not thread-safe.
class ValueTypes {
public:
    /// What `cuts` says is nothing for Julia.
    explicit ValueTypes(JuliaTypes& types, const Cuts* cuts = nullptr, DictsAs dicts = DictsAs::kDicts)
        : types_(types), cuts_(cuts), dicts_(dicts) {}

    /// A tuple that no Julia type fits (too long, nested too deep, in a ring) is a vector. Core.Any for what Julia
    /// lacks.
    TypePtr type_of(const Value& value) { return type_of(value, 0); }
    /// Whether a tuple is written as one.
    bool is_tuple(const Value& value) { return type_of(value)->is("Core.Tuple"); }
    /// Whether a text key can stand in a Dict with keys of the type String or Symbol.
    static bool is_plain_key(const Value& key);
    /// Whether the text comes back from a file's bytes as it is.
    static bool is_plain_text(std::string_view text);
    /// The type of a NamedTuple with the names and values of a dict.
    TypePtr named_tuple_of(const DictNode& dict) { return named_tuple_of(dict, 0); }

    static constexpr unsigned kMostNested = 30;
    static constexpr std::size_t kMostTupleItems = 256;

private:
    TypePtr type_of(const Value& value, unsigned depth);
    TypePtr named_tuple_of(const DictNode& dict, unsigned depth);
    TypePtr node_type(const Value& value, unsigned depth);
    TypePtr object_type(const Value& value);
    TypePtr attribute_type(const Node& node);
    TypePtr list_type(const Value& list);
    TypePtr tensor_type(const TensorNode& tensor);
    TypePtr dict_type(const Value& dict, unsigned depth);
    bool fits(const Value& value, TypePtr type);

    JuliaTypes& types_;
    const Cuts* cuts_;
    DictsAs dicts_;
    Pool scratch_;
    std::unordered_map<const Node*, TypePtr> known_;
};

}  // namespace ckpt::jld2
