// By attributes that each of the programs hangs on its objects.
#include "formats/hdf5/programs.hpp"

#include <algorithm>

namespace ckpt::hdf5 {

std::string producer_of(const OwnAttributes& root) {
    for (const h5::Attribute& attribute : root.foreign()) {
        if (attribute.name == "keras_version" || attribute.name == "backend") return "Keras";
        if (attribute.name == "PYTABLES_FORMAT_VERSION") return "PyTables";
        if (attribute.name == "_NCProperties") return "netCDF-4";
        if (attribute.name == "encoding-type") return "anndata";
    }
    return "";
}

bool is_matlab_array(const OwnAttributes& attributes) {
    const auto& all = attributes.foreign();
    return std::any_of(all.begin(), all.end(), [](const h5::Attribute& a) { return a.name == "MATLAB_class"; });
}

void reverse_axes(TensorNode& tensor) {
    std::reverse(tensor.shape.begin(), tensor.shape.end());
    tensor.stride = column_major_strides(tensor.shape);
}

}  // namespace ckpt::hdf5
