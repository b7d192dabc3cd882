// A document as what a safetensors file holds: named tensors, and names that stand for others (README: "Written").
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "formats/shared/safetensors/header.hpp"
#include "libckpt/document.hpp"
#include "libckpt/format.hpp"

namespace ckpt::safetensors {

struct NamedTensor {
    std::string name;
    const TensorNode* tensor = nullptr;
    const ElementType* type = nullptr;
    std::vector<std::int64_t> shape;  ///< as the header counts it
};

struct Flat {
    std::shared_ptr<Pool> made = std::make_shared<Pool>();  ///< owns tensors that are of no document
    std::vector<NamedTensor> tensors;                       ///< in document order, tied ones once
    Metadata aliases;                                       ///< name, and the name of the tensor that it is
    std::string rest;                                       ///< what is no tensor, where that was asked for
    std::vector<Loss> losses;
    std::vector<std::string> notes;  ///< of what changes without being lost
};

enum class Rest : bool { kLose, kKeep };

Flat flatten(const Document& document, Rest rest);

}  // namespace ckpt::safetensors
