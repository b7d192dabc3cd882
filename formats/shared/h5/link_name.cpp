// Names for keys.
#include "formats/shared/h5/link_name.hpp"

#include "formats/shared/h5/text.hpp"
#include "libckpt/path.hpp"

namespace ckpt::h5 {
namespace {

constexpr std::size_t kMaxNameBytes = 1000;  // far below what HDF5 can hold; longer keys stand in full in ckpt:keys

bool is_legal_name(std::string_view name) {
    return !name.empty() && name != "." && name.size() <= kMaxNameBytes &&
           name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

/// What no name may hold, as %XX; what is no UTF-8, as question marks.
std::string legible(std::string_view text) {
    if (text.empty()) return "%";
    if (text == ".") return "%2E";
    std::string name;
    for (std::size_t at = 0; at < text.size() && name.size() < kMaxNameBytes - 8;) {
        const std::size_t size = character_bytes(text, at);
        if (size == 0) {
            name += '?';
            at += 1;
        } else if (text[at] == '/' || text[at] == '\0') {
            name += text[at] == '/' ? "%2F" : "%00";
            at += 1;
        } else {
            name += text.substr(at, size);
            at += size;
        }
    }
    return name;
}

}  // namespace

LinkName link_name(const Value& key) {
    if (!key.is(Kind::kString) || !key.type().empty()) return {legible(key_text(key)), false};
    const std::string_view text = key.as_string();
    std::string name = text_to_name(text);
    if (is_legal_name(name) && name_to_text(name) == text) return {std::move(name), true};
    return {legible(text), false};
}

}  // namespace ckpt::h5
