// A walk over two trees at once; tensors are put aside and compared together at the end.
#include "libckpt/compare.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

bool is_sequence(const Value& value) {
    return value.is(Kind::kList) || value.is(Kind::kTuple);
}
bool is_number(const Value& value) {
    return value.is(Kind::kBool) || value.is(Kind::kInt) || value.is(Kind::kFloat);
}
bool has_children(const Value& value) {
    return is_sequence(value) || value.is(Kind::kDict) || value.is(Kind::kObject) || value.is(Kind::kTensor);
}

/// As `children`, with the numbers of a torch.Size as its items.
std::vector<Child> parts_of(const Value& value) {
    std::vector<Child> parts = children(value);
    if (!is_sequence(value) || !parts.empty()) return parts;
    for (const Value& item : value.sequence().items) parts.push_back({std::to_string(parts.size()), item});
    return parts;
}

double number_of(const Value& value) {
    if (value.is(Kind::kBool)) return value.as_bool() ? 1 : 0;
    if (value.is(Kind::kFloat)) return value.as_double();
    if (const auto small = value.as_int64()) return static_cast<double>(*small);
    if (const auto big = value.as_uint64()) return static_cast<double>(*big);
    return std::strtod(value.integer_text().c_str(), nullptr);
}

bool numbers_pass(const Value& a, const Value& b, const Tolerance& tolerance) {
    if (!a.is(Kind::kFloat) && !b.is(Kind::kFloat) && tolerance.is_exact()) {
        const auto text = [](const Value& value) {
            return value.is(Kind::kBool) ? std::string(value.as_bool() ? "1" : "0") : value.integer_text();
        };
        return text(a) == text(b);
    }
    return tolerance.passes(number_of(a), number_of(b));
}

/// What a set holds, whatever its order.
std::vector<std::string> sorted_items(const Value& set) {
    std::vector<std::string> items;
    for (const Value& item : set.sequence().items) items.push_back(key_text(item));
    std::sort(items.begin(), items.end());
    return items;
}

/// The name of a class or function where that is all there is to a value.
std::string_view global_name(const Value& value) {
    const Recipe* recipe = value.node() != nullptr ? value.node()->recipe.get() : nullptr;
    return recipe != nullptr && recipe->how == Recipe::How::kGlobal ? recipe->callable : std::string_view();
}

bool is_complex(const TensorNode& tensor) {
    return dtype_info(tensor.dtype).cls == DTypeClass::kComplex;
}

/// The children of one side, to be found by those of the other: each once, and a text key before one that prints alike.
class Names {
public:
    Names(const std::vector<Child>& children, bool by_number) : is_taken_(children.size()), by_number_(by_number) {
        for (std::size_t i = 0; i < children.size(); ++i) {
            if (by_number && children[i].component == std::to_string(i)) continue;
            auto& numbers = by_name_[children[i].component][children[i].has_text_key ? 1 : 0];
            numbers.push_back(i);
        }
        for (auto& [name, both] : by_name_) {
            for (auto& numbers : both) std::reverse(numbers.begin(), numbers.end());
        }
    }
    /// The first that is left with the name of `child`.
    std::optional<std::size_t> take(const Child& child) {
        const auto found = by_name_.find(child.component);
        if (found != by_name_.end()) {
            auto& both = found->second;
            auto& numbers = both[both[child.has_text_key ? 1 : 0].empty() == child.has_text_key ? 0 : 1];
            if (numbers.empty()) return std::nullopt;
            const std::size_t number = numbers.back();
            numbers.pop_back();
            is_taken_[number] = true;
            return number;
        }
        if (!by_number_ || next_ >= is_taken_.size() || child.component != std::to_string(next_)) return std::nullopt;
        is_taken_[next_] = true;
        return next_++;
    }
    bool is_taken(std::size_t number) const { return is_taken_[number]; }

private:
    std::unordered_map<std::string_view, std::array<std::vector<std::size_t>, 2>> by_name_;
    std::vector<bool> is_taken_;
    std::size_t next_ = 0;
    bool by_number_;
};

class Comparer {
public:
    Comparer(const Document& a, const Document& b, const CompareOptions& options, const Context& context)
        : options_(options), context_(context), roles_a_(classify_roles(a)), roles_b_(classify_roles(b)) {
        for (std::size_t i = 0; i < summaries_.size(); ++i) summaries_[i].role = static_cast<Role>(i);
        todo_.push_back({"", true, true, a.root, b.root});
    }

