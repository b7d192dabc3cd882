// The root, and who wrote the file.
#include "formats/jld2/read_document.hpp"

#include <fmt/format.h>

#include "formats/jld2/names.hpp"
#include "formats/jld2/notes.hpp"
#include "formats/jld2/object_reader.hpp"

namespace ckpt::jld2 {
namespace {

/// "0.1.1" and "Julia 1.5.3" of "... version 0.1.1\0 (Julia 1.5.3 64-bit LE)\0".
struct HeaderFacts {
    std::string version;
    std::string program;
};
HeaderFacts header_facts(std::string_view head) {
    HeaderFacts facts;
    if (!head.starts_with(kFileHeader)) return facts;
    head = head.substr(kFileHeader.size(), kUserBlockBytes - kFileHeader.size());
    facts.version = head.substr(0, head.find('\0'));
    const auto open = head.find('(');
    if (open == std::string_view::npos) return facts;
    const std::string_view words = head.substr(open + 1, head.find(')', open) - open - 1);
    facts.program = words.substr(0, words.find(' ', words.find(' ') + 1));
    return facts;
}

std::string producer_of(const HeaderFacts& facts) {
    if (facts.program.starts_with("ckpt")) return "ckpt";
    if (facts.version.empty()) return "";
    // The version of the format changed between these releases only.
    const std::string_view release = facts.version.starts_with("0.1.") ? "0.4 or earlier" : "0.5 or later";
    return fmt::format("JLD2 {}{}{}", release, facts.program.empty() ? "" : ", ", facts.program);
}

}  // namespace

Document read_document(std::shared_ptr<const h5::H5File> file, const Source& source, const Context& context) {
    Document document;
    document.format = "jld2";
    document.producer = producer_of(header_facts(source.head));
    ObjectReader reader(std::move(file), source.path, document, context);
    document.root = reader.read_root();
    apply_notes(document, reader.noted());
    return document;
}

}  // namespace ckpt::jld2
