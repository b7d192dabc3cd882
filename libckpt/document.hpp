// A checkpoint in memory: its value tree now, its bytes on demand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libckpt/error.hpp"
#include "libckpt/value.hpp"

namespace ckpt {

/// The class of an object that stands where nothing could be read.
inline constexpr std::string_view kDamagedType = "damaged";

/// What a format reads and writes. Movable; keeps its nodes alive. Const use from several threads is safe.
struct Document {
    Value root;
    /// Facts about the file, prefixed with the format that owns them ("torch:byteorder"). A writer reads only its own
    /// prefix.
    NamedValues attributes;
    std::string format;    ///< name of the layout that was read ("torch")
    std::string producer;  ///< who wrote it, for people ("torch 2.7 or later"); empty if unknown
    /// Size of the file that it was read from, or of all whose pools it adopted; 0 if it was not read.
    std::uint64_t source_bytes = 0;
    /// Why parts of the file could not be read, in the order they were met; each names its part. In their place stand
    /// objects of the type kDamagedType. A layout whose parts do not hang together throws instead.
    std::vector<Error> damage;
    /// Names that the file says stand for another entry of the root: tied tensors, where the layout has no ties. They
    /// are no part of the tree before `add_aliases`.
    std::vector<std::pair<std::string, std::string>> aliases;
    /// The pools that own the nodes: the first is this document's own, others those of the documents it was made from.
    std::vector<std::shared_ptr<Pool>> pools;

    Document() : pools{std::make_shared<Pool>()} {}
    Pool& pool() { return *pools.front(); }
    const Value* attribute(std::string_view name) const noexcept;
    void set_attribute(std::string_view name, Value value);
    /// Keeps the nodes of `other` alive in this document, which then counts as made from its file.
    void adopt_pools(const Document& other);
};

/// A tensor that shows what another shows, with the same storage.
Value tied_tensor(Pool& pool, const TensorNode& tensor);

/// Puts the aliases into the root, each as a tensor tied to that for which it stands; for who takes the document
/// further.
void add_aliases(Document& document);

}  // namespace ckpt