    DocumentComparison run() {
        while (!todo_.empty()) {
            const Step step = std::move(todo_.back());
            todo_.pop_back();
            context_.check_cancelled();
            if (is_ignored(step.path)) continue;
            if (!step.in_a || !step.in_b) {
                add_lonely(step);
            } else {
                compare(step);
            }
        }
        compare_tensors();
        return finish();
    }

private:
    struct Step {
        std::string path;
        bool in_a, in_b;
        Value a, b;
    };
    /// Where a leaf's outcome is counted.
    struct Leaf {
        Role role;
        bool is_tensor;
        bool differs = false;
    };
    struct TensorJob {
        std::size_t place;  ///< among the differences, before which it would stand
        std::size_t leaf;
        std::string path;
        Value a, b;
    };

    bool is_ignored(const std::string& path) const {
        return std::any_of(options_.ignored.begin(), options_.ignored.end(),
                           [&](const Glob& glob) { return !path.empty() && glob.matches(path); });
    }

    Difference& add(const Step& step, Aspect aspect) {
        Difference difference;
        difference.path = step.path;
        difference.role = step.in_a ? roles_a_.role_of(step.path) : roles_b_.role_of(step.path);
        difference.aspect = aspect;
        difference.a = step.a;
        difference.b = step.b;
        differences_.push_back(std::move(difference));
        return differences_.back();
    }

    void add_lonely(const Step& step) {
        const bool in_a = step.in_a;
        Difference& difference = add(step, in_a ? Aspect::kOnlyInA : Aspect::kOnlyInB);
        walk(in_a ? step.a : step.b, [&](const Visit& visit) {
            if (is_ignored(visit.path.empty() ? step.path : step.path + "/" + visit.path)) {
                return WalkStep::kOver;
            }
            const bool is_tensor = visit.value.is(Kind::kTensor);
            if (is_tensor) ++difference.tensors;
            if (!is_tensor && !has_children(visit.value)) ++difference.others;
            return WalkStep::kInto;
        });
        auto& summary = summary_of(difference.role);
        (in_a ? summary.only_in_a : summary.only_in_b) += difference.tensors + difference.others;
    }

    RoleSummary& summary_of(Role role) { return summaries_[static_cast<std::size_t>(role)]; }

    void compare(const Step& step) {
        const Value& a = step.a;
        const Value& b = step.b;
        if (options_.names_only) {
            if (!has_children(a) || a.is(Kind::kTensor)) count_leaf(step, a.is(Kind::kTensor));
            if (has_children(a) || has_children(b)) descend(step);
            return;
        }
        if (!is_like_kind(a, b)) {
            add(step, Aspect::kKind);
            leaves_[count_leaf(step, a.is(Kind::kTensor))].differs = true;
            return;
        }
        const bool is_leaf =
            !has_children(a) || a.is(Kind::kTensor) || (a.is(Kind::kObject) && !global_name(a).empty());
        const std::size_t leaf = is_leaf ? count_leaf(step, a.is(Kind::kTensor)) : 0;
        const auto differ = [&](Aspect aspect) {
            if (is_leaf) leaves_[leaf].differs = true;
            return &add(step, aspect);
        };
        if (a.kind() != b.kind() && options_.with_form) differ(Aspect::kKind);
        if ((options_.with_form && a.type() != b.type()) || global_name(a) != global_name(b)) differ(Aspect::kClass);
        if (a.is(Kind::kTensor) && b.is(Kind::kTensor)) return compare_tensor(step, leaf, differ);
        if (has_children(a) && has_children(b)) return descend(step);
        if (!is_equal_leaf(a, b)) differ(Aspect::kValue);
    }

    bool is_like_kind(const Value& a, const Value& b) const {
        if (a.kind() == b.kind()) return true;
        if (is_sequence(a) && is_sequence(b)) return true;
        if (options_.with_form) return false;
        if (is_number(a) && is_number(b)) return true;
        const auto has_names = [](const Value& value) { return value.is(Kind::kDict) || value.is(Kind::kObject); };
        return has_names(a) && has_names(b);
    }

