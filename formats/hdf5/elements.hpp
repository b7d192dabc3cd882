// Elements of datasets and attributes as values.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "formats/shared/h5/h5.hpp"
#include "libckpt/document.hpp"

namespace ckpt::hdf5 {

/// Turns elements into values. References are gathered; their paths are known when the whole file is.
class ElementReader {
public:
    ElementReader(const h5::H5File& file, Pool& pool, const Context& context)
        : file_(file), pool_(pool), context_(context) {}

    /// A number, text, tensor, list, or dict of columns. `data` has all elements, row-major, as the file has them.
    /// Throws Error (kUnsupported) naming the type that is not read.
    Value value(const h5::Datatype& type, const h5::Dataspace& space, const BlobPtr& data);

    struct PendingReference {
        StringNode* path;
        std::uint64_t address;
    };
    const std::vector<PendingReference>& references() const noexcept { return references_; }

private:
    using Dims = std::vector<std::uint64_t>;
    Value tensor(DType dtype, const Dims& dims, BlobPtr data);
    Value raw_elements(const h5::Datatype& type, Dims dims, BlobPtr data);
    Value columns(const h5::Datatype& type, const Dims& dims, const BlobPtr& data);
    Value nested(const h5::Datatype& type, const Dims& dims, const BlobPtr& data);
    Value item(const h5::Datatype& type, std::string_view element);
    Value reference(const h5::Datatype& type, std::string_view element);
    void add_region(const h5::Selection& region, std::vector<std::pair<std::string, Value>>& state);

    const h5::H5File& file_;
    Pool& pool_;
    const Context& context_;
    std::vector<PendingReference> references_;
    std::set<std::uint16_t> rounded_bits_;  ///< widths of floats that were warned of
    std::uint64_t items_ = 0;
};

/// An object of one of HDF5's own classes.
Value hdf5_object(Pool& pool, std::string_view type, const std::vector<std::pair<std::string, Value>>& state);

}  // namespace ckpt::hdf5
