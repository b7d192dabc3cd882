// Tensors of the same path, one combined blob for each.
#include "libckpt/combine.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "libckpt/copy_tree.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/numbers.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/storages.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

using TensorsByPath = std::unordered_map<std::string, const TensorNode*>;

/// Every path that leads to a tensor, those of tied ones too.
TensorsByPath tensors_by_path(const Document& document) {
    TensorsByPath tensors;
    walk(document.root, [&](const Visit& visit) {
        if (visit.value.is(Kind::kTensor)) tensors.emplace(visit.path, &visit.value.tensor());
        return WalkStep::kInto;
    });
    return tensors;
}

bool is_model_role(Role role) {
    return role == Role::kModel || role == Role::kAveraged || role == Role::kTrained;
}
bool is_combinable(DType dtype) {
    const DTypeClass cls = dtype_info(dtype).cls;
    return cls == DTypeClass::kFloat || cls == DTypeClass::kComplex;
}
bool is_integer(DType dtype) {
    const DTypeClass cls = dtype_info(dtype).cls;
    return cls == DTypeClass::kSigned || cls == DTypeClass::kUnsigned || cls == DTypeClass::kBool;
}
bool matches_any(const std::vector<Glob>& globs, const std::string& path) {
    return std::any_of(globs.begin(), globs.end(), [&](const Glob& glob) { return glob.matches(path); });
}

std::string shape_text(const TensorNode& tensor) {
    std::string text;
    for (const std::int64_t size : tensor.shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
    return text.empty() ? "scalar" : text;
}

/// Whether the elements fill one run of the storage, in whatever order of dimensions.
bool is_dense(const TensorNode& tensor) {
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        if (tensor.stride[i] == 0 && tensor.shape[i] > 1) return false;
        last += static_cast<std::uint64_t>(tensor.shape[i] - 1) * static_cast<std::uint64_t>(tensor.stride[i]);
    }
    return tensor.element_count() == last + 1;
}

class Combiner {
public:
    Combiner(const std::vector<MergeInput>& inputs, const MergeInput* base, const CombineOptions& options,
             const Context& context)
        : inputs_(inputs), options_(options), context_(context), formula_(std::make_shared<Formula>(options.formula)) {
        if (formula_->weights.empty()) formula_->weights.assign(inputs.size(), 1.0);
        check_options(base);
        for (const MergeInput& input : inputs) sources_.push_back(&input);
        if (base != nullptr) sources_.push_back(base);
        for (const MergeInput* source : sources_) tensors_.push_back(tensors_by_path(source->document));
        has_base_ = base != nullptr;
    }

    Combination run() {
        result_.document = copied_tree(inputs_.back().document);
        const auto placed = tensors_of(result_.document);
        choose(placed);
        check_names();
        if (!result_.mismatches.empty()) return std::move(result_);
        for (const PlacedTensor& tensor : placed) {
            if (wanted_.contains(tensor.path)) combine_tensor(tensor);
        }
        forget_recipes(placed, changed_);
        average_numbers();
        if (options_.cast) {
            for (CastOverflow& cast : cast_tensors(result_.document, *options_.cast, options_.cast_only).overflow)
                result_.overflow.push_back(std::move(cast));
        }
        return std::move(result_);
    }

private:
    void check_options(const MergeInput* base) const {
        if (formula_->weights.size() != inputs_.size())
            throw_error(ErrorCode::kUsage, "{} weights for {} inputs: give one for each", formula_->weights.size(),
                        inputs_.size());
        double sum = 0;
        for (const double weight : formula_->weights) sum += weight;
        if (formula_->kind == Formula::Kind::kMean && !(std::fabs(sum) > 1e-12))
            throw_error(ErrorCode::kUsage, "the weights add up to {}: there is no mean by them", sum);
        if (formula_->kind == Formula::Kind::kSlerp && inputs_.size() != 2)
            throw_error(ErrorCode::kUsage, "there is an arc between two checkpoints, not {}", inputs_.size());
        if (formula_->kind == Formula::Kind::kTask && base == nullptr)
            throw_error(ErrorCode::kUsage, "differences are taken to a base: name it");
    }

