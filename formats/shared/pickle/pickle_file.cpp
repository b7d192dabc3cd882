// Loading, and the words for files that end early.
#include "formats/shared/pickle/pickle_file.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "formats/shared/pickle/dangerous.hpp"
#include "libckpt/check.hpp"
#include "libckpt/error.hpp"

namespace ckpt {

bool begins_like_pickle(std::string_view head) noexcept {
    if (head.empty() || head[0] != '\x80') return false;
    if (head.size() > 1 && static_cast<unsigned char>(head[1]) > 5) return false;
    return head.size() < 3 || head[2] != '\0';  // no opcode, but part of a length in other layouts
}

bool may_be_old_pickle(std::string_view head) noexcept {
    if (head.empty()) return false;
    // What can stand behind a mark or an empty container, or end a line of names, numbers and quoted text.
    const auto is_opcode = [](char c) {
        return std::string_view("(.0lditcpqrPQNIKMJLFGSTUVX]})aeusbRoj\x80").find(c) != std::string_view::npos;
    };
    const char first = head[0];
    if (std::string_view("(]})N").find(first) != std::string_view::npos) return head.size() == 1 || is_opcode(head[1]);
    if (std::string_view("KMJG").find(first) != std::string_view::npos) return true;
    if (std::string_view("cILFSVP").find(first) == std::string_view::npos) return false;
    const std::size_t end = head.find('\n');
    if (end == std::string_view::npos) return head.size() < 64;
    const std::string_view line = head.substr(1, end - 1);
    if (first == 'S') return line.starts_with('\'') || line.starts_with('"');
    if (first == 'V') return end + 1 == head.size() || is_opcode(head[end + 1]);
    return line.find(' ') == std::string_view::npos;
}

bool begins_like_search_state(std::string_view head) noexcept {
    return begins_like_pickle(head) && head.substr(0, kSearchStateHeadBytes).find("run_context") != std::string::npos;
}

PickleFile PickleFile::load(const Source& source, const Context& context) {
    PickleFile file;
    const BlobPtr blob = File::blob(source.file);
    if (!source.head.starts_with(kGzipSignature)) {
        if (source.size_bytes > context.limits.max_header_bytes)
            throw_damaged("a pickle of {} bytes, at most {} are read", source.size_bytes,
                          context.limits.max_header_bytes);
        file.bytes_ = read_all(*blob, context.limits.max_header_bytes);
        return file;
    }
    file.is_gzip_ = true;
    // A few bytes tell whether the rest is worth unpacking.
    const std::string head = gunzip_head(source.head, 64);
    if (!head.empty() && !begins_like_pickle(head) && !may_be_old_pickle(head))
        throw Error(ErrorCode::kDamaged, "is a gzip file of something that is no pickle");
    file.gzip_ = gunzip(*blob, context.limits.max_header_bytes, context);
    file.bytes_ = std::move(file.gzip_.bytes);
    if (file.bytes_.empty())
        throw_damaged("{}: nothing decodes",
                      file.gzip_.problem.empty() ? "the gzip data are empty" : file.gzip_.problem);
    return file;
}

Value PickleFile::read(std::size_t offset_bytes, Pool& pool, PickleReaderHooks& hooks, const Context& context,
                       PickleFacts& facts) const {
    try {
        const Value value = read_pickle(std::string_view(bytes_).substr(offset_bytes), pool, hooks, context, &facts);
        warn_of_globals(facts.globals, context);
        return value;
    } catch (const Error& error) {
        warn_of_globals(facts.globals, context);
        if (error.code() != ErrorCode::kDamaged || gzip_.problem.empty()) throw;
        throw_damaged("{}; {} bytes decode, and there {}", gzip_.problem, bytes_.size(), error.message());
    }
}

std::vector<Finding> verify_by_reading(const Format& format, const Source& source, VerifyLevel level,
                                       const Context& context) {
    std::vector<Finding> findings;
    Context listening = context;
    listening.on_warning = [&findings](std::string_view text) {
        findings.push_back({Finding::Severity::kWarning, "", std::string(text)});
    };
    try {
        const Document document = format.read(source, listening);
        for (const Error& error : document.damage) findings.push_back(finding_of(error));
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kDamaged) throw;
        findings.push_back({Finding::Severity::kDamage, "", error.message()});
        return findings;
    }
    if (level == VerifyLevel::kQuick || !source.head.starts_with(kGzipSignature)) return findings;
    // Programs stop where the pickle does, and do not see what the checksum behind it says.
    const Gunzipped gzip = gunzip(*File::blob(source.file), context.limits.max_header_bytes, context);
    if (gzip.end == GzipEnd::kWhole) return findings;
    std::erase_if(findings, [&](const Finding& finding) { return finding.what.starts_with(gzip.problem); });
    findings.push_back({Finding::Severity::kDamage, "", gzip.problem});
    return findings;
}

WritePlan plan_of_bytes(std::string bytes) {
    WritePlan plan;
    PlannedFile file;
    file.extents.push_back({LiteralExtent{std::move(bytes)}});
    plan.files.push_back(std::move(file));
    return plan;
}

}  // namespace ckpt
