// torch.export before torch 2.8: an archive without a folder, of archives of torch.save.
#include <algorithm>

#include "formats/shared/torch/object.hpp"
#include "formats/torch/read_zip.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kProgram = "serialized_exported_program.json";

/// What torch.save wrote of a part; torch 2.1 named it `.json` all the same.
struct Part {
    std::string_view name;
    std::string_view members[2];
};
constexpr Part kParts[] = {{"state_dict", {"serialized_state_dict.pt", "serialized_state_dict.json"}},
                           {"constants", {"serialized_constants.pt", "serialized_constants.json"}}};

const ZipMember* find(const ZipDirectory& zip, std::string_view name) {
    const auto& members = zip.members();
    const auto found =
        std::find_if(members.begin(), members.end(), [&](const ZipMember& member) { return member.name == name; });
    return found == members.end() ? nullptr : &*found;
}

}  // namespace

bool is_old_export(const ZipDirectory& zip) {
    return find(zip, kProgram) != nullptr;
}

void read_old_export(const ZipDirectory& zip, const Context& context, Document& document) {
    document.producer = "torch 2.1 to 2.7";
    Pool& pool = document.pool();
    document.root = pool.dict();
    for (const Part& part : kParts) {
        const ZipMember* member = nullptr;
        for (const std::string_view name : part.members) member = member != nullptr ? member : find(zip, name);
        if (member == nullptr) {
            if (part.name == "state_dict") throw_damaged("has no weights: no member '{}'", part.members[0]);
            continue;
        }
        if (member->size_bytes == 0) {  // torch writes nothing for none
            document.root.dict().entries.emplace_back(pool.string(std::string(part.name)), pool.dict());
            continue;
        }
        try {
            const BlobPtr blob = zip.blob(*member, context.limits.max_inline_bytes);
            document.root.dict().entries.emplace_back(pool.string(std::string(part.name)),
                                                      read_torch_object(blob, member->name, document, context));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            throw_error(error.code() == ErrorCode::kNotCheckpoint ? ErrorCode::kDamaged : error.code(),
                        "member '{}': {}", member->name, error.message());
        }
    }
}

}  // namespace ckpt
