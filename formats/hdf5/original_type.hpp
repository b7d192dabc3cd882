// Types of HDF5 that values do not say by themselves: kept beside them, and given back (README: "Types that come
// back").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/shared/h5/h5.hpp"
#include "formats/shared/h5/write.hpp"
#include "libckpt/value.hpp"

namespace ckpt::hdf5 {

/// Hangs marks on values that were read, where writing them would choose another type. One for all values of a file:
/// equal types share what is kept of them.
class TypeKeeper {
public:
    explicit TypeKeeper(Pool& pool) : pool_(pool) {}

    /// `value` is what elements of `type` in a dataspace were read as; one held in place gets a node if need be.
    void keep(Value& value, const h5::DatatypePtr& type, const h5::Dataspace& space);

private:
    Pool& pool_;
    std::unordered_map<std::string, Value> messages_;
    h5::DatatypePtr usual_;  ///< of the last tensor that needed no mark; and its dtype
    DType usual_dtype_ = DType::kFloat32;
};

/// The elements of a value in the type that it had.
struct RestoredElements {
    h5::WriteData data;  ///< with bytes, unless there is a blob
    BlobPtr blob;        ///< data that are computed when they are written
};

class TypeRestorer {
public:
    /// `target` gives the number of the object that a path leads to, or nullopt where there is none. `is_shared` tells
    /// nodes that are met elsewhere too: their sharing would be lost in another value's elements.
    TypeRestorer(std::function<std::optional<std::uint32_t>(const std::string& path)> target,
                 std::function<bool(const Node&)> is_shared)
        : target_(std::move(target)), is_shared_(std::move(is_shared)) {}

    /// The type that a mark says; nullopt where there is none.
    static std::optional<h5::WriteType> type_of(const Value& value);

    /// nullopt where there is no mark, or where the value has changed and is of that type no longer. Marks may come
    /// from anywhere, and are checked like any file.
    std::optional<RestoredElements> restore(const Value& value) const;

private:
    using Dims = std::vector<std::uint64_t>;
    struct Part {
        BlobPtr blob;
        std::vector<h5::HeapItem> items = {};
        std::vector<h5::ReferencePlace> references = {};
    };
    using MaybePart = std::optional<Part>;

    MaybePart encode(const h5::Datatype& type, const Value& value, const Dims& dims, bool is_outermost) const;
    MaybePart numbers(const h5::Datatype& type, const Value& value, const Dims& dims, bool is_outermost) const;
    MaybePart records(const h5::Datatype& type, const Value& value, const Dims& dims) const;
    MaybePart listed(const h5::Datatype& type, const Value& value, const Dims& dims) const;
    bool add_item(const h5::Datatype& type, const Value& value, std::string& bytes, Part& part) const;
    bool add_sequence(const h5::Datatype& type, const Value& value, h5::HeapItem& item) const;

    std::function<std::optional<std::uint32_t>(const std::string& path)> target_;
    std::function<bool(const Node&)> is_shared_;
};

}  // namespace ckpt::hdf5
