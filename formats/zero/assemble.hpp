// Parameters put together from the pieces that the ranks have of them (README: "Partitions").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/zero/folder.hpp"
#include "libckpt/value.hpp"

namespace ckpt::zero {

/// Makes the tensors of one folder. Nothing is read but the files' indices: a tensor's bytes are slices of the
/// partitions.
class Assembly {
public:
    /// Throws Error (kDamaged) where shapes and partitions do not fit each other. Folder and pool must outlive this.
    Assembly(const Folder& folder, Pool& pool);

    /// What zero_to_fp32.py gives: buffers as float32, frozen parameters, trained ones, and the names that share one.
    Value model();
    /// {state: {name: {...}}, param_groups}: what the ranks' optimizers hold, under the parameters' names.
    Value optimizer();
    /// Entries of the model file that are not DeepSpeed's own.
    Value client();

private:
    struct Parameter {
        Value name;
        SizeList shape;
        std::uint64_t count = 0;
    };
    /// Parameters whose elements lie one behind the other.
    struct Group {
        std::vector<Parameter> parameters;
        std::vector<std::vector<Value>> flat;  ///< by rank: vectors that are read as one
    };
    /// The elements of a group: of all ranks up to stage 2, of each at stage 3.
    struct Flat {
        DType dtype = DType::kFloat32;
        bool requires_grad = false;
        std::vector<BlobPtr> ranks;
        std::vector<std::uint64_t> counts;  ///< elements of each
    };

    std::uint64_t ranks() const { return folder_.optimizers.size(); }
    const DictNode& model_file() const { return folder_.models.front().document.root.dict(); }
    [[noreturn]] void fail(const Part& part, const std::string& what) const;
    const DictNode* dict_of(const Part& part, std::string_view key) const;
    std::vector<Parameter> parameters_of(const DictNode& shapes) const;
    void find_groups();
    /// `counts`: how many elements of each rank's count, where vectors may be longer; empty: all.
    Flat flatten(const std::vector<std::vector<Value>>& by_rank, const std::vector<std::uint64_t>& counts,
                 std::string_view what) const;
    void check_size(const Group& group, const Flat& flat) const;
    /// One tensor for each parameter of the group.
    std::vector<Value> cut(const Group& group, const Flat& flat);
    Value make_tensor(const Parameter& parameter, const Flat& flat, StoragePtr storage, std::uint64_t offset);
    void add_buffers(DictNode& model);
    void add_frozen(DictNode& model);
    void add_shared(DictNode& model);
    const Value* base_state(const Part& part) const;
    /// What a rank's optimizer holds of a flat vector; nullptr where it holds nothing.
    const DictNode* state_of(const Part& part, std::size_t vector) const;
    void add_state(std::size_t group, const std::vector<std::size_t>& vectors, DictNode& result);
    Value param_groups();

    const Folder& folder_;
    Pool& pool_;
    std::vector<Group> groups_;
    std::vector<std::vector<Value>> names_;  ///< of each group as the model file has them
    std::vector<Flat> flats_;
};

}  // namespace ckpt::zero
