// Tensors of any layout in pickles that have no storages beside them: NumPy arrays that share their buffers, and back.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/shared/pickle/pickle.hpp"
#include "libckpt/document.hpp"
#include "libckpt/format.hpp"

namespace ckpt {

/// Hooks for write_pickle. A tensor becomes `numpy.ndarray(shape, dtype, buffer, offset, strides)` over a bytearray
/// that all views of one storage share, so that Python sees the same values, strides and ties; what an array cannot say
/// (bfloat16, a class, requires_grad) is metadata of its dtype under "ckpt". Tensors without data of their own (sparse,
/// nested, meta) and classes that Python lacks become dicts tagged `__type__`. Arrays that came from a pickle are
/// written by the call that made them.
class ArrayLowering final : public PickleWriterHooks {
public:
    explicit ArrayLowering(const Document& document);

    bool must_lower(const Node& node) override;
    std::optional<Value> lower(Pool& scratch, Value value) override;

    /// What cannot be written: keys that contain themselves.
    static std::vector<Loss> losses(const Document& document);
    /// Classes that were written as tagged dicts, in order of appearance.
    const std::vector<std::string>& tagged_types() const noexcept { return tagged_types_; }
    /// Objects made with keyword arguments need pickle protocol 4.
    bool needs_protocol_4() const noexcept { return needs_protocol_4_; }
    /// Forgets what belongs to one pickle. Between two calls of write_pickle.
    void next_pickle() { buffers_.clear(); }

private:
    bool is_plain_array(const TensorNode& tensor) const;
    Value array_call(Pool& scratch, const TensorNode& tensor);
    Value tagged_tensor(Pool& scratch, const TensorNode& tensor);
    Value buffer(Pool& scratch, const StoragePtr& storage);
    void note_tagged(const std::string& type);

    std::unordered_map<const Storage*, std::size_t> views_;  ///< tensors that look into a storage
    std::unordered_map<const Storage*, Value> buffers_;
    std::vector<std::string> tagged_types_;
    bool needs_protocol_4_ = false;
};

/// Hooks for read_pickle: the way back.
class ArrayReader final : public PickleReaderHooks {
public:
    Node* construct(Pool& pool, std::unique_ptr<Recipe>& recipe) override;

    /// Once all is read: puts back what tagged dicts stand for, tensors included, and checks that every array has its
    /// contents. Throws Error (kDamaged).
    void settle(Document& document);

private:
    TensorNode* restored_tensor(Pool& pool, const DictNode& dict);
    void restore_tensors(Document& document);
    StoragePtr storage_of(const Value& buffer, std::string_view location);

    std::unordered_map<const Node*, StoragePtr> storages_;  // by the bytearray
};

}  // namespace ckpt
