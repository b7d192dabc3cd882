// What `.metadata` says: names, shapes, chunks, and where each is stored (README: "The metadata").
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/dtype.hpp"
#include "libckpt/size_list.hpp"

namespace ckpt::dcp {

/// Where an item is stored: a run of bytes in a file of the folder.
struct Place {
    std::string file;
    std::uint64_t offset_bytes = 0;
    std::uint64_t length_bytes = 0;
    std::vector<std::string> transforms;  ///< what was done to the bytes, first to last
};

/// A box of a tensor that one rank had.
struct Chunk {
    SizeList offsets;
    SizeList sizes;
    std::size_t place = 0;  ///< index into Metadata::places
};

/// One component of the path that an item has in the tree: a key, or a number in a list.
using PathPart = std::variant<std::string, std::int64_t>;

struct Item {
    std::string name;            ///< the flat one: "model.layers.0.weight"
    std::vector<PathPart> path;  ///< its true one
    bool is_tensor = false;
    DType dtype = DType::kFloat32;
    bool requires_grad = false;
    SizeList shape;
    std::vector<Chunk> chunks;  ///< of tensors, in the file's order
    std::size_t place = 0;      ///< of other values
    std::string problem;        ///< why it cannot be read, or empty

    /// The path with slashes, as messages name it.
    std::string shown_path() const;
};

struct Metadata {
    std::vector<Item> items;  ///< in the file's order, which is that of the dicts that torch loads
    std::vector<Place> places;
    std::vector<std::string> warnings;
    std::string producer;
    std::string structure;  ///< README: "What we add"; empty in torch's own
};

/// Reads the pickle, or those of several ranks that wrote each its own, and checks all that they say by themselves:
/// numbers, names of files, chunks that are to tile their tensors. What is wrong with one item is that item's
/// `problem`; what makes the whole senseless throws Error (kDamaged).
class MetadataReader {
public:
    MetadataReader();
    ~MetadataReader();
    void add(std::string_view pickle, const Context& context);
    Metadata finish();

private:
    class Reader;
    std::unique_ptr<Reader> reader_;
};

/// "[0, 4]"
std::string numbers_text(const SizeList& numbers);

}  // namespace ckpt::dcp
