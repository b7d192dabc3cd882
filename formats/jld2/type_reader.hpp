// Julia types as a file has them: committed datatypes, and datasets whose values are types.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/jld2/julia_type.hpp"
#include "formats/shared/h5/h5.hpp"

namespace ckpt::jld2 {

/// A named datatype of the file (README: "Types").
struct CommittedType {
    h5::DatatypePtr datatype;
    TypePtr julia = nullptr;    ///< nullptr: a named datatype that says nothing of Julia
    TypePtr written = nullptr;  ///< what its values were turned into to be written, where they were
    /// One per member of a compound: address of the member's own named datatype, 0 where it has none.
    std::vector<std::uint64_t> member_types;
    struct Field {
        std::string name;
        std::uint64_t type = 0;  ///< address, or 0
    };
    std::vector<Field> fields;  ///< all fields of the Julia type, in order; empty where the file does not say them
};

/// Reads types and keeps them. Throws Error (kDamaged) for types that contain themselves and for what is none. Not
/// thread-safe.
class TypeReader {
public:
    TypeReader(const h5::H5File& file, JuliaTypes& types) : file_(file), types_(types) {}

    JuliaTypes& types() noexcept { return types_; }
    /// The named datatype at an address.
    const CommittedType& committed(std::uint64_t address);
    /// The type that an object stands for: a named datatype, or a dataset whose value is a type.
    TypePtr type_at(std::uint64_t address);
    /// The type that an element {name, parameters}, {description, datatypes, unionalls}, {var, body} or {name, lb, ub}
    /// of the type `kind` says; nullptr if `kind` is none of these.
    TypePtr type_value(const CommittedType& kind, std::string_view element);

private:
    struct Entered;
    std::string text(const h5::Datatype& type, std::string_view element) const;
    std::vector<std::uint64_t> references(const h5::Datatype& type, std::string_view element) const;
    std::vector<std::uint64_t> references(const h5::Attribute& attribute) const;
    TypePtr data_type(const h5::Datatype& type, std::string_view element);
    TypePtr read_type_at(std::uint64_t address);
    TypeParameter parameter(std::uint64_t address);
    TypeParameter element_parameter(const h5::Datatype& type, const CommittedType* committed, std::string_view element);
    TypeParameter value_without_bytes(TypePtr type);
    TypeParameter array_parameter(std::uint64_t address);

    const h5::H5File& file_;
    JuliaTypes& types_;
    std::unordered_map<std::uint64_t, std::unique_ptr<CommittedType>> committed_;
    std::unordered_map<std::uint64_t, TypePtr> values_;  ///< nullptr while they are read
    unsigned depth_ = 0;
};

}  // namespace ckpt::jld2
