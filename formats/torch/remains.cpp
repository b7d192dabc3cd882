// The tensors whose bytes are not all there, and the tree without them.
#include "formats/torch/remains.hpp"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "formats/shared/torch/object.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

/// Bytes from the beginning of its storage up to the last that a view needs; all for those that are not laid out so.
std::uint64_t reach_of(const TensorNode& tensor) {
    const std::uint64_t all = tensor.storage->blob->size_bytes();
    const std::uint64_t width = dtype_width(tensor.dtype);
    if (width == 0 || !tensor.layout.empty()) return all;
    const auto count = tensor.element_count();
    if (!count) return all;
    if (*count == 0) return 0;
    std::uint64_t last = static_cast<std::uint64_t>(tensor.offset);
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
        last += static_cast<std::uint64_t>(tensor.shape[i] - 1) * static_cast<std::uint64_t>(tensor.stride[i]);
    return std::min(all, (last + 1) * width);
}

/// Why a tensor is not whole; empty where it is.
std::string loss_of(const TensorNode& tensor, const Remains& remains) {
    std::vector<const TensorNode*> todo{&tensor};
    while (!todo.empty()) {
        const TensorNode& part = *todo.back();
        todo.pop_back();
        if (part.storage) {
            try {
                part.check_bounds("");
            } catch (const Error& error) {
                return error.message();
            }
            const StoragePart* there = remains.part(*part.storage);
            if (there != nullptr && reach_of(part) > there->whole_bytes) return there->why;
        }
        for (const auto& [name, value] : part.parts) {
            if (value.is(Kind::kTensor) && todo.size() < 1000) todo.push_back(&value.tensor());
        }
        if (part.quantization) {
            for (const Value* value : {&part.quantization->scales, &part.quantization->zero_points}) {
                if (value->is(Kind::kTensor)) todo.push_back(&value->tensor());
            }
        }
    }
    return {};
}

/// Takes tensors that are not whole out of the tree.
void remove_lost(Document& document, const std::unordered_set<const Node*>& lost) {
    const auto is_lost = [&](const Value& value) { return value.node() != nullptr && lost.count(value.node()) != 0; };
    if (is_lost(document.root)) document.root = Value::null();
    walk(document.root, [&](const Visit& visit) {
        Node* node = visit.value.node();
        if (node == nullptr || visit.same_as != nullptr) return WalkStep::kInto;
        if (node->kind == Kind::kDict) {
            std::erase_if(static_cast<DictNode*>(node)->entries,
                          [&](const auto& entry) { return is_lost(entry.first) || is_lost(entry.second); });
        }
        for_each_value(*node, [&](Value& value) {
            if (is_lost(value)) value = Value::null();
        });
        return WalkStep::kInto;
    });
}

}  // namespace

BlobPtr Remains::storage_bytes(const StorageId& id, const Context&) const {
    StoragePart part;
    BlobPtr blob = part_of(id, part);
    if (blob == nullptr) blob = memory_blob("");  // of no bytes none can be missing
    if (part.whole_bytes < id.size_bytes) {
        BlobPtr rest = zero_blob(id.size_bytes - part.whole_bytes);
        blob = part.whole_bytes == 0 ? rest : joined_blob({slice_blob(blob, 0, part.whole_bytes), rest});
    }
    if (is_big_) blob = byte_swapped_blob(blob, id.cls.swap_width());
    if (part.whole_bytes < id.size_bytes) parts_.emplace(blob.get(), std::move(part));
    return blob;
}

const StoragePart* Remains::part(const Storage& storage) const {
    const auto found = parts_.find(storage.blob.get());
    return found != parts_.end() ? &found->second : nullptr;
}

void Remains::add_view(const Blob& view, const Blob& whole, std::uint64_t from_bytes, std::uint64_t size_bytes) const {
    const auto found = parts_.find(&whole);
    if (found == parts_.end() || found->second.whole_bytes >= from_bytes + size_bytes) return;
    StoragePart part = found->second;
    part.whole_bytes -= std::min(part.whole_bytes, from_bytes);
    parts_.emplace(&view, std::move(part));
}

void settle_remains(Salvaged& salvaged, const Remains& remains, const Context& context) {
    Document& document = salvaged.document;
    std::unordered_set<const Node*> lost;
    walk(document.root, [&](const Visit& visit) {
        if (!visit.value.is(Kind::kTensor)) return WalkStep::kInto;
        const TensorNode& tensor = visit.value.tensor();
        if (visit.same_as != nullptr) {
            if (lost.count(&tensor) != 0) {
                document.damage.emplace_back(ErrorCode::kDamaged,
                                             fmt::format("'{}' is lost: it is '{}'", visit.path, *visit.same_as));
            }
            return WalkStep::kInto;
        }
        const std::string why = loss_of(tensor, remains);
        if (why.empty()) {
            const std::uint64_t bytes = tensor.logical_bytes().value_or(0);
            salvaged.whole_bytes += bytes;
            salvaged.whole.emplace_back(visit.path, bytes);
            return WalkStep::kInto;
        }
        lost.insert(&tensor);
        ++salvaged.lost;
        document.damage.emplace_back(ErrorCode::kDamaged, fmt::format("'{}' is lost: {}", visit.path, why));
        return WalkStep::kOver;
    });
    if (!lost.empty()) remove_lost(document, lost);
    settle_torch_values(document.root, context);
}

std::vector<Finding> findings_of(const Salvaged& salvaged, std::string_view but) {
    std::vector<Finding> findings;
    // What `settle_remains` says of a tensor, with its path apart.
    const auto lost = [](const std::string& message) -> Finding {
        constexpr std::string_view kLost = "' is lost: ";
        const std::size_t end = message.starts_with("'") ? message.find(kLost) : std::string::npos;
        if (end == std::string::npos) return {Finding::Severity::kDamage, "", message};
        return {Finding::Severity::kDamage, message.substr(1, end - 1), message.substr(end + 2)};
    };
    for (const Error& error : salvaged.document.damage) {
        if (!error.message().starts_with(but)) findings.push_back(lost(error.message()));
    }
    for (const auto& [path, bytes] : salvaged.whole)
        findings.push_back({Finding::Severity::kNote, path, fmt::format("is whole, {} bytes", bytes)});
    if (!salvaged.note.empty()) findings.push_back({Finding::Severity::kNote, "", salvaged.note});
    findings.push_back({Finding::Severity::kNote, "",
                        fmt::format("{} of {} tensors that are named are whole, {} bytes{}", salvaged.whole.size(),
                                    salvaged.whole.size() + salvaged.lost, salvaged.whole_bytes,
                                    salvaged.whole.empty() ? "" : "; `ckpt extract --salvage` gets them out")});
    return findings;
}

}  // namespace ckpt
