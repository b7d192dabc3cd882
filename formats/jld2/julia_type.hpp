// Julia types: interned, so that equal types are one object, and as text.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ckpt::jld2 {

struct JuliaType;
/// Owned by a JuliaTypes; equal types of one JuliaTypes are one pointer. Never null unless said so.
using TypePtr = const JuliaType*;

/// A parameter of a type: another type, or a value.
struct TypeParameter {
    enum class Kind : std::uint8_t {
        kType,
        kInteger,  ///< Array{T, 2}
        kBool,
        kSymbol,  ///< of a NamedTuple's names
        kTuple,   ///< `items`; a NamedTuple's names
        kValue,   ///< any other value: of `type`, its bytes in `text` or its fields in `items`; neither: it has none
        kOther,   ///< a value that has no text; `text` says what is known of it
    } kind = Kind::kType;
    TypePtr type = nullptr;
    std::int64_t integer = 0;  ///< also kBool
    std::string text;          ///< kSymbol, kValue
    std::vector<TypeParameter> items;
    std::string field;  ///< of an item of a kValue: its name

    static TypeParameter of(TypePtr type);
    static TypeParameter of(std::int64_t integer);
    static TypeParameter symbol(std::string text);
    static TypeParameter tuple(std::vector<TypeParameter> items);
    static TypeParameter value(TypePtr type, std::string bytes, std::vector<TypeParameter> fields = {});
};

struct JuliaType {
    enum class Kind : std::uint8_t {
        kPlain,     ///< `name` and `parameters`; Core.Union{A, B} as well
        kWhere,     ///< UnionAll: parameters are the body, the lower and the upper bound of the variable `name`
        kVariable,  ///< `name` stands for a type inside of a kWhere
    } kind = Kind::kPlain;
    std::string name;  ///< with its module: "Core.Array", "Main.L1.Leaf"
    std::vector<TypeParameter> parameters;
    std::uint32_t number = 0;  ///< in the order of interning

    bool is(std::string_view full_name) const noexcept { return kind == Kind::kPlain && name == full_name; }
    /// The parameter if it is there and a type, or nullptr.
    TypePtr type_at(std::size_t index) const noexcept;
};

/// Owns types. Not thread-safe.
class JuliaTypes {
public:
    JuliaTypes() = default;
    JuliaTypes(const JuliaTypes&) = delete;
    JuliaTypes& operator=(const JuliaTypes&) = delete;

    /// Tuple and NTuple in all their spellings become Core.Tuple with a parameter for each item.
    TypePtr plain(std::string_view name, std::vector<TypeParameter> parameters = {});
    TypePtr variable(std::string_view name);
    TypePtr where(std::string_view variable, TypePtr lower, TypePtr upper, TypePtr body);
    TypePtr tuple(const std::vector<TypePtr>& items);
    TypePtr named_tuple(const std::vector<std::string>& names, const std::vector<TypePtr>& items);
    TypePtr array(TypePtr element, std::size_t rank);

    /// Julia's notation with full names: "Core.Array{Core.Float32, 2}", "(Core.Array{T, 1} where T)"; values other than
    /// Int, Bool and Symbol as "Core.UInt8(=2a)", "Main.Point(x =.., y =..)", "Core.Nothing()". Throws Error (kRefused)
    /// when it gets longer than kMaxTextBytes (types share their parts, so text can be far larger).
    static std::string text(TypePtr type);
    /// The same, back; nullptr if it is none.
    TypePtr parse(std::string_view text);

    /// What tells a parameter from others; types by their number.
    static std::string key(const TypeParameter& parameter);

    static constexpr std::size_t kMaxTextBytes = std::size_t{1} << 20;

private:
    TypePtr intern(JuliaType type);
    std::deque<JuliaType> types_;
    std::unordered_map<std::string, TypePtr> by_key_;
};

/// Values of such a type need no bytes: nothing, (), a function, a struct without fields. What can be told from the
/// type alone: tuples and named tuples of such types, and Julia's own.
bool is_without_data(TypePtr type);

/// The names of a NamedTuple type; empty for others.
std::vector<std::string> names_of(TypePtr named_tuple);
/// The types of the items of a Tuple, or of the fields of a NamedTuple; empty for others.
std::vector<TypePtr> item_types(TypePtr type);

}  // namespace ckpt::jld2
