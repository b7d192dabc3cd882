// Documents made up from a seed: every kind of value, sharing, strides, odd keys.
#pragma once

#include <cstdint>
#include <string_view>

#include "libckpt/document.hpp"

namespace ckpt::test {

struct GenerateOptions {
    std::uint64_t seed = 1;
    int max_depth = 5;
    int max_items = 6;
    bool with_objects = true;  ///< classes with constructor arguments and state
    bool with_cycles = false;
    bool with_views =
        true;  ///< false: tensors are row-major and the whole of their storage, of types that safetensors has
};

/// The same seed gives the same document on every machine.
Document generate_document(const GenerateOptions& options);

/// A document that a layout can hold: anything for most, arrays for NumPy's, a search for pyhopper's, tensors without
/// strides for safetensors.
Document generate_for(std::string_view layout, const GenerateOptions& options);

}  // namespace ckpt::test
