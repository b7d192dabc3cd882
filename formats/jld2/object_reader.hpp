// Objects of a file as values: each once, filled after it was made, so that nothing recurses over references.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "formats/jld2/julia_type.hpp"
#include "formats/jld2/type_reader.hpp"
#include "formats/shared/h5/h5.hpp"
#include "libckpt/document.hpp"

namespace ckpt::jld2 {

/// What JLD2 and ckpt say beside a dataset or a group.
struct ObjectNotes {
    std::optional<std::vector<std::int64_t>> dimensions;  ///< Julia's order
    std::uint64_t element_type = 0;                       ///< `julia_type` of an array of references
    std::string kind, type;                               ///< `ckpt:kind`, `ckpt:type`
    std::string root;                                     ///< `ckpt:root`, of the root group
    std::uint64_t more = 0;                               ///< `ckpt:more`
    std::uint64_t keys = 0;                               ///< `ckpt:keys`, of a group
};

/// Not thread-safe; what it makes refers to the file, not to the reader.
class ObjectReader {
public:
    ObjectReader(std::shared_ptr<const h5::H5File> file, std::string file_name, Document& document,
                 const Context& context);

    /// The root group, with everything below it. Damage in a part is noted in the document, in whose place stands an
    /// object of the type kDamagedType.
    Value read_root();

    /// A node that ckpt's own notes say more of.
    struct Noted {
        Node* node = nullptr;
        std::string kind, type;
        Value more;
        std::string path;
    };
    const std::vector<Noted>& noted() const noexcept { return noted_; }

private:
    /// Where an object was met first; paths are put together when somebody needs one.
    struct Place {
        std::size_t parent;
        std::string name;
    };
    /// How the bytes of an element become a value.
    enum class Form : std::uint8_t {
        kSimple,  ///< numbers, texts, references, types: at once
        kTuple,
        kNamedTuple,
        kDict,
        kSet,
        kBits,
        kCustom,  ///< a value of another type was written instead
        kStruct,
        kGroup,
        kList,
    };
    struct Task {
        Form form;
        std::size_t place;
        std::shared_ptr<const h5::Object> object;
        h5::Dataset dataset;
        const CommittedType* type;
        Value value;
        ObjectNotes notes;
    };
    struct PendingKeys {
        DictNode* dict;
        Value keys;
        std::size_t place;
    };
    struct PendingSet {
        SequenceNode* set;
        Value dict;
    };

    // object_reader.cpp
    std::string path_of(std::size_t place) const;
    std::size_t add_place(std::size_t parent, std::string name);
    template <typename Work>
    void keep_damage(std::size_t place, Work work);
    void count_items(std::uint64_t count);
    Value value_at(std::uint64_t address, std::size_t parent, std::string name);
    Value object_value(std::uint64_t address, std::size_t place);
    Value dataset_value(std::shared_ptr<const h5::Object> object, std::size_t place);
    Value null_value(const h5::Dataset& dataset, const CommittedType* type, const ObjectNotes& notes);
    Value array_value(const h5::Dataset& dataset, const CommittedType* type, const ObjectNotes& notes,
                      std::size_t place);
    ObjectNotes read_notes(const h5::Object& object, std::size_t place);
    void add_noted(Value& value, const ObjectNotes& notes, std::size_t place);
    const CommittedType* committed_type(const h5::Dataset& dataset);
    void finish(const Task& task);
    void fill_group(const Task& task);
    void fill_list(const Task& task);
    void fill_bits(TensorNode& tensor, const h5::Datatype& type, const CommittedType& committed,
                   std::string_view element, std::size_t place);
    void fill_dict(DictNode& dict, std::uint64_t pairs, bool has_symbol_keys, std::size_t place);
    void fill_tuple_from_array(SequenceNode& tuple, std::uint64_t address, std::size_t place);
    void set_dims(Node& list, const std::vector<std::int64_t>& dims);
    void name_types();

    // element_reader.cpp
    Form form_of(const h5::Datatype& type, const CommittedType* committed) const;
    Value shell(Form form, const CommittedType* committed);
    Value set_of(const h5::Datatype& type, const CommittedType* committed, std::string_view element);
    void fill(Form form, Value value, const h5::Datatype& type, const CommittedType* committed,
              std::string_view element, std::size_t place);
    Value element(const h5::Datatype& type, const CommittedType* committed, std::string_view bytes, std::size_t place,
                  std::string_view name);
    Value simple(const h5::Datatype& type, const CommittedType* committed, std::string_view bytes, std::size_t place,
                 std::string_view name);
    Value union_element(const h5::Datatype& type, const CommittedType& committed, std::string_view bytes,
                        std::size_t place, std::string_view name);
    Value text_value(const h5::Datatype& type, const CommittedType* committed, std::string_view bytes);
    std::optional<Value> member(const h5::Datatype& type, const CommittedType* committed, std::string_view name,
                                std::string_view element, std::size_t place);
    std::uint64_t member_reference(const h5::Datatype& type, std::string_view name, std::string_view element) const;
    void fill_custom(Value value, const h5::Datatype& type, const CommittedType& committed, std::string_view element,
                     std::size_t place);
    void fill_struct(Value value, const h5::Datatype& type, const CommittedType* committed, std::string_view element,
                     std::size_t place);
    void fill_named_tuple(DictNode& dict, const h5::Datatype& type, const CommittedType* committed,
                          std::string_view element, std::size_t place);
    const CommittedType& written_form(const CommittedType& committed);
    Value singleton(TypePtr type, unsigned depth = 0);
    Value julia_object(TypePtr type, Recipe::How how);
    Value name_object(std::string_view type, std::string callable);
    Value type_object(TypePtr type) { return name_object("Core.DataType", JuliaTypes::text(type)); }
    Value undef();
    void set_type(Node& node, TypePtr type);

    Pool& pool() { return document_.pool(); }

    std::shared_ptr<const h5::H5File> file_;
    std::string file_name_;
    Document& document_;
    const Context& context_;
    JuliaTypes types_;
    TypeReader type_reader_;
    std::vector<Place> places_;
    std::unordered_map<std::uint64_t, Value> met_;
    std::unordered_map<const CommittedType*, std::unique_ptr<CommittedType>> written_forms_;
    std::vector<Task> tasks_;
    std::vector<PendingSet> sets_;
    std::unordered_map<std::uint64_t, Value> sets_by_dict_;  ///< equal for Julia as well: a Set is its Dict
    std::unordered_set<const Node*> shareable_;              ///< dicts that JLD2 loads as one, and sets of them
    std::unordered_set<const Node*> met_again_;
    std::unordered_set<const Node*> filled_sets_;
    std::vector<PendingKeys> keys_;
    std::vector<std::pair<DictNode*, TypePtr>> named_tuples_;
    std::vector<Noted> noted_;
    std::vector<std::pair<std::size_t, std::uint64_t>> more_;  ///< of noted_: addresses still to be read
    Value undef_;
    std::uint64_t items_ = 0;
    std::uint64_t most_items_ = 0;
};

}  // namespace ckpt::jld2
