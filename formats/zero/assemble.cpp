// Slices of partitions, in the order of the parameters.
#include "formats/zero/assemble.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <unordered_set>

#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::zero {
namespace {

/// Entries that DeepSpeed itself writes to a model file.
constexpr std::array<std::string_view, 22> kOwnEntries = {"module",
                                                          "buffer_names",
                                                          "optimizer",
                                                          "param_shapes",
                                                          "frozen_param_shapes",
                                                          "shared_params",
                                                          "lr_scheduler",
                                                          "data_sampler",
                                                          "random_ltd",
                                                          "frozen_param_fragments",
                                                          "skipped_steps",
                                                          "global_steps",
                                                          "global_samples",
                                                          "dp_world_size",
                                                          "mp_world_size",
                                                          "ds_config",
                                                          "ds_version",
                                                          "checkpoint_parallel_dimensions",
                                                          "sparse_tensor_module_names",
                                                          "uc_info",
                                                          "universal_checkpoint_info",
                                                          "zero_optimizer_state"};

/// The same numbers as float32, rounded once.
class Float32Blob final : public Blob {
public:
    Float32Blob(BlobPtr whole, DType dtype) : whole_(std::move(whole)), dtype_(dtype), width_(dtype_width(dtype)) {}

    std::uint64_t size_bytes() const noexcept override { return whole_->size_bytes() / width_ * sizeof(float); }
    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        if (offset_bytes > size_bytes() || out.size() > size_bytes() - offset_bytes)
            throw_damaged("{} bytes wanted at byte {} of {}", out.size(), offset_bytes, size_bytes());
        constexpr std::uint64_t kStep = 16384;  // elements
        std::vector<std::byte> raw;
        while (!out.empty()) {
            const std::uint64_t first = offset_bytes / sizeof(float);
            const std::size_t skip = static_cast<std::size_t>(offset_bytes % sizeof(float));
            const std::uint64_t count =
                std::min<std::uint64_t>((skip + out.size() + sizeof(float) - 1) / sizeof(float), kStep);
            raw.resize(static_cast<std::size_t>(count * width_));
            whole_->read(first * width_, raw);
            std::vector<float> numbers(static_cast<std::size_t>(count));
            for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = number_at(raw.data() + i * width_);
            const std::size_t size = std::min(out.size(), numbers.size() * sizeof(float) - skip);
            std::memcpy(out.data(), reinterpret_cast<const std::byte*>(numbers.data()) + skip, size);
            out = out.subspan(size);
            offset_bytes += size;
        }
    }

private:
    float number_at(const std::byte* bytes) const {
        if (dtype_ != DType::kInt64) return static_cast<float>(element_as_double(dtype_, bytes));
        std::int64_t number = 0;
        std::memcpy(&number, bytes, sizeof number);
        return static_cast<float>(number);
    }

    BlobPtr whole_;
    DType dtype_;
    std::uint64_t width_;
};

bool is_text(const Value& value) {
    return value.is(Kind::kString);
}

}  // namespace

void Assembly::fail(const Part& part, const std::string& what) const {
    Error error(ErrorCode::kDamaged, what);
    error.in_file(folder_.path + "/" + part.name);
    throw error;
}

const DictNode* Assembly::dict_of(const Part& part, std::string_view key) const {
    const Value* value = part.find(key);
    if (value == nullptr || value->is_null()) return nullptr;
    if (!value->is(Kind::kDict)) fail(part, fmt::format("'{}' is a {}, not a dict", key, kind_name(value->kind())));
    return &value->dict();
}

Assembly::Assembly(const Folder& folder, Pool& pool) : folder_(folder), pool_(pool) {
    find_groups();
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        flats_.push_back(flatten(groups_[i].flat, {}, fmt::format("parameter group {}", i)));
        check_size(groups_[i], flats_.back());
    }
}

