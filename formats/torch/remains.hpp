// What is left of a damaged checkpoint of torch: storages that are not all there, and a tree without their tensors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "formats/shared/torch/storages.hpp"
#include "libckpt/document.hpp"
#include "libckpt/format.hpp"

namespace ckpt {

/// How much of a storage is there.
struct StoragePart {
    std::uint64_t whole_bytes = 0;  ///< from its beginning on
    std::string why;                ///< it is not all
};

/// Gives what there is of each storage, zeros behind it, and remembers which are not whole.
class Remains : public StorageSource {
public:
    BlobPtr storage_bytes(const StorageId& id, const Context&) const override;
    /// nullptr: all of the storage is there.
    const StoragePart* part(const Storage& storage) const;
    /// A blob that is so many bytes of another one that came from here.
    void add_view(const Blob& view, const Blob& whole, std::uint64_t from_bytes, std::uint64_t size_bytes) const;

protected:
    /// The storage's bytes as far as they are there; `part` says how many are, and why not all.
    virtual BlobPtr part_of(const StorageId& id, StoragePart& part) const = 0;
    void set_big_endian() noexcept { is_big_ = true; }

private:
    bool is_big_ = false;
    mutable std::unordered_map<const Blob*, StoragePart> parts_;
};

/// What could be taken of a damaged checkpoint; `document.damage` lists what is lost.
struct Salvaged {
    Document document;
    std::vector<std::pair<std::string, std::uint64_t>> whole;  ///< paths and bytes of tensors
    std::uint64_t whole_bytes = 0;
    std::uint64_t lost = 0;
    std::string note;
};

/// Takes the tensors that are not whole out of the tree: entries of dicts are left out, elsewhere None stands for them.
/// Then settles what rebuilding left (`settle_torch_values`).
void settle_remains(Salvaged& salvaged, const Remains& remains, const Context& context);

/// Each tensor that is lost, each that is whole, and a sum; without the damage whose text begins with `but`.
std::vector<Finding> findings_of(const Salvaged& salvaged, std::string_view but = "\n");

}  // namespace ckpt
