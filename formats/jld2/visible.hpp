// What Julia sees of values that it has no type for, and where cycles are cut for it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt::jld2 {

/// A value of a Julia type: a struct, `missing`, a function, a type, an unassigned slot.
bool is_julia_object(const Value& value);

struct VisibleField {
    std::string name;
    Value value;
    std::size_t index = ~std::size_t{0};  ///< among the object's children; of none: what its class says
};
/// The fields of the NamedTuple that an object of another language is written as: `__type__`, then its parts by name.
std::vector<VisibleField> visible_fields(Pool& scratch, const Value& object);

/// A name that a field can have without quotes.
bool is_identifier(std::string_view text);

/// Items of lists and tuples, values of dicts (by their index) that lead back to a container around them. JLD2.jl can
/// load a ring only if a mutable struct is part of it.
class Cuts {
public:
    /// Looks through everything that Julia is going to see.
    explicit Cuts(const Value& root);

    bool has(const Node* node, std::size_t index) const;
    /// The indices of one node, or nullptr.
    const std::unordered_set<std::size_t>* of(const Node* node) const;
    bool empty() const noexcept { return cuts_.empty(); }
    /// How many times a node is referred to.
    std::size_t uses(const Node* node) const;

private:
    std::unordered_map<const Node*, std::unordered_set<std::size_t>> cuts_;
    std::unordered_map<const Node*, std::size_t> uses_;
};

}  // namespace ckpt::jld2
