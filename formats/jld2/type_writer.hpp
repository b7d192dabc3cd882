// Julia types in a file that is being written: committed types, and datasets whose values are types.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "formats/jld2/file_writer.hpp"
#include "formats/jld2/julia_type.hpp"

namespace ckpt::jld2 {

using Members = std::vector<std::pair<std::string, TypeMessage>>;

/// All fields of a struct in order, each with its committed type or kNoObject.
using FieldTypes = std::vector<std::pair<std::string, ObjectId>>;

/// Commits types and writes types as values, each once. Types are committed as JLD2 0.4 does, which later versions read
/// as well. Not thread-safe.
class TypeWriter {
public:
    TypeWriter(FileWriter& file, JuliaTypes& types) : file_(file), types_(types) {}

    /// A dataset whose value is the type.
    ObjectId type_value(TypePtr type);
    /// Elements of a datatype that are values of a Julia type; `written` is what was written instead, or nullptr.
    TypeMessage commit(TypePtr julia, TypePtr written, const TypeMessage& datatype);
    /// The same for a compound. `all` are the fields where not all of them are members.
    TypeMessage commit(TypePtr julia, TypePtr written, const Members& members, const FieldTypes& all = {});
    /// A type whose values need no bytes.
    TypeMessage commit_empty(TypePtr julia, TypePtr written = nullptr);
    /// A type in place: {name, parameters}.
    TypeMessage data_type();
    Data data_type_element(TypePtr type);
    /// A Symbol, in the heap.
    TypeMessage symbol();
    Data symbol_data(std::string_view text);

    /// The committed types by their names in `_types`.
    std::vector<std::pair<std::string, ObjectId>> links() const;

private:
    /// A parameter that is a value; without a type it needs no bytes.
    struct Element {
        TypePtr julia;
        std::optional<TypeMessage> type;
        Data data;
    };

    TypeMessage commit_new(const std::string& key, TypePtr julia, TypePtr written, TypeMessage datatype,
                           std::vector<AttributeSpec> attributes);
    AttributeSpec type_attribute(std::string name, TypePtr type);
    ObjectId parameter(const TypeParameter& parameter);
    ObjectId new_type_value(TypePtr type);
    ObjectId scalar(const TypeMessage& type, const Data& data);
    ObjectId empty(TypePtr type);
    Element element(const TypeParameter& parameter);

    FileWriter& file_;
    JuliaTypes& types_;
    std::vector<ObjectId> committed_;
    std::unordered_map<std::string, TypeMessage> by_key_;
    std::unordered_map<TypePtr, ObjectId> values_;
    std::map<std::pair<TypePtr, std::string>, ObjectId> bound_values_;  ///< of types with variables, by their scope
    std::vector<std::pair<std::string, ObjectId>> variables_;           ///< in scope, innermost last
    std::unordered_map<std::string, ObjectId> parameters_;
};

/// Whether a variable stands in the type, be it bound there or not.
bool has_variables(TypePtr type);
/// Of numbers of all widths, Bool, and Complex.
TypeMessage number_message(TypeWriter& writer, TypePtr type);
/// Whether the type can be written: a parameter that has no text is lost.
bool is_writable(TypePtr type);

}  // namespace ckpt::jld2
