// A checkpoint in memory: its value tree now, its bytes on demand.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// What a format reads and writes. Movable; keeps its nodes alive. Const use from several threads is safe.
struct Document {
    Value root;
    /// Facts about the file, prefixed with the format that owns them ("torch:byteorder"). A writer reads only its own
    /// prefix.
    NamedValues attributes;
    std::string format;    ///< name of the layout that was read ("torch")
    std::string producer;  ///< who wrote it, for people ("torch 2.7 or later"); empty if unknown
    /// The pools that own the nodes: the first is this document's own, others those of the documents it was made from.
    std::vector<std::shared_ptr<Pool>> pools;

    Document() : pools{std::make_shared<Pool>()} {}
    Pool& pool() { return *pools.front(); }
    const Value* attribute(std::string_view name) const noexcept;
    void set_attribute(std::string_view name, Value value);
    /// Keeps the nodes of `other` alive in this document.
    void adopt_pools(const Document& other);
};

}  // namespace ckpt
