// Names that the layout uses in the model: attributes of nodes, classes of values (README: "In the model").
#pragma once

#include <cstddef>
#include <string_view>

namespace ckpt::jld2 {

/// Julia's type of a dict, list, set or tensor, where the kind alone does not say it. For a NamedTuple whose fields are
/// of the types of their values: kNamedTupleType, without parameters.
inline constexpr std::string_view kTypeAttribute = "jld2:type";
/// Dimensions of a list that was an array of another rank than 1; its items are in column-major order.
inline constexpr std::string_view kDimsAttribute = "jld2:dims";
/// On a dict: it is a group of the file.
inline constexpr std::string_view kGroupAttribute = "jld2:group";
/// On an object: names of the fields whose types have no data, so that they are not stored.
inline constexpr std::string_view kUnstoredAttribute = "jld2:unstored";

/// On a dict or set: the file holds it once for several places, in the form that JLD2 0.4.42 and later load as one.
inline constexpr std::string_view kSharedAttribute = "jld2:shared";
inline constexpr std::string_view kSerializedDictType = "JLD2.SerializedDict";

inline constexpr std::string_view kNamedTupleType = "Core.NamedTuple";
inline constexpr std::string_view kSymbolType = "Core.Symbol";
inline constexpr std::string_view kCharType = "Core.Char";
inline constexpr std::string_view kInt128Type = "Core.Int128";
inline constexpr std::string_view kUInt128Type = "Core.UInt128";
inline constexpr std::string_view kBigIntType = "Base.GMP.BigInt";
/// The type of unions. A plain "Core.Union" without parameters is the union of nothing.
inline constexpr std::string_view kUnionTypeName = "Core.Union#";
/// Classes of values that are mere names: an unassigned slot, `missing`, functions, types.
inline constexpr std::string_view kUndefType = "Core.undef";
inline constexpr std::string_view kMissingType = "Base.Missing";
inline constexpr std::string_view kMissingValue = "Base.missing";
inline constexpr std::string_view kFunctionType = "Core.Function";
inline constexpr std::string_view kDataTypeType = "Core.DataType";

/// The user block of every file of JLD2.jl begins with one of these.
inline constexpr std::string_view kFileHeader = "HDF5-based Julia Data Format, version ";
inline constexpr std::string_view kOldFileHeader = "Julia data file (HDF5), version 0.2.";
inline constexpr std::size_t kUserBlockBytes = 512;
/// The group of committed types in the root.
inline constexpr std::string_view kTypesGroup = "_types";

}  // namespace ckpt::jld2