std::vector<Assembly::Parameter> Assembly::parameters_of(const DictNode& shapes) const {
    std::vector<Parameter> parameters;
    for (const auto& [name, shape] : shapes.entries) {
        if (!is_text(name) || !(shape.is(Kind::kTuple) || shape.is(Kind::kList)))
            fail(folder_.models.front(),
                 fmt::format("'param_shapes' has the entry '{}', which is no name with a shape", key_text(name)));
        Parameter parameter{name, {}, 1};
        for (const Value& size : shape.sequence().items) {
            const auto number = size.as_int64();
            if (!number || *number < 0 ||
                __builtin_mul_overflow(parameter.count, static_cast<std::uint64_t>(*number), &parameter.count) ||
                parameter.count > (std::uint64_t{1} << 60))
                fail(folder_.models.front(),
                     fmt::format("the shape of '{}' has the size {}", name.as_string(),
                                 size.is(Kind::kInt) ? size.integer_text() : kind_name(size.kind())));
            parameter.shape.push_back(*number);
        }
        parameters.push_back(std::move(parameter));
    }
    return parameters;
}

/// At stage 3 all groups are cut alike, parameter by parameter, so they are read as one.
void Assembly::find_groups() {
    const Part& model = folder_.models.front();
    const Value* shapes = model.find("param_shapes");
    if (shapes == nullptr || !(shapes->is(Kind::kList) || shapes->is(Kind::kDict)))
        fail(model, "has no 'param_shapes', which says what the partitions hold");
    std::vector<Value> lists = shapes->is(Kind::kList) ? shapes->sequence().items : std::vector<Value>{*shapes};
    std::unordered_set<std::string_view> seen;
    for (const Value& list : lists) {
        if (!list.is(Kind::kDict)) fail(model, fmt::format("'param_shapes' holds a {}", kind_name(list.kind())));
        if (folder_.stage < 3 || groups_.empty()) groups_.emplace_back();
        auto more = parameters_of(list.dict());
        names_.emplace_back();
        for (const Parameter& parameter : more) {
            if (!seen.insert(parameter.name.as_string()).second)
                fail(model, fmt::format("'param_shapes' names '{}' twice", parameter.name.as_string()));
            names_.back().push_back(parameter.name);
        }
        auto& parameters = groups_.back().parameters;
        parameters.insert(parameters.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    const std::string_view key = folder_.stage == 3 ? "fp32_flat_groups" : "single_partition_of_fp32_groups";
    for (const Part& part : folder_.optimizers) {
        const Value* flat = part.find("optimizer_state_dict")->dict().find(key);
        if (flat == nullptr || !flat->is(Kind::kList)) fail(part, fmt::format("has no list '{}'", key));
        const auto& items = flat->sequence().items;
        for (const Value& item : items) {
            if (!item.is(Kind::kTensor) || !item.tensor().storage || !item.tensor().layout.empty() ||
                dtype_width(item.tensor().dtype) == 0)
                fail(part, fmt::format("'{}' holds a {} where a flat tensor belongs", key, kind_name(item.kind())));
        }
        if (folder_.stage == 3) {
            if (groups_.empty()) groups_.emplace_back();
            groups_.front().flat.push_back(items);
            continue;
        }
        if (items.size() != groups_.size())
            fail(part, fmt::format("has {} partitions of parameter groups, '{}' names {} groups", items.size(),
                                   model.name, groups_.size()));
        for (std::size_t i = 0; i < items.size(); ++i) groups_[i].flat.push_back({items[i]});
    }
}

Assembly::Flat Assembly::flatten(const std::vector<std::vector<Value>>& by_rank,
                                 const std::vector<std::uint64_t>& counts, std::string_view what) const {
    Flat flat;
    bool is_first = true;
    for (std::size_t rank = 0; rank < by_rank.size(); ++rank) {
        std::vector<BlobPtr> pieces;
        std::uint64_t elements = 0;
        for (const Value& item : by_rank[rank]) {
            const TensorNode& tensor = item.tensor();
            if (is_first) {
                flat.dtype = tensor.dtype;
                flat.requires_grad = tensor.requires_grad;
                is_first = false;
            } else if (tensor.dtype != flat.dtype) {
                fail(folder_.optimizers[rank], fmt::format("{} is {} here, {} in '{}'", what, dtype_name(tensor.dtype),
                                                           dtype_name(flat.dtype), folder_.optimizers.front().name));
            }
            elements += tensor.element_count().value_or(0);
            pieces.push_back(logical_blob(tensor));
        }
        BlobPtr joined = pieces.size() == 1 ? pieces.front() : joined_blob(std::move(pieces));
        if (!counts.empty()) {
            if (elements < counts[rank])
                fail(folder_.optimizers[rank],
                     fmt::format("{} has {} elements, its partition {}", what, elements, counts[rank]));
            elements = counts[rank];
            joined = slice_blob(joined, 0, elements * dtype_width(flat.dtype));
        }
        flat.ranks.push_back(std::move(joined));
        flat.counts.push_back(elements);
    }
    return flat;
}

/// Padding, where there is any, is less than two elements for each rank.
void Assembly::check_size(const Group& group, const Flat& flat) const {
    std::uint64_t wanted = 0;
    for (const Parameter& parameter : group.parameters)
        wanted += folder_.stage == 3 ? (parameter.count + ranks() - 1) / ranks() : parameter.count;
    if (folder_.stage == 3) {
        for (std::size_t rank = 0; rank < flat.counts.size(); ++rank) {
            if (flat.counts[rank] != wanted)
                fail(folder_.optimizers[rank],
                     fmt::format("its partition has {} elements, the parameters' shapes come to {}", flat.counts[rank],
                                 wanted));
        }
        return;
    }
    std::uint64_t there = 0;
    for (const std::uint64_t count : flat.counts) there += count;
    const std::uint64_t step = 2 * ranks();
    const auto rounded = [step](std::uint64_t count) { return (count + step - 1) / step * step; };
    if (there < wanted || rounded(there) != rounded(wanted)) {
        throw_damaged(
            "the partitions of a group of {} parameters ('{}', ...) have {} elements, their shapes come to {}",
            group.parameters.size(), group.parameters.empty() ? "" : group.parameters.front().name.as_string(), there,
            wanted);
    }
}

Value Assembly::make_tensor(const Parameter& parameter, const Flat& flat, StoragePtr storage, std::uint64_t offset) {
    auto* tensor = pool_.make<TensorNode>();
    tensor->dtype = flat.dtype;
    tensor->shape = parameter.shape;
    tensor->stride = contiguous_strides(parameter.shape);
    tensor->offset = static_cast<std::int64_t>(offset);
    tensor->storage = std::move(storage);
    tensor->requires_grad = flat.requires_grad;
    tensor->check_bounds(std::string(parameter.name.as_string()));
    return Value::of(tensor);
}

/// Up to stage 2 the tensors are views of one vector, as zero_to_fp32.py has them; at stage 3 each has its own, with
/// the padding behind it.
std::vector<Value> Assembly::cut(const Group& group, const Flat& flat) {
    std::vector<Value> tensors;
    const std::uint64_t width = dtype_width(flat.dtype);
    std::uint64_t at = 0;
    StoragePtr whole;
    if (folder_.stage < 3) {
        auto storage = std::make_shared<Storage>();
        storage->blob = flat.ranks.size() == 1 ? flat.ranks.front() : joined_blob(flat.ranks);
        whole = std::move(storage);
    }
    for (const Parameter& parameter : group.parameters) {
        if (folder_.stage < 3) {
            tensors.push_back(make_tensor(parameter, flat, whole, at));
            at += parameter.count;
            continue;
        }
        const std::uint64_t part = (parameter.count + ranks() - 1) / ranks();
        std::vector<BlobPtr> pieces;
        for (const BlobPtr& rank : flat.ranks) pieces.push_back(slice_blob(rank, at * width, part * width));
        auto storage = std::make_shared<Storage>();
        storage->blob = pieces.size() == 1 ? pieces.front() : joined_blob(std::move(pieces));
        tensors.push_back(make_tensor(parameter, flat, std::move(storage), 0));
        at += part;
    }
    return tensors;
}

Value Assembly::model() {
    const Value model = pool_.dict();
    model.node()->type = "collections.OrderedDict";
    add_buffers(model.dict());
    add_frozen(model.dict());
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        const std::vector<Value> tensors = cut(groups_[i], flats_[i]);
        for (std::size_t k = 0; k < tensors.size(); ++k)
            model.dict().entries.emplace_back(groups_[i].parameters[k].name, tensors[k]);
    }
    add_shared(model.dict());
    return model;
}

void Assembly::add_buffers(DictNode& model) {
    const Part& part = folder_.models.front();
    const DictNode* module = dict_of(part, "module");
    const Value* names = part.find("buffer_names");
    if (module == nullptr || names == nullptr || !names->is(Kind::kList)) return;
    for (const auto& [name, value] : module->entries) {
        const auto& list = names->sequence().items;
        const bool is_buffer =
            is_text(name) && value.is(Kind::kTensor) && std::any_of(list.begin(), list.end(), [&](const Value& item) {
                return is_text(item) && item.as_string() == name.as_string();
            });
        if (!is_buffer) continue;
        const TensorNode& buffer = value.tensor();
        const bool is_kept = buffer.dtype == DType::kFloat32 || !buffer.storage || !buffer.layout.empty() ||
                             dtype_width(buffer.dtype) == 0 || dtype_info(buffer.dtype).cls == DTypeClass::kComplex;
        if (is_kept) {
            model.entries.emplace_back(name, value);
            continue;
        }
        auto storage = std::make_shared<Storage>();
        storage->blob = std::make_shared<Float32Blob>(logical_blob(buffer), buffer.dtype);
        auto* tensor = pool_.make<TensorNode>();
        tensor->shape = buffer.shape;
        tensor->stride = contiguous_strides(buffer.shape);
        tensor->storage = std::move(storage);
        model.entries.emplace_back(name, Value::of(tensor));
    }
}

/// Parameters that were not trained: whole up to stage 2, a piece in each rank's model file at stage 3.
void Assembly::add_frozen(DictNode& model) {
    const DictNode* shapes = dict_of(folder_.models.front(), "frozen_param_shapes");
    if (shapes == nullptr) return;
    for (const Parameter& parameter : parameters_of(*shapes)) {
        Flat flat;
        std::vector<std::uint64_t> counts;
        for (const Part& part : folder_.models) {
            const DictNode* fragments = dict_of(part, "frozen_param_fragments");
            const Value* fragment = fragments != nullptr ? fragments->find(parameter.name.as_string()) : nullptr;
            if (fragment == nullptr || !fragment->is(Kind::kTensor) || !fragment->tensor().storage ||
                dtype_width(fragment->tensor().dtype) == 0)
                fail(part, fmt::format("has no fragment of the frozen parameter '{}'", parameter.name.as_string()));
            flat.dtype = fragment->tensor().dtype;
            flat.requires_grad = fragment->tensor().requires_grad;
            flat.ranks.push_back(logical_blob(fragment->tensor()));
        }
        auto storage = std::make_shared<Storage>();
        storage->blob = flat.ranks.size() == 1 ? flat.ranks.front() : joined_blob(flat.ranks);
        model.entries.emplace_back(parameter.name, make_tensor(parameter, flat, std::move(storage), 0));
    }
}

/// Names that stand for another parameter: they are that one.
void Assembly::add_shared(DictNode& model) {
    const Part& part = folder_.models.front();
    const Value* shared = part.find("shared_params");
    if (shared == nullptr || shared->is_null()) return;
    const auto add = [&](const Value& alias, const Value& kept) {
        const Value* target = is_text(kept) ? model.find(kept.as_string()) : nullptr;
        if (target == nullptr || !is_text(alias)) return;
        const Value value = *target;
        for (auto& [name, old] : model.entries) {
            if (is_text(name) && name.as_string() == alias.as_string()) {
                old = value;
                return;
            }
        }
        model.entries.emplace_back(alias, value);
    };
    if (shared->is(Kind::kDict)) {
        for (const auto& [alias, kept] : shared->dict().entries) add(alias, kept);
    } else if (shared->is(Kind::kList)) {
        for (const Value& pair : shared->sequence().items) {
            const bool is_pair = (pair.is(Kind::kList) || pair.is(Kind::kTuple)) && pair.sequence().items.size() == 2;
            if (is_pair) add(pair.sequence().items[0], pair.sequence().items[1]);
        }
    }
}

const Value* Assembly::base_state(const Part& part) const {
    return part.find("optimizer_state_dict")
        ->dict()
        .find(folder_.stage == 3 ? "optimizer_state_dict" : "base_optimizer_state");
}

/// A dict of states by number, or (where the number of ranks may change) a list of them.
const DictNode* Assembly::state_of(const Part& part, std::size_t vector) const {
    const Value* base = base_state(part);
    if (base == nullptr) return nullptr;
    if (base->is(Kind::kList)) {
        const auto& items = base->sequence().items;
        return vector < items.size() && items[vector].is(Kind::kDict) ? &items[vector].dict() : nullptr;
    }
    const Value* states = base->is(Kind::kDict) ? base->dict().find("state") : nullptr;
    if (states == nullptr || !states->is(Kind::kDict)) return nullptr;
    for (const auto& [key, value] : states->dict().entries) {
        if (key.as_int64() == static_cast<std::int64_t>(vector) && value.is(Kind::kDict)) return &value.dict();
    }
    return nullptr;
}

/// Entries as long as a flat vector are cut like it, others are of all its parameters.
void Assembly::add_state(std::size_t group, const std::vector<std::size_t>& vectors, DictNode& result) {
    const Group& of = groups_[group];
    const DictNode* first = vectors.empty() ? nullptr : state_of(folder_.optimizers.front(), vectors.front());
    if (first == nullptr) return;
    std::vector<Value> states;
    for (const Parameter& parameter : of.parameters) {
        states.push_back(pool_.dict());
        result.entries.emplace_back(parameter.name, states.back());
    }
    for (const auto& [key, value] : first->entries) {
        if (!is_text(key)) continue;
        const std::uint64_t length =
            of.flat.front().empty() ? 0 : of.flat.front().front().tensor().element_count().value_or(0);
        const bool is_flat = value.is(Kind::kTensor) && value.tensor().shape.size() == 1 && value.tensor().storage &&
                             value.tensor().element_count().value_or(0) >= length;
        if (!is_flat) {
            for (const Value& state : states) state.dict().entries.emplace_back(key, value);
            continue;
        }
        std::vector<std::vector<Value>> by_rank;
        for (const Part& part : folder_.optimizers) {
            by_rank.emplace_back();
            for (const std::size_t vector : vectors) {
                const DictNode* state = state_of(part, vector);
                const Value* piece = state != nullptr ? state->find(key.as_string()) : nullptr;
                if (piece == nullptr || !piece->is(Kind::kTensor) || !piece->tensor().storage ||
                    dtype_width(piece->tensor().dtype) == 0)
                    fail(part, fmt::format("its optimizer's state has no '{}' for vector {}", key.as_string(), vector));
                by_rank.back().push_back(*piece);
            }
        }
        const Flat flat =
            flatten(by_rank, flats_[group].counts, fmt::format("'{}' of the optimizer's state", key.as_string()));
        const std::vector<Value> tensors = cut(of, flat);
        for (std::size_t i = 0; i < tensors.size(); ++i) states[i].dict().entries.emplace_back(key, tensors[i]);
    }
}

/// The first rank's, with names in place of its numbers of vectors.
Value Assembly::param_groups() {
    const Value result = pool_.list();
    const Value* base = base_state(folder_.optimizers.front());
    const Value* groups = base != nullptr && base->is(Kind::kDict) ? base->dict().find("param_groups") : nullptr;
    const bool is_list = groups != nullptr && groups->is(Kind::kList);
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const Value group = pool_.dict();
        if (is_list && i < groups->sequence().items.size() && groups->sequence().items[i].is(Kind::kDict)) {
            for (const auto& [key, value] : groups->sequence().items[i].dict().entries) {
                if (!is_text(key) || key.as_string() != "params") group.dict().entries.emplace_back(key, value);
            }
        }
        const Value names = pool_.list();
        names.sequence().items = names_[i];
        group.dict().entries.emplace_back(pool_.string("params"), names);
        result.sequence().items.push_back(group);
    }
    return result;
}

Value Assembly::optimizer() {
    const Value states = pool_.dict();
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        std::vector<std::size_t> vectors = {i};
        if (folder_.stage == 3) {
            vectors.clear();
            for (std::size_t k = 0; k < groups_[i].flat.front().size(); ++k) vectors.push_back(k);
        }
        add_state(i, vectors, states.dict());
    }
    const Value optimizer = pool_.dict();
    optimizer.dict().entries.emplace_back(pool_.string("state"), states);
    optimizer.dict().entries.emplace_back(pool_.string("param_groups"), param_groups());
    return optimizer;
}

Value Assembly::client() {
    const Value client = pool_.dict();
    for (const auto& [key, value] : model_file().entries) {
        const bool is_own =
            is_text(key) && std::find(kOwnEntries.begin(), kOwnEntries.end(), key.as_string()) != kOwnEntries.end();
        if (!is_own) client.dict().entries.emplace_back(key, value);
    }
    return client;
}

}  // namespace ckpt::zero
