// What the calls in a data.pkl mean: storages and tensors out of torch's rebuild functions (formats/torch/README.md:
// "Rebuild functions").
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/torch/storages.hpp"

namespace ckpt {

/// Hooks for read_pickle. Tensors come out as TensorNodes that keep the call as their recipe; what is not understood
/// stays an inert object.
class TorchRebuilder : public PickleReaderHooks {
public:
    /// The source must outlive this.
    TorchRebuilder(const StorageSource& source, const Context& context) : source_(source), context_(context) {}

    Value persistent_load(Pool& pool, Value id) override;
    Node* construct(Pool& pool, std::unique_ptr<Recipe>& recipe) override;
    bool is_done_with_arguments() const override { return true; }
    /// Whether the pickle named the storage with this key.
    bool knows_storage(std::string_view key) const { return storages_.count(std::string(key)) != 0; }
    /// Checks every tensor that was made, also those that no path leads to (inside of another's recipe). Throws Error
    /// (kDamaged).
    void check_all_bounds() const;

protected:
    /// A storage by itself, as a tensor of its class; the same node for the same key and class.
    Value storage_value(Pool& pool, const StorageId& id);
    /// A storage that no persistent id names, in the same form.
    static TensorNode* make_storage(Pool& pool, const StorageClass& cls, StoragePtr storage, std::uint64_t count);
    /// A tensor that will be checked against its storage.
    TensorNode* make_tensor(Pool& pool);
    const StorageSource& source() const noexcept { return source_; }

private:
    struct Loaded {
        StoragePtr storage;
        std::string first_class;
        bool byte_like = false;
    };
    StoragePtr load_storage(const StorageId& id);
    TensorNode* rebuild(Pool& pool, const std::string& function, const Value& args);
    TensorNode* rebuild_view(Pool& pool, const std::string& function, const std::vector<Value>& args);
    TensorNode* rebuild_parameter(Pool& pool, const std::vector<Value>& args);
    TensorNode* rebuild_from_type(Pool& pool, const std::vector<Value>& args);
    TensorNode* rebuild_quantized(Pool& pool, const std::vector<Value>& args);
    TensorNode* rebuild_sparse(Pool& pool, const std::vector<Value>& args);
    TensorNode* rebuild_meta(Pool& pool, const std::vector<Value>& args);
    TensorNode* rebuild_nested(Pool& pool, const std::vector<Value>& args);
    TensorNode* rebuild_jagged(Pool& pool, const std::vector<Value>& args);

    const StorageSource& source_;
    const Context& context_;
    std::vector<TensorNode*> views_;
    std::unordered_map<std::string, Loaded> storages_;
    std::map<std::pair<std::string, std::string>, Value> storage_values_;  // by key and class
};

/// A copy of everything but the node's type and recipe.
void copy_tensor(const TensorNode& from, TensorNode& to);

}  // namespace ckpt
