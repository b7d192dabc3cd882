// The global heap of a file that is written: what elements of variable length hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/shared/h5/write.hpp"
#include "formats/shared/h5/write_bytes.hpp"

namespace ckpt::h5 {

/// Where in the file the address of an object is to be written.
struct AddressPlace {
    std::uint64_t at = 0;
    std::uint32_t target = 0;
};

/// Objects of global heap collections. Addresses are final at once: collections stand before everything else.
class ElementHeap {
public:
    explicit ElementHeap(std::uint64_t start) : area_(start) {}

    /// 16 bytes per text, to stand in the data.
    std::string add(const std::vector<std::string>& texts);
    /// Fills the places of items in `bytes`. Recursion is as deep as the datatype.
    void add(std::string& bytes, const std::vector<HeapItem>& items);
    /// Ends the last collection; all collections, in a row.
    std::string& finish();
    /// References within what was added.
    const std::vector<AddressPlace>& addresses() const { return addresses_; }

private:
    std::string add(std::string_view content, std::uint32_t count, const std::vector<ReferencePlace>& references);

    MetadataArea area_;
    std::string body_;  ///< of the collection under construction
    unsigned objects_ = 0;
    std::vector<AddressPlace> addresses_;
};

}  // namespace ckpt::h5