    /// Which paths are combined. What is in one of the inputs only is found by `check_names`.
    void choose(const std::vector<PlacedTensor>& placed) {
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            const Roles roles = classify_roles(sources_[i]->document);
            const bool has_model = std::any_of(tensors_[i].begin(), tensors_[i].end(), [&](const auto& entry) {
                return is_model_role(roles.role_of(entry.first)) && is_combinable(entry.second->dtype);
            });
            chosen_.emplace_back();
            for (const auto& [path, tensor] : tensors_[i]) {
                const bool is_named = matches_any(options_.also, path);
                const bool is_part = (!has_model || is_model_role(roles.role_of(path))) && is_combinable(tensor->dtype);
                if (is_part || (is_named && (is_combinable(tensor->dtype) || is_integer(tensor->dtype))))
                    chosen_.back().insert(path);
            }
        }
        const auto& newest = chosen_[inputs_.size() - 1];
        for (const PlacedTensor& tensor : placed) {
            if (newest.contains(tensor.path)) {
                wanted_.insert(tensor.path);
                order_.push_back(tensor.path);
            } else {
                ++result_.kept_tensors;
            }
        }
    }

    void add_mismatch(const std::string& path, const std::string& what) {
        result_.mismatches.push_back("'" + path + "': " + what);
    }

    void check_names() {
        const std::size_t last = inputs_.size() - 1;
        const std::string& newest = sources_[last]->name;
        for (const std::string& path : order_) {
            const TensorNode& tensor = *tensors_[last].at(path);
            if (!tensor.layout.empty() || !tensor.storage) {
                add_mismatch(path, tensor.layout.empty() ? "has no data"
                                                         : "is a " + std::string(tensor.layout) +
                                                               " tensor; only dense ones are combined");
                continue;
            }
            for (std::size_t i = 0; i < sources_.size(); ++i) {
                if (i == last) continue;
                const std::string& name = sources_[i]->name;
                const auto found = tensors_[i].find(path);
                if (found == tensors_[i].end()) {
                    add_mismatch(path, fmt::format("is not in {}", name));
                } else if (found->second->shape != tensor.shape) {
                    add_mismatch(path, fmt::format("is {} in {} and {} in {}", shape_text(*found->second), name,
                                                   shape_text(tensor), newest));
                } else if (found->second->dtype != tensor.dtype) {
                    add_mismatch(path, fmt::format("is {} in {} and {} in {}", dtype_name(found->second->dtype), name,
                                                   dtype_name(tensor.dtype), newest));
                } else if (!found->second->storage || !found->second->layout.empty()) {
                    add_mismatch(path, fmt::format("has no data in {}", name));
                }
            }
        }
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            std::vector<std::string> lonely;
            for (const std::string& path : chosen_[i]) {
                if (!tensors_[last].contains(path)) lonely.push_back(path);
            }
            std::sort(lonely.begin(), lonely.end());
            for (const std::string& path : lonely)
                add_mismatch(path, fmt::format("is in {} and not in {}", sources_[i]->name, newest));
        }
    }

    DType target_of(const PlacedTensor& placed) const {
        const DType from = placed.tensor->dtype;
        if (!options_.cast || dtype_info(from).cls == DTypeClass::kComplex) return from;
        const bool is_named = matches_any(options_.cast_only, placed.path);
        return options_.cast_only.empty() ? (is_combinable(from) ? *options_.cast : from)
                                          : (is_named ? *options_.cast : from);
    }

    void combine_tensor(const PlacedTensor& placed) {
        TensorNode& tensor = *placed.tensor;
        std::vector<const TensorNode*> parts;
        for (const auto& tensors : tensors_) parts.push_back(tensors.at(placed.path));
        for (const TensorNode* part : parts) part->check_bounds(placed.path);
        // The places of elements in their order matter to random choices; else memory order will do.
        const bool is_by_place = formula_->kind != Formula::Kind::kTask || formula_->keep == Formula::Keep::kAll;
        const bool keeps_strides =
            is_by_place && std::all_of(parts.begin(), parts.end(), [&](const TensorNode* part) {
                return part->stride == tensor.stride && is_dense(*part) && !part->conj && !part->neg;
            });
        const DType to = target_of(placed);
        ++result_.combined;
        changed_.insert(&tensor);
        std::string key = fmt::format("{}", to == tensor.dtype ? "" : dtype_name(to));
        for (const TensorNode* part : parts) key += key_of(*part);
        StoragePtr& storage = made_[key];
        if (!storage) storage = combined_storage(placed, parts, keeps_strides, to);
        tensor.storage = storage;
        tensor.offset = 0;
        if (!keeps_strides) tensor.stride = contiguous_strides(tensor.shape);
        tensor.conj = tensor.neg = false;
        if (tensor.dtype != to) drop_stored_type(tensor);
        tensor.dtype = to;
    }

    /// Tensors that show the same in all inputs are tied in the result.
    static std::string key_of(const TensorNode& tensor) {
        std::string key = fmt::format("|{}+{}{}{}", static_cast<const void*>(tensor.storage.get()), tensor.offset,
                                      tensor.conj ? "c" : "", tensor.neg ? "n" : "");
        for (const std::int64_t size : tensor.shape) key += "," + std::to_string(size);
        for (const std::int64_t step : tensor.stride) key += ";" + std::to_string(step);
        return key;
    }

    StoragePtr combined_storage(const PlacedTensor& placed, const std::vector<const TensorNode*>& parts,
                                bool keeps_strides, DType to) {
        const TensorNode& tensor = *placed.tensor;
        std::vector<BlobPtr> blobs;
        for (const TensorNode* part : parts) {
            const std::uint64_t width = dtype_width(part->dtype);
            blobs.push_back(keeps_strides
                                ? slice_blob(part->storage->blob, static_cast<std::uint64_t>(part->offset) * width,
                                             *part->logical_bytes())
                                : logical_blob(*part));
        }
        BlobPtr base;
        if (has_base_) {
            base = std::move(blobs.back());
            blobs.pop_back();
        }
        const DType from = number_dtype(tensor.dtype);
        const DType number = number_dtype(to);
        auto count = std::make_shared<std::atomic<std::uint64_t>>(0);
        result_.overflow.push_back({placed.path, number, blobs.front()->size_bytes() / dtype_width(from), count});
        return std::make_shared<const Storage>(Storage{
            combined_blob(std::move(blobs), std::move(base), from, number, formula_, placed.path, std::move(count)),
            tensor.storage->location});
    }

    /// Numbers by themselves, where they are named; counts the others.
    void average_numbers() {
        struct Found {
            std::string path;
            Value value;
        };
        std::vector<Found> found;
        walk(result_.document.root, [&](const Visit& visit) {
            if (visit.value.is(Kind::kTensor)) return WalkStep::kOver;
            const bool is_number = visit.value.is(Kind::kInt) || visit.value.is(Kind::kFloat);
            if (is_number && formula_->kind == Formula::Kind::kMean && matches_any(options_.also, visit.path)) {
                found.push_back({visit.path, visit.value});
            } else if (visit.value.kind() <= Kind::kBytes) {
                ++result_.kept_others;
            }
            return WalkStep::kInto;
        });
        for (const Found& number : found) average_number(number.path, number.value);
    }

    void average_number(const std::string& path, const Value& newest) {
        double sum = 0, weights = 0;
        for (std::size_t i = 0; i < inputs_.size(); ++i) {
            Value holder;
            const Value* value = find_path(inputs_[i].document.root, path, holder);
            if (value == nullptr || !(value->is(Kind::kFloat) || value->as_int64()))
                throw_error(ErrorCode::kRefused, "'{}' is no number in {}", path, inputs_[i].name);
            const double number =
                value->is(Kind::kFloat) ? value->as_double() : static_cast<double>(*value->as_int64());
            sum += formula_->weights[i] * number;
            weights += formula_->weights[i];
        }
        const double mean = sum / weights;
        const Value averaged =
            newest.is(Kind::kInt) ? Value::integer(static_cast<std::int64_t>(std::nearbyint(mean))) : Value::real(mean);
        const std::size_t slash = path.rfind('/');
        Value holder;
        const Value* parent = slash == std::string::npos
                                  ? &result_.document.root
                                  : find_path(result_.document.root, path.substr(0, slash), holder);
        const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
        if (parent == nullptr) return;
        const auto set = [&](Value& value) {
            value = newest.node() == nullptr || newest.type().empty()
                        ? averaged
                        : result_.document.pool().typed_scalar(averaged, std::string(newest.type()));
            ++result_.numbers;
        };
        if (parent->is(Kind::kDict)) {
            for (auto& [key, value] : parent->dict().entries) {
                if (key_text(key) == name) return set(value);
            }
        } else if (parent->is(Kind::kList)) {
            auto& items = parent->sequence().items;
            const std::size_t index = std::strtoull(name.c_str(), nullptr, 10);
            if (index < items.size()) set(items[index]);
        }
    }

    const std::vector<MergeInput>& inputs_;
    const CombineOptions& options_;
    const Context& context_;
    std::shared_ptr<Formula> formula_;
    std::vector<const MergeInput*> sources_;  ///< the inputs, then the base
    std::vector<TensorsByPath> tensors_;
    std::vector<std::unordered_set<std::string>> chosen_;  ///< of each source: what would be combined
    std::unordered_set<std::string> wanted_;
    std::vector<std::string> order_;
    std::unordered_set<const Node*> changed_;
    std::map<std::string, StoragePtr> made_;
    bool has_base_ = false;
    Combination result_;
};

}  // namespace

Combination combine(const std::vector<MergeInput>& inputs, const MergeInput* base, const CombineOptions& options,
                    const Context& context) {
    return Combiner(inputs, base, options, context).run();
}

}  // namespace ckpt