    bool is_equal_leaf(const Value& a, const Value& b) const {
        switch (a.kind()) {
            case Kind::kNull:
                return true;
            case Kind::kBool:
            case Kind::kInt:
            case Kind::kFloat:
                return numbers_pass(a, b, options_.tolerance);
            case Kind::kComplex: {
                const auto x = a.as_complex(), y = b.as_complex();
                return options_.tolerance.passes(x.real(), y.real()) && options_.tolerance.passes(x.imag(), y.imag());
            }
            case Kind::kString:
                return a.as_string() == b.as_string();
            case Kind::kBytes:
                return a.as_bytes() == b.as_bytes();
            case Kind::kSet:
                return sorted_items(a) == sorted_items(b);
            default:
                return true;
        }
    }

    std::size_t count_leaf(const Step& step, bool is_tensor) {
        leaves_.push_back({roles_a_.role_of(step.path), is_tensor});
        return leaves_.size() - 1;
    }

    /// The entries of both, matched by name.
    void descend(const Step& step) {
        const Value& a = step.a;
        const Value& b = step.b;
        if (a.node() != nullptr && b.node() != nullptr && !met_.emplace(a.node(), b.node()).second) return;
        const auto below_a = has_children(a) ? parts_of(a) : std::vector<Child>();
        const auto below_b = has_children(b) ? parts_of(b) : std::vector<Child>();
        Names in_b(below_b, is_sequence(b) && is_sequence(a));
        std::vector<Step> steps;
        std::size_t last = 0;
        bool is_ordered = true;
        for (const Child& child : below_a) {
            Step next{join_path(step.path, child.component), true, false, child.value, {}};
            if (const auto found = in_b.take(child)) {
                const Child& other = below_b[*found];
                is_ordered = is_ordered && *found >= last;
                last = *found;
                next.in_b = true;
                next.b = other.value;
                if (child.has_text_key != other.has_text_key && options_.with_form && !options_.names_only &&
                    !is_ignored(next.path))
                    add(next, Aspect::kKey);
            }
            steps.push_back(std::move(next));
        }
        for (std::size_t i = 0; i < below_b.size(); ++i) {
            if (in_b.is_taken(i)) continue;
            steps.push_back({join_path(step.path, below_b[i].component), false, true, {}, below_b[i].value});
        }
        if (!is_ordered && options_.with_form && !options_.names_only) add(step, Aspect::kOrder);
        std::move(steps.rbegin(), steps.rend(), std::back_inserter(todo_));
    }

    template <typename Differ>
    void compare_tensor(const Step& step, std::size_t leaf, const Differ& differ) {
        const TensorNode& a = step.a.tensor();
        const TensorNode& b = step.b.tensor();
        const bool is_new = met_.emplace(&a, &b).second;
        if (options_.with_dtypes && a.dtype != b.dtype) differ(Aspect::kDType);
        if (a.shape != b.shape || a.layout != b.layout) {
            differ(Aspect::kShape);
            return;
        }
        if (options_.with_form) {
            const bool has_elements = a.element_count().value_or(0) > 1;
            if (has_elements && a.stride != b.stride) differ(Aspect::kStride);
            compare_tie(step, differ);
        }
        if (!is_like_quantization(a, b)) differ(Aspect::kQuantization);
        if (!is_new) return;
        if (a.storage && b.storage) {
            a.check_bounds(step.path);
            b.check_bounds(step.path);
            if (is_complex(a) != is_complex(b)) {
                differ(Aspect::kValue);
            } else {
                jobs_.push_back({differences_.size(), leaf, step.path, step.a, step.b});
            }
        } else if (static_cast<bool>(a.storage) != static_cast<bool>(b.storage)) {
            differ(Aspect::kValue);
        }
        // Parts of composite tensors are tensors of their own, by name; ignored or not.
        met_.erase({&a, &b});
        descend(step);
        met_.emplace(&a, &b);
    }

    static bool is_like_quantization(const TensorNode& a, const TensorNode& b) {
        if (!a.quantization || !b.quantization) return !a.quantization == !b.quantization;
        return a.quantization->scheme == b.quantization->scheme && a.quantization->scale == b.quantization->scale &&
               a.quantization->zero_point == b.quantization->zero_point && a.quantization->axis == b.quantization->axis;
    }

