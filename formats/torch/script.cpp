// TorchScript: what the code of an archive says of its classes, so far as names of tensors depend on it.
#include <algorithm>
#include <unordered_map>

#include "formats/torch/read_zip.hpp"
#include "libckpt/module_state.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kModules = "__torch__.";

struct ClassNames {
    std::vector<std::string> parameters, buffers;
};

/// The names in `["weight", "bias", ]`.
std::vector<std::string> quoted_names(std::string_view text) {
    std::vector<std::string> names;
    for (std::size_t at = text.find('"'); at != std::string_view::npos; at = text.find('"', at + 1)) {
        const std::size_t end = text.find('"', at + 1);
        if (end == std::string_view::npos) break;
        names.emplace_back(text.substr(at + 1, end - at - 1));
        at = end;
    }
    return names;
}

/// Classes of one source file. They begin with `class NAME(Module):`, `__parameters__ = [...]`, `__buffers__ = [...]`.
void read_classes(std::string_view text, const std::string& module,
                  std::unordered_map<std::string, ClassNames>& classes) {
    ClassNames* open = nullptr;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        at = end + 1;
        constexpr std::string_view kClass = "class ";
        constexpr std::string_view kParameters = "  __parameters__ = ";
        constexpr std::string_view kBuffers = "  __buffers__ = ";
        if (line.starts_with(kClass)) {
            const std::size_t bracket = line.find('(');
            open = nullptr;
            if (bracket != std::string_view::npos && line.substr(bracket).starts_with("(Module)"))
                open = &classes[module + "." + std::string(line.substr(kClass.size(), bracket - kClass.size()))];
        } else if (open != nullptr && line.starts_with(kParameters)) {
            open->parameters = quoted_names(line);
        } else if (open != nullptr && line.starts_with(kBuffers)) {
            open->buffers = quoted_names(line);
        }
    }
}

Value name_list(Pool& pool, const std::vector<std::string>& names) {
    const Value list = pool.list();
    for (const std::string& name : names) list.sequence().items.push_back(pool.string(name));
    return list;
}

}  // namespace

void mark_script_modules(const TorchArchive& archive, const Context& context, Document& document) {
    std::unordered_map<std::string, ClassNames> classes;
    const std::string folder = archive.prefix() + "/code/";
    std::uint64_t budget = context.limits.max_inline_bytes;
    for (const auto& member : archive.zip().members()) {
        const std::string_view name = member.name;
        if (!name.starts_with(folder) || !name.ends_with(".py") || member.size_bytes > budget) continue;
        budget -= member.size_bytes;
        std::string module(name.substr(folder.size(), name.size() - folder.size() - 3));
        std::replace(module.begin(), module.end(), '/', '.');
        read_classes(read_all(*archive.zip().blob(member, context.limits.max_inline_bytes), member.size_bytes), module,
                     classes);
    }
    Pool& pool = document.pool();
    walk(document.root, [&](const Visit& visit) {
        if (!visit.value.is(Kind::kObject) || visit.same_as != nullptr || !visit.value.type().starts_with(kModules))
            return WalkStep::kInto;
        const auto known = classes.find(std::string(visit.value.type()));
        if (known == classes.end()) return WalkStep::kInto;
        visit.value.node()->set_attribute(kModuleParameters, name_list(pool, known->second.parameters));
        visit.value.node()->set_attribute(kModuleBuffers, name_list(pool, known->second.buffers));
        return WalkStep::kInto;
    });
}

}  // namespace ckpt
