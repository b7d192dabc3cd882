// The header of a safetensors file: names, element types, shapes and places of its tensors
// (formats/safetensors/README.md: "Bytes").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/dtype.hpp"
#include "libckpt/file.hpp"

namespace ckpt::safetensors {

inline constexpr std::uint64_t kMostHeaderBytes = 100'000'000;  ///< as the specification says
inline constexpr std::uint64_t kPrefixBytes = 8;                ///< the header's length, little-endian

/// An element type as the header names it.
struct ElementType {
    std::string_view name;
    unsigned bits;
    std::optional<DType> dtype;  ///< nullopt: the model has none (the 6-bit floats); F4 is two in a byte
};
/// nullptr if there is none of that name. What is given lives as long as the program.
const ElementType* element_type(std::string_view name) noexcept;
const ElementType* element_type(DType dtype) noexcept;
/// Where the type stands in the order in which tensors are written: the widest first.
std::size_t write_rank(const ElementType& type) noexcept;

struct Entry {
    std::string name;
    const ElementType* type = nullptr;
    std::vector<std::int64_t> shape;  ///< in elements, as the header counts them
    std::uint64_t begin = 0;          ///< in bytes, from the end of the header
    std::uint64_t end = 0;
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct Header {
    std::vector<Entry> entries;  ///< in the order of their bytes, without gaps or overlaps
    std::optional<Metadata> metadata;
    std::uint64_t data_offset = 0;  ///< of the file
};

/// Whether the tensors have to end where the file does.
enum class FileEnd : bool { kChecked, kAny };

/// Reads and checks a file's header, strictly: everything that two readers could take differently is damage. Throws
/// Error (kDamaged) without a file name. Warns of what the specification does not allow but all readers take.
Header read_header(const File& file, const Context& context, FileEnd file_end = FileEnd::kChecked);

/// The header of a file with these entries, padded to a multiple of 8, behind its length. The bytes that the Python
/// package writes for them, with the keys of the metadata sorted.
std::string header_bytes(const std::vector<Entry>& entries, const std::optional<Metadata>& metadata);

}  // namespace ckpt::safetensors