    /// Tensors that begin at one place of one storage are tied; views of other places are not.
    template <typename Differ>
    void compare_tie(const Step& step, const Differ& differ) {
        const auto first_at = [&](auto& firsts, const TensorNode& tensor) {
            const auto key = std::make_tuple(tensor.storage.get(), tensor.offset, tensor.element_count().value_or(0));
            return firsts.emplace(key, step.path).first->second;
        };
        const TensorNode& a = step.a.tensor();
        const TensorNode& b = step.b.tensor();
        if (!a.storage || !b.storage || a.element_count().value_or(0) == 0) return;
        const std::string in_a = first_at(firsts_a_, a);
        const std::string in_b = first_at(firsts_b_, b);
        if (in_a == in_b) return;
        Difference& difference = *differ(Aspect::kTie);
        if (in_a != step.path) difference.tied_in_a = in_a;
        if (in_b != step.path) difference.tied_in_b = in_b;
    }

    void compare_tensors() {
        std::vector<TensorPair> pairs;
        std::uint64_t rest = options_.max_bytes;
        for (const TensorJob& job : jobs_) {
            const std::uint64_t bytes = job.a.tensor().logical_bytes().value_or(~std::uint64_t{0});
            if (bytes > rest)
                throw_error(ErrorCode::kRefused, "'{}': {} bytes are out of proportion to the files", job.path, bytes);
            rest -= bytes;
            pairs.push_back({&job.a.tensor(), &job.b.tensor()});
        }
        const auto distances = tensor_distances(pairs, options_.tolerance, context_);
        std::vector<Difference> merged;
        std::size_t next = 0;
        const auto take_until = [&](std::size_t place) {
            for (; next < place; ++next) merged.push_back(std::move(differences_[next]));
        };
        for (std::size_t i = 0; i < jobs_.size(); ++i) {
            if (!distances[i]) continue;
            auto& summary = summary_of(leaves_[jobs_[i].leaf].role);
            summary.greatest = std::max(summary.greatest, distances[i]->greatest);
            if (distances[i]->differing == 0) continue;
            take_until(jobs_[i].place);
            leaves_[jobs_[i].leaf].differs = true;
            Difference difference;
            difference.path = jobs_[i].path;
            difference.role = leaves_[jobs_[i].leaf].role;
            difference.a = jobs_[i].a;
            difference.b = jobs_[i].b;
            difference.distance = distances[i];
            merged.push_back(std::move(difference));
        }
        take_until(differences_.size());
        differences_ = std::move(merged);
    }

    DocumentComparison finish() {
        for (const Leaf& leaf : leaves_) {
            auto& summary = summary_of(leaf.role);
            ++(leaf.is_tensor ? summary.tensors : summary.others);
            if (!leaf.differs) ++(leaf.is_tensor ? summary.tensors_equal : summary.others_equal);
        }
        DocumentComparison result;
        result.differences = std::move(differences_);
        for (const RoleSummary& summary : summaries_) {
            if (summary.tensors + summary.others + summary.only_in_a + summary.only_in_b > 0)
                result.roles.push_back(summary);
        }
        return result;
    }

    using Firsts = std::map<std::tuple<const Storage*, std::int64_t, std::uint64_t>, std::string>;

    const CompareOptions& options_;
    const Context& context_;
    Roles roles_a_, roles_b_;
    std::vector<Step> todo_;
    std::vector<Difference> differences_;
    std::vector<Leaf> leaves_;
    std::vector<TensorJob> jobs_;
    std::set<std::pair<const Node*, const Node*>> met_;
    Firsts firsts_a_, firsts_b_;
    std::array<RoleSummary, 8> summaries_;
};

}  // namespace

std::string_view aspect_name(Aspect aspect) noexcept {
    switch (aspect) {
        case Aspect::kOnlyInA:
            return "only in a";
        case Aspect::kOnlyInB:
            return "only in b";
        case Aspect::kKind:
            return "kind";
        case Aspect::kClass:
            return "class";
        case Aspect::kKey:
            return "key";
        case Aspect::kDType:
            return "dtype";
        case Aspect::kShape:
            return "shape";
        case Aspect::kStride:
            return "stride";
        case Aspect::kTie:
            return "tie";
        case Aspect::kOrder:
            return "order";
        case Aspect::kQuantization:
            return "quantization";
        default:
            return "value";
    }
}

DocumentComparison compare_documents(const Document& a, const Document& b, const CompareOptions& options,
                                     const Context& context) {
    return Comparer(a, b, options, context).run();
}

}  // namespace ckpt
