// Two checkpoints side by side: what one has and the other has not, and what differs between those that both have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libckpt/document.hpp"
#include "libckpt/path.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/tensor_distance.hpp"

namespace ckpt {

struct CompareOptions {
    Tolerance tolerance;
    std::vector<Glob> ignored;  ///< paths that are left out, with all below them
    bool names_only = false;    ///< which paths there are, and nothing else
    /// Classes, strides, ties, the order of entries, and whether a sequence is a list or a tuple: what layouts keep
    /// each in their way.
    bool with_form = true;
    bool with_dtypes = true;
    /// Of the tensors that are compared, in all; more are refused (Error, kRefused) before one is read: a fill value
    /// makes any number of elements out of nothing.
    std::uint64_t max_bytes = ~std::uint64_t{0};
};

/// In what two values differ.
enum class Aspect : std::uint8_t {
    kOnlyInA,
    kOnlyInB,
    kKind,   ///< a number here, a text there
    kClass,  ///< the name of the class
    kKey,    ///< keys that print alike: 1 and "1"
    kDType,
    kShape,
    kStride,
    kTie,    ///< one storage here, two there
    kOrder,  ///< of the entries of a dict
    kQuantization,
    kValue,
};
/// "only in a", "only in b", "kind", "class", ...
std::string_view aspect_name(Aspect aspect) noexcept;

struct Difference {
    std::string path;
    Role role = Role::kOther;
    Aspect aspect = Aspect::kValue;
    Value a, b;  ///< those of the path; null where there is none, or for kKey the keys
    /// Leaves below it, for what is in one only.
    std::uint64_t tensors = 0, others = 0;
    std::optional<TensorDistance> distance;  ///< kValue of tensors
    std::string tied_in_a, tied_in_b;        ///< kTie: with which path, or empty
};

/// What was compared of one role, and how it came out. A leaf that differs in several aspects counts once.
struct RoleSummary {
    Role role = Role::kOther;
    std::uint64_t tensors = 0, tensors_equal = 0;  ///< that both have
    std::uint64_t others = 0, others_equal = 0;    ///< leaves that are no tensors
    std::uint64_t only_in_a = 0, only_in_b = 0;    ///< leaves
    double greatest = 0;                           ///< difference of two numbers of tensors
};

struct DocumentComparison {
    std::vector<Difference> differences;  ///< in the order of `a`, what is in `b` only behind its siblings
    std::vector<RoleSummary> roles;       ///< those that occur, in the order of Role
};

/// Compares names (paths), then what stands there; tensors by their logical elements, whatever their strides.
///
/// Every pair of nodes is compared once, however many paths lead to it; no recursion. Roles are those of `a`, and of
/// `b` for what it alone has. Throws what reading tensors throws, and Error (kCancelled).
DocumentComparison compare_documents(const Document& a, const Document& b, const CompareOptions& options,
                                     const Context& context);

}  // namespace ckpt
