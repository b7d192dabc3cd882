// Tensors as the calls that torch.save pickles, and storages as persistent ids.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/shared/pickle/pickle.hpp"
#include "libckpt/document.hpp"

namespace ckpt {

/// Hooks for write_pickle. After writing, `storages()` are the records to write, in the order of their keys 0, 1, 2,
/// ...
class TorchLowering final : public PickleWriterHooks {
public:
    /// Looks through the document once: storages that tensors of several dtypes share can only be written untyped.
    explicit TorchLowering(const Document& document);

    std::optional<Value> persistent_id(Pool& scratch, const Node& node) override;
    bool must_lower(const Node& node) override;
    std::optional<Value> lower(Pool& scratch, Value value) override;
    /// Forgets what belongs to one pickle; storages and their keys stay. Between two calls of write_pickle.
    void next_pickle();

    /// Why a tensor cannot be written, or empty.
    static std::string_view obstacle(const TensorNode& tensor);
    /// Classes that were written as tagged dicts, in order of appearance.
    const std::vector<std::string>& tagged_types() const noexcept { return tagged_types_; }
    /// Objects made with keyword arguments need pickle protocol 4.
    bool needs_protocol_4() const noexcept { return needs_protocol_4_; }

    const std::vector<StoragePtr>& storages() const noexcept { return storages_; }

private:
    struct Call {
        std::string callable;
        std::vector<Value> args;
    };
    Value global(Pool& scratch, const std::string& name);
    Value call(Pool& scratch, Call call);
    Value integers(Pool& scratch, const std::vector<std::int64_t>& numbers);
    Value hooks(Pool& scratch, const TensorNode& tensor);
    Value storage_value(Pool& scratch, const StoragePtr& storage, DType dtype, bool untyped);
    Call view_call(Pool& scratch, const TensorNode& tensor);
    Call tensor_call(Pool& scratch, const TensorNode& tensor);
    Call nested_call(Pool& scratch, const TensorNode& tensor);
    Call jagged_call(Pool& scratch, const TensorNode& tensor);
    Value lower_tensor(Pool& scratch, const TensorNode& tensor);
    Value tagged(Pool& scratch, Value value);
    void note_tagged(const std::string& type);
    /// A dict or set whose keys Python can hash; others stay as they are.
    Value hashable(Pool& scratch, const Value& value);

    std::unordered_map<const Storage*, bool> mixed_;  ///< storages that need to be untyped
    std::unordered_map<const Storage*, std::size_t> keys_;
    std::vector<StoragePtr> storages_;
    std::vector<Value> key_texts_;
    std::map<std::pair<const Storage*, std::string>, Value> storage_values_;
    std::unordered_map<std::string, Value> globals_;
    std::unordered_map<std::string, Value> texts_;
    Value storage_word_;
    std::vector<std::string> tagged_types_;
    bool needs_protocol_4_ = false;
};

}  // namespace ckpt
