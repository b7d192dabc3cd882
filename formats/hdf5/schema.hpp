// Names of the schema in which documents are written as HDF5 (README: "Attributes").
#pragma once

#include <cstdint>
#include <string_view>

namespace ckpt::hdf5 {

inline constexpr std::int64_t kSchemaVersion = 1;
/// Attributes of ours; everything else belongs to the user.
inline constexpr std::string_view kPrefix = "ckpt:";
/// Attributes of the user, as node attributes of the document.
inline constexpr std::string_view kForeignPrefix = "hdf5:";

// Of the root.
inline constexpr std::string_view kSchema = "ckpt:schema";
inline constexpr std::string_view kRoot = "ckpt:root";
inline constexpr std::string_view kAside = "ckpt:aside";
inline constexpr std::string_view kDocument = "ckpt:document";

// Of any object.
inline constexpr std::string_view kKind = "ckpt:kind";
inline constexpr std::string_view kType = "ckpt:type";
inline constexpr std::string_view kKeys = "ckpt:keys";
inline constexpr std::string_view kRecipe = "ckpt:recipe";
inline constexpr std::string_view kStateMembers = "ckpt:state_members";
inline constexpr std::string_view kAttributes = "ckpt:attributes";

// Of tensors.
inline constexpr std::string_view kDType = "ckpt:dtype";
inline constexpr std::string_view kShape = "ckpt:shape";
inline constexpr std::string_view kStride = "ckpt:stride";
inline constexpr std::string_view kOffset = "ckpt:offset";
inline constexpr std::string_view kStorage = "ckpt:storage";
inline constexpr std::string_view kStorageBytes = "ckpt:storage_bytes";
inline constexpr std::string_view kStorageData = "ckpt:storage_data";
inline constexpr std::string_view kLocation = "ckpt:location";
inline constexpr std::string_view kLayout = "ckpt:layout";
inline constexpr std::string_view kRequiresGrad = "ckpt:requires_grad";
inline constexpr std::string_view kConj = "ckpt:conj";
inline constexpr std::string_view kNeg = "ckpt:neg";
inline constexpr std::string_view kDistinct = "ckpt:distinct";
inline constexpr std::string_view kQuantization = "ckpt:quantization";
inline constexpr std::string_view kDict = "ckpt:dict";

// Members of objects that are no attributes of theirs.
inline constexpr std::string_view kArgsLink = "__args__";
inline constexpr std::string_view kKwargsLink = "__kwargs__";
inline constexpr std::string_view kStateLink = "__state__";
inline constexpr std::string_view kCalleeLink = "__callee__";
inline constexpr std::string_view kItemsLink = "__items__";
inline constexpr std::string_view kEntriesLink = "__entries__";

// Node attributes that say how HDF5 held a value where the value does not; they are written as what they say.
inline constexpr std::string_view kPackedMark = "hdf5:__packed__";  ///< a sequence that is one dataset
inline constexpr std::string_view kTypeMark = "hdf5:__type__";      ///< bytes: the datatype message
inline constexpr std::string_view kShapeMark = "hdf5:__shape__";    ///< list: the dataspace, where items do not say it
inline constexpr std::string_view kSoftLinksMark = "hdf5:__soft_links__";  ///< dict: link names to the paths they held
inline constexpr std::string_view kLayoutMark = "hdf5:__layout__";         ///< text: chunks, filters, fill value
/// Of floats that no dtype holds: the elements as they were, a tensor of bytes or, of one number, bytes.
inline constexpr std::string_view kExactMark = "hdf5:__exact__";
/// Of a reference to a region: bytes, the selection as the file had it.
inline constexpr std::string_view kSelectionMark = "hdf5:__selection__";
/// Whether a node attribute is one of these.
constexpr bool is_mark(std::string_view name) {
    return name == kPackedMark || name == kTypeMark || name == kShapeMark || name == kSoftLinksMark ||
           name == kLayoutMark || name == kExactMark || name == kSelectionMark;
}

/// Whether the user's attribute of a name (`__x__`, backslashes before it or not) has a backslash more in the node.
constexpr bool looks_like_mark(std::string_view name) {
    while (name.starts_with('\\')) name.remove_prefix(1);
    return name.size() > 4 && name.starts_with("__") && name.ends_with("__");
}

// Classes of what HDF5 has and the model has not. No language knows them: other layouts hold them as tagged dicts.
inline constexpr std::string_view kReferenceType = "HDF5Reference";  ///< {"path": text}; regions: "points", "bounds"
inline constexpr std::string_view kSoftLinkType = "HDF5SoftLink";    ///< {"target": text}; leads nowhere
inline constexpr std::string_view kExternalLinkType = "HDF5ExternalLink";  ///< {"file": text, "path": text}
inline constexpr std::string_view kUserLinkType = "HDF5UserLink";          ///< {"class": int, "data": bytes}
inline constexpr std::string_view kDatatypeType = "HDF5Datatype";          ///< a committed type

/// A longer list of plain numbers or texts is one dataset.
inline constexpr std::size_t kMaxUnpackedItems = 256;

}  // namespace ckpt::hdf5
