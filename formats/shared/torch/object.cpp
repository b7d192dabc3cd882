// An archive read whole: its pickle, and what hangs on it.
#include "formats/shared/torch/object.hpp"

#include "formats/shared/pickle/dangerous.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/torch/archive.hpp"
#include "formats/shared/torch/rebuild.hpp"
#include "formats/shared/torch/storage_types.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {

void settle_torch_values(const Value& root, const Context& context) {
    std::size_t visits = 0;
    walk(
        root,
        [&](const Visit& visit) {
            if ((++visits & 0xfff) == 0) context.check_cancelled();
            Node* node = visit.value.node();
            if (visit.same_as != nullptr || node == nullptr) return WalkStep::kInto;
            if (visit.value.is(Kind::kTensor)) {
                TensorNode& tensor = visit.value.tensor();
                if (tensor.layout == "pending") throw_damaged("array '{}' has no contents", visit.path);
                if (tensor.layout.empty() || tensor.layout == "meta") tensor.check_bounds(visit.path);
            } else if (visit.value.is(Kind::kObject) && node->recipe) {
                const Recipe& recipe = *node->recipe;
                if (recipe.how == Recipe::How::kGlobal && node->type.empty() && recipe.callable.starts_with("torch.")) {
                    if (torch_dtype(recipe.callable)) {
                        node->type = "torch.dtype";
                    } else if (recipe.callable.starts_with("torch.per_tensor_") ||
                               recipe.callable.starts_with("torch.per_channel_")) {
                        node->type = "torch.qscheme";
                    }
                } else if (recipe.callable == "torch.serialization._get_layout") {
                    node->type = "torch.layout";
                }
            }
            return WalkStep::kInto;
        },
        100000);
}

Value read_torch_object(const BlobPtr& bytes, const std::string& file, Document& document, const Context& context) {
    const TorchArchive archive = TorchArchive::open(bytes, file, context);
    if (archive.kind() == ArchiveKind::kPackage || archive.kind() == ArchiveKind::kExport)
        throw Error(ErrorCode::kUnsupported, "is an archive of torch.package or torch.export, not of torch.save");
    const std::string pickle = archive.pickle(context);
    TorchRebuilder rebuilder(archive, context);
    PickleFacts facts;
    const Value root = read_pickle(pickle, document.pool(), rebuilder, context, &facts);
    warn_of_globals(facts.globals, context);
    settle_torch_values(root, context);
    rebuilder.check_all_bounds();
    return root;
}

}  // namespace ckpt
