// Which Julia type a value of the model is of.
#pragma once

#include <optional>
#include <unordered_map>

#include "formats/jld2/julia_type.hpp"
#include "libckpt/value.hpp"

namespace ckpt::jld2 {

/// The Julia type of elements of a dtype ("Core.Float32"), or nullptr where Julia has none.
TypePtr element_type(JuliaTypes& types, DType dtype);
/// The dtype of a Julia number type, nullopt for others.
std::optional<DType> dtype_of(TypePtr type);

/// Julia types of values; each node is looked at once. Not thread-safe.
class ValueTypes {
public:
    explicit ValueTypes(JuliaTypes& types) : types_(types) {}

    /// Core.Any where Julia has no type for the value, and for tuples nested deeper than kMostNested.
    TypePtr type_of(const Value& value) { return type_of(value, 0); }
    /// The type of a NamedTuple with the names and values of a dict.
    TypePtr named_tuple_of(const DictNode& dict) { return named_tuple_of(dict, 0); }

    static constexpr unsigned kMostNested = 100;

private:
    TypePtr type_of(const Value& value, unsigned depth);
    TypePtr named_tuple_of(const DictNode& dict, unsigned depth);
    TypePtr node_type(const Value& value, unsigned depth);
    TypePtr object_type(const Value& value);
    TypePtr attribute_type(const Node& node);

    JuliaTypes& types_;
    std::unordered_map<const Node*, TypePtr> known_;
};

}  // namespace ckpt::jld2
