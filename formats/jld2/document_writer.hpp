// Values as objects of a file: each node once, references between them, so that nothing recurses over data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "formats/jld2/file_writer.hpp"
#include "formats/jld2/notes.hpp"
#include "formats/jld2/type_writer.hpp"
#include "formats/jld2/value_types.hpp"
#include "formats/jld2/visible.hpp"
#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/format.hpp"

namespace ckpt::jld2 {

/// One use; not thread-safe.
class DocumentWriter {
public:
    DocumentWriter(const Document& document, const WriteOptions& options, const Context& context);

    WritePlan plan();

private:
    struct Task {
        Value value;
        ObjectId id;
    };
    /// Fields of one struct, tuple or pair: what their types are, and their bytes.
    struct Fields {
        Members members;
        Data data;
        FieldTypes all;  ///< stored or not; empty where all are stored
    };
    enum class Unstored : bool { kNever, kWithoutData };
    enum class DictForm : bool { kPairs, kShared };

    // document_writer.cpp
    ObjectId object_of(const Value& value);
    ObjectId root_object();
    void fill_group(const Value& dict, ObjectId id, bool is_root);
    bool is_group(const Value& value) const;
    void write(const Task& task);
    void write_scalar(const Value& value, ObjectId id, std::vector<AttributeSpec> attributes);
    void write_text(const Value& value, ObjectId id, std::vector<AttributeSpec> attributes);
    void write_object(const Value& value, ObjectId id, std::vector<AttributeSpec> attributes);
    void write_tensor(const TensorNode& tensor, ObjectId id, std::vector<AttributeSpec> attributes);
    void write_bits(const TensorNode& tensor, TypePtr type, ObjectId id, std::vector<AttributeSpec> attributes);
    void write_empty(TypePtr type, ObjectId id, std::vector<AttributeSpec> attributes);
    void write_fields(TypePtr type, TypePtr written, const Fields& fields, ObjectId id,
                      std::vector<AttributeSpec> attributes);
    std::vector<AttributeSpec> note_attributes(const Value& value);
    void say_what_changes();
    bool is_copied(const Value& value);

    // document_writer_containers.cpp
    void write_list(const Value& list, ObjectId id, std::vector<AttributeSpec> attributes);
    bool write_list_in_place(const std::vector<Value>& items, TypePtr element, ObjectId id, const Space& space,
                             std::vector<AttributeSpec>& attributes);
    void write_references(const std::vector<Value>& items, TypePtr element, ObjectId id, const Space& space,
                          std::vector<AttributeSpec> attributes, const Node* holder);
    void write_dict(const Value& dict, ObjectId id, std::vector<AttributeSpec> attributes);
    DictForm dict_form(const Node& node) const;
    ObjectId dict_object(TypePtr type, const std::vector<std::pair<Value, Value>>& entries, const Node* holder,
                         DictForm form, ObjectId id, std::vector<AttributeSpec> attributes);
    void write_set(const Value& set, ObjectId id, std::vector<AttributeSpec> attributes);
    Fields tuple_fields(const Value& tuple);
    Fields named_tuple_fields(const DictNode& dict, TypePtr type);
    Fields struct_fields(const Value& object);
    void add_field(Fields& fields, const std::string& name, const Value& value, Unstored unstored);
    bool add_in_place(Fields& fields, const std::string& name, const Value& value);
    bool is_without_bytes(const Value& value);
    bool add_number(Data& data, const Value& value, DType dtype);
    void add_wide_integer(Data& data, const Value& value, TypePtr type);
    Value part(const Node* holder, std::size_t index, const Value& value) const;

    const Document& document_;
    const WriteOptions& options_;
    const Context& context_;
    Pool scratch_;
    JuliaTypes types_;
    Cuts cuts_;
    ValueTypes value_types_;
    NoteWriter notes_;
    FileWriter file_;
    TypeWriter type_writer_;
    std::unordered_map<const Node*, ObjectId> objects_;
    std::vector<Task> tasks_;
    ObjectId nothing_ = kNoObject;
    std::unordered_set<ObjectId> groups_;
    std::vector<std::pair<std::string, ObjectId>> root_links_;
    std::vector<AttributeSpec> root_attributes_;
    ObjectId types_group_ = kNoObject;
};

}  // namespace ckpt::jld2
