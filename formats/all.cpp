// The only file that names all layouts.
#include "formats/all.hpp"

#include "formats/blackit/blackit_format.hpp"
#include "formats/dcp/dcp_format.hpp"
#include "formats/hdf5/hdf5_format.hpp"
#include "formats/jld2/jld2_format.hpp"
#include "formats/native/native_format.hpp"
#include "formats/npy/npy_format.hpp"
#include "formats/pickle/pickle_format.hpp"
#include "formats/pyhopper/pyhopper_format.hpp"
#include "formats/safetensors/safetensors_format.hpp"
#include "formats/torch/neighbours.hpp"
#include "formats/torch/torch_format.hpp"
#include "formats/zero/zero_format.hpp"

namespace ckpt {

Registry all_formats() {
    std::vector<std::unique_ptr<Format>> formats;
    formats.push_back(make_native_format());
    formats.push_back(make_torch_format());
    for (auto& neighbour : make_torch_neighbours()) formats.push_back(std::move(neighbour));
    formats.push_back(make_hdf5_format());
    formats.push_back(make_jld2_format());
    formats.push_back(make_pyhopper_format());
    formats.push_back(make_pickle_format());
    formats.push_back(make_npy_format());
    formats.push_back(make_npz_format());
    formats.push_back(make_blackit_format());
    formats.push_back(make_blackit_sqlite_format());
    formats.push_back(make_safetensors_format());
    formats.push_back(make_zero_format());
    formats.push_back(make_dcp_format());
    formats.push_back(make_dcp_safetensors_format());
    return Registry(std::move(formats));
}

}  // namespace ckpt
