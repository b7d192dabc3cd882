// The only file that names all layouts.
#include "formats/all.hpp"

#include "formats/torch/torch_format.hpp"

namespace ckpt {

Registry all_formats() {
    std::vector<std::unique_ptr<Format>> formats;
    formats.push_back(make_torch_format());
    return Registry(std::move(formats));
}

}  // namespace ckpt
