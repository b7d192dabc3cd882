// A document as HDF5, in the schema of README.md.
#pragma once

#include <cstdint>

#include "formats/shared/h5/write.hpp"
#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt::hdf5 {

/// Whether datasets are stored as the file that was read had them, where the document says how.
enum class Layouts : std::uint8_t { kChosen, kKept };

/// The plan of a file that holds the whole document. With a codec, tensors are stored in encoded chunks. Throws Error
/// (kRefused) where tensors have more than `most_bytes` together. Notes how many values cannot be written in the HDF5
/// type that they had (references to regions, or to what no path leads to): they are written as what is known of them.
WritePlan plan_document(const Document& document, h5::Codec codec, Layouts layouts, std::uint64_t most_bytes,
                        const Context& context);

}  // namespace ckpt::hdf5
