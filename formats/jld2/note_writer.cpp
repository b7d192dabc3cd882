// What has to be said beside Julia's value so that the very node comes back.
#include <algorithm>

#include "formats/jld2/names.hpp"
#include "formats/jld2/notes.hpp"
#include "formats/shared/h5/dtypes.hpp"
#include "formats/shared/views/views.hpp"
#include "libckpt/meaning.hpp"
#include "libckpt/walk.hpp"

namespace ckpt::jld2 {
namespace {

/// The class that a number has when it is read from a file.
std::string read_type(const Value& value, TypePtr type) {
    const auto dtype = dtype_of(type);
    if (!dtype) return std::string(value.type());  // a wide integer says its class by its Julia type
    if (*dtype == DType::kComplex32) return JuliaTypes::text(type);
    const bool is_pythons = *dtype == DType::kBool || *dtype == DType::kFloat64 || *dtype == DType::kInt64 ||
                            *dtype == DType::kComplex128 || (*dtype == DType::kUInt64 && !value.as_int64());
    return is_pythons ? "" : h5::numpy_scalar_name(*dtype);
}

bool is_own_attribute(std::string_view name) {
    return name == kTypeAttribute || name == kDimsAttribute || name == kGroupAttribute || name == kUnstoredAttribute;
}

}  // namespace

void NoteWriter::survey(const Value& root) {
    constexpr std::size_t kMostDepth = 100000;
    walk(
        root,
        [&](const Visit& visit) {
            if (visit.same_as == nullptr && visit.value.is(Kind::kTensor) && visit.value.tensor().storage)
                ++storages_[visit.value.tensor().storage.get()];
            return WalkStep::kInto;
        },
        kMostDepth);
}

Value& NoteWriter::more(Note& note) {
    if (note.more.is_null()) note.more = scratch_.dict();
    return note.more;
}

void NoteWriter::put(Note& note, std::string_view key, Value value) {
    more(note).dict().entries.emplace_back(scratch_.string(std::string(key)), value);
}

Value NoteWriter::integers(const std::vector<std::int64_t>& numbers) {
    const Value list = scratch_.list();
    for (const std::int64_t number : numbers) list.sequence().items.push_back(Value::integer(number));
    return list;
}

void NoteWriter::add_attributes(const Node& node, Note& note) {
    if (!node.attributes) return;
    const Value attributes = scratch_.dict();
    for (const auto& [name, value] : *node.attributes) {
        if (is_own_attribute(name)) continue;
        attributes.dict().entries.emplace_back(scratch_.string(name), value);
    }
    if (!attributes.dict().entries.empty()) put(note, "attributes", attributes);
}

void NoteWriter::add_cuts(const Value& value, Note& note) {
    const auto* cuts = cuts_.of(value.node());
    if (cuts == nullptr || value.is(Kind::kObject)) return;
    std::vector<std::size_t> indices(cuts->begin(), cuts->end());
    std::sort(indices.begin(), indices.end());
    const Value list = scratch_.list();
    for (const std::size_t index : indices) {
        const Value target = value.is(Kind::kDict) ? value.dict().entries[index].second : value.sequence().items[index];
        list.sequence().items.push_back(Value::integer(static_cast<std::int64_t>(index)));
        list.sequence().items.push_back(target);
    }
    put(note, "ring", list);
}

void NoteWriter::add_recipe(const Recipe& recipe, Note& note) {
    const char* how = recipe.how == Recipe::How::kNew ? "new" : recipe.how == Recipe::How::kCall ? "call" : "global";
    put(note, "how", scratch_.string(how));
    put(note, "callable", scratch_.string(recipe.callable));
    if (recipe.module_length != 0)
        put(note, "module_length", Value::integer(static_cast<std::int64_t>(recipe.module_length)));
    if (!recipe.callee.is_null()) put(note, "callee", recipe.callee);
    if (!recipe.args.is_null()) put(note, "args", recipe.args);
    if (!recipe.kwargs.is_null()) put(note, "kwargs", recipe.kwargs);
    if (!recipe.state.is_null()) put(note, "state", recipe.state);
}

void NoteWriter::add_tensor(const TensorNode& tensor, Note& note) {
    if (tensor.requires_grad) put(note, "requires_grad", Value::boolean(true));
    if (!tensor.dict.is_null()) put(note, "dict", tensor.dict);
    if (tensor.quantization) {
        const Quantization& quantization = *tensor.quantization;
        const Value values = scratch_.dict();
        const auto add = [&](const char* key, Value value) {
            values.dict().entries.emplace_back(scratch_.string(key), value);
        };
        add("scheme", scratch_.string(quantization.scheme));
        add("scale", Value::real(quantization.scale));
        add("zero_point", Value::integer(quantization.zero_point));
        add("axis", Value::integer(quantization.axis));
        add("scales", quantization.scales);
        add("zero_points", quantization.zero_points);
        put(note, "quantization", values);
    }
    const bool has_elements = tensor.layout.empty() && tensor.storage;
    if (!has_elements) {
        note.kind = "tensor";
        put(note, "layout", scratch_.string(tensor.layout));
        put(note, "dtype", scratch_.string(std::string(dtype_name(tensor.dtype))));
        put(note, "shape", integers(tensor.shape));
        put(note, "stride", integers(tensor.stride));
        const Value names = scratch_.list();
        const Value parts = scratch_.list();
        for (const auto& [name, part] : tensor.parts) {
            names.sequence().items.push_back(scratch_.string(name));
            parts.sequence().items.push_back(part);
        }
        put(note, "names", names);
        put(note, "parts", parts);
        return;
    }
    if (julia_dtype(tensor.dtype) != tensor.dtype)
        put(note, "dtype", scratch_.string(std::string(dtype_name(tensor.dtype))));
    if (tensor.conj) put(note, "conj", Value::boolean(true));
    if (tensor.neg) put(note, "neg", Value::boolean(true));
    const Storage* storage = tensor.storage.get();
    const bool is_packed = dtype_width(tensor.dtype) == 0;
    const bool is_elsewhere = !storage->location.empty() && storage->location != "cpu";
    const bool is_whole = !tensor.conj && !tensor.neg && storages_[storage] <= 1 && tensor.offset == 0 &&
                          tensor.logical_bytes() == storage->blob->size_bytes() && !is_packed && !is_elsewhere;
    if (is_whole && tensor.stride == column_major_strides(tensor.shape)) return;
    if (is_whole && tensor.stride == contiguous_strides(tensor.shape)) {
        note.kind = "row-major";
        return;
    }
    if (is_packed) put(note, "shape", integers(tensor.shape));
    put(note, "stride", integers(tensor.stride));
    put(note, "offset", Value::integer(tensor.offset));
    const auto [number, is_new] = numbers_.try_emplace(storage, numbers_.size());
    put(note, "storage", Value::integer(static_cast<std::int64_t>(number->second)));
    put(note, "storage_bytes", Value::integer(static_cast<std::int64_t>(storage->blob->size_bytes())));
    if (is_elsewhere) put(note, "location", scratch_.string(storage->location));
    if (is_packed || !is_invertible(tensor)) {  // the elements do not say the bytes
        auto* bytes = scratch_.make<TensorNode>();
        bytes->dtype = DType::kUInt8;
        bytes->shape = {static_cast<std::int64_t>(storage->blob->size_bytes())};
        bytes->stride = {1};
        bytes->storage = std::make_shared<const Storage>(Storage{storage->blob, ""});
        put(note, "bytes", Value::of(bytes));
    }
}

Note NoteWriter::note_of(const Value& value) {
    Note note;
    if (value.node() == nullptr) return note;
    const Node& node = *value.node();
    switch (value.kind()) {
        case Kind::kNull:
            break;
        case Kind::kBool:
        case Kind::kInt:
        case Kind::kFloat:
        case Kind::kComplex:
            if (read_type(value, types_.type_of(value)) != node.type) {
                note.type = node.type;
                if (note.type.empty()) note.kind = "plain";
            }
            break;
        case Kind::kString:
            if (node.type != kSymbolType && node.type != kCharType) note.type = node.type;
            if (!ValueTypes::is_plain_text(value.as_string())) note.kind = "surrogates";
            break;
        case Kind::kBytes:
            note.kind = "bytes";
            note.type = node.type;
            break;
        case Kind::kTuple:
            if (!types_.is_tuple(value)) note.kind = "tuple";
            note.type = node.type;
            break;
        case Kind::kList:
        case Kind::kSet:
        case Kind::kDict:
            note.type = node.type;
            if (has_meaning_recipe(node)) add_recipe(*node.recipe, note);
            break;
        case Kind::kTensor:
            note.type = node.type;
            add_tensor(value.tensor(), note);
            break;
        case Kind::kObject:
            if (is_julia_object(value)) break;
            note.kind = "object";
            note.type = node.type;
            if (node.recipe) add_recipe(*node.recipe, note);
            if (const auto& items = value.object().items; !items.empty()) {
                const Value list = scratch_.list();
                list.sequence().items = items;
                put(note, "items", list);
            }
            if (const auto& entries = value.object().entries; !entries.empty()) {
                const Value keys = scratch_.list();
                const Value values = scratch_.list();
                for (const auto& [key, entry] : entries) {
                    keys.sequence().items.push_back(key);
                    values.sequence().items.push_back(entry);
                }
                put(note, "entry_keys", keys);
                put(note, "entry_values", values);
            }
            break;
    }
    add_attributes(node, note);
    add_cuts(value, note);
    return note;
}

}  // namespace ckpt::jld2
