// Pickles: what is found in each, and where the next one is.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "formats/shared/pickle/pickle_file.hpp"
#include "formats/shared/scan/scanner.hpp"

namespace ckpt::scan {
namespace {

constexpr std::uint64_t kMostSearched = std::uint64_t{1} << 26;
constexpr std::size_t kMostName = 512;
constexpr std::size_t kMostTried = 200'000;
constexpr std::size_t kMostNested = 100'000;
constexpr std::string_view kGetattr = "builtins.getattr";

bool is_identifier_byte(char c) {
    const auto u = static_cast<unsigned char>(c);
    return u >= 0x80 || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/// Identifiers with dots between them.
bool is_dotted(std::string_view text) {
    bool is_start = true;
    for (const char c : text) {
        if (c == '.' && !is_start) {
            is_start = true;
            continue;
        }
        if (!is_identifier_byte(c) || (is_start && c >= '0' && c <= '9')) return false;
        is_start = false;
    }
    return !is_start && text.size() <= kMostName;
}
ScanFinding::Class class_of(GlobalClass cls) {
    return cls == GlobalClass::kDangerous ? ScanFinding::Class::kDangerous : ScanFinding::Class::kUnknown;
}

/// SHORT_BINUNICODE that ends where `end` is, or where a MEMOIZE before that is: its place and text.
std::optional<std::pair<std::size_t, std::string_view>> short_text_before(std::string_view bytes, std::size_t end) {
    for (int memoized = 0; memoized < 2; ++memoized) {
        if (memoized == 1 && (end == 0 || bytes[--end] != '\x94')) return std::nullopt;
        for (std::size_t size = 1; size < 256 && size + 2 <= end; ++size) {
            const std::size_t at = end - size - 2;
            if (bytes[at] != '\x8c' || static_cast<unsigned char>(bytes[at + 1]) != size) continue;
            const std::string_view text = bytes.substr(at + 2, size);
            if (is_dotted(text)) return std::pair(at, text);
        }
    }
    return std::nullopt;
}

std::string_view verb(AuditedCall::How how) {
    switch (how) {
        case AuditedCall::How::kCalled:
            return "called with ";
        case AuditedCall::How::kMade:
            return "made with ";
        case AuditedCall::How::kChanged:
            return "changed with the state ";
        default:
            return "given the state ";
    }
}

}  // namespace

/// Collects what one pickle does, until it is believed to be one.
class Scanner::Sink final : public AuditSink {
public:
    Sink(Scanner& scanner, std::string place, int depth, const StorageCheck& storages)
        : scanner_(scanner), place_(std::move(place)), depth_(depth), storages_(storages) {}

    void on_name(const AuditedName& name, std::uint64_t at) override {
        names_well_ = names_well_ || (name.is_known && is_dotted(name.module) && is_dotted(name.name));
        has_raw_arrays_ = has_raw_arrays_ || name.full == "joblib.numpy_pickle.NumpyArrayWrapper";
        ++names_;
        if (is_believed_) scanner_.count_name(name);
        if (!is_believed_) waiting_names_.push_back(name);
        if (waiting_names_.size() > kMostWaiting) believe();
        const GlobalClass cls = name.is_known ? classify_global(name.full) : GlobalClass::kUnknown;
        if (cls == GlobalClass::kHarmless) return;
        names_danger_ = names_danger_ || cls == GlobalClass::kDangerous;
        const std::string shown = name.is_known ? name.full : fmt::format("{} (a name that is computed)", name.full);
        find({class_of(cls), shown, std::string(kNamed), place_, at, 1});
    }

    void on_call(const AuditedCall& call, std::uint64_t at) override {
        first_call_at_ = std::min(first_call_at_, at);
        if (call.name == nullptr) {
            if (call.how == AuditedCall::How::kGaveState) {
                // State of what a harmless call made is data; of others the name itself was found.
                return;
            }
            const std::string what =
                call.maker != nullptr ? fmt::format("what {} gave", call.maker->full) : "what is no name";
            find({ScanFinding::Class::kUnknown, what, std::string(verb(call.how)) + call.shown, place_, at, 1});
            return;
        }
        const GlobalClass cls = call.name->is_known ? classify_global(call.name->full) : GlobalClass::kUnknown;
        if (takes_attribute(call)) {
            // The same as a name with one more dot.
            const std::string full = call.arguments[0].text + "." + call.arguments[1].text;
            const bool is_plain = is_member_of_enum(call);
            if (is_plain || classify_global(full) != GlobalClass::kDangerous) {
                excuse(call.name->full);
                if (!is_plain) find({ScanFinding::Class::kUnknown, full, "taken by getattr", place_, at, 1});
                return;
            }
        }
        if (cls == GlobalClass::kHarmless && call.how != AuditedCall::How::kChanged && is_harmless(call)) return;
        find({class_of(cls), call.name->full, std::string(verb(call.how)) + call.shown, place_, at, 1});
    }

    bool wants_arguments(const AuditedName& name) const override {
        return is_harmless_by_arguments(name.full) || classify_global(name.full) != GlobalClass::kHarmless;
    }

    bool is_watched(const AuditedName& name) const override {
        return name.is_known && (is_harmless_by_arguments(name.full) || name.full == kGetattr);
    }
    void on_handed_on(const AuditedName& name, std::uint64_t at) override {
        find({class_of(classify_global(name.full)), name.full, "handed on, to be called with what is not to be seen",
              place_, at, 1});
    }

    void on_extension(std::uint64_t code, std::uint64_t at) override {
        ++names_;
        find({ScanFinding::Class::kUnknown, fmt::format("extension {} of the loading program's registry", code),
              "named", place_, at, 1});
    }

    void on_persistent(std::string_view kind, bool is_tuple_or_number, std::uint64_t at) override {
        if (kind == "storage" || kind == "module" || (kind.empty() && is_tuple_or_number)) return;
        // Of kinds that nobody here knows the loading program may make calls ("reduce_package" of torch.package).
        find({kind.empty() ? ScanFinding::Class::kNote : ScanFinding::Class::kUnknown,
              fmt::format("a persistent id{}{}, whose meaning is the loading program's",
                          kind.empty() ? "" : " of kind ", kind),
              "", place_, at, 1});
    }

    void on_storage(const std::string& cls, const std::string& key, std::uint64_t count) override {
        if (storages_) storages_(cls, key, count);
    }

    void on_bytes(const BlobPtr& bytes, std::uint64_t data_begin, std::uint64_t at) override {
        const std::string head = bytes_of(*bytes, 0, 64);
        const bool is_container = begins_like_container(head);
        if (!is_container && !may_be_old_pickle(head)) return;
        if (!is_believed_) {
            waiting_.push_back({bytes, data_begin, at});
            if (waiting_.size() > kMostWaiting) believe();
            return;
        }
        look_into(bytes, data_begin, at);
    }

    void believe_from_the_start() { is_believed_ = true; }
    /// What was collected counts, and what follows. So much of it is no chance, either.
    void believe() {
        is_believed_ = true;
        for (const AuditedName& name : waiting_names_) scanner_.count_name(name);
        for (ScanFinding& finding : findings_) scanner_.find(std::move(finding));
        for (const Waiting& waiting : waiting_) look_into(waiting.bytes, waiting.data_begin, waiting.at);
        for (const std::string& name : waiting_excuses_) scanner_.excused_.insert(place_ + '\n' + name);
        waiting_excuses_.clear();
        waiting_.clear();
        findings_.clear();
        waiting_names_.clear();
    }
    bool names_well() const noexcept { return names_well_; }
    bool names_danger() const noexcept { return names_danger_; }
    /// Whether something is called before that byte.
    bool calls_before(std::uint64_t at) const noexcept { return first_call_at_ < at; }
    bool has_raw_arrays() const noexcept { return has_raw_arrays_; }
    std::uint64_t names() const noexcept { return names_; }

private:
    static constexpr std::size_t kMostWaiting = 1000;
    struct Waiting {
        BlobPtr bytes;
        std::uint64_t data_begin, at;
    };

    void find(ScanFinding finding) {
        if (is_believed_) {
            scanner_.find(std::move(finding));
            return;
        }
        findings_.push_back(std::move(finding));
        if (findings_.size() > kMostWaiting) believe();
    }
    void look_into(const BlobPtr& bytes, std::uint64_t data_begin, std::uint64_t at) {
        if (scanner_.nested_ == kMostNested)
            scanner_.unseen("has too many bytes that may be pickles to be followed", place_, at);
        if (scanner_.nested_++ >= kMostNested) return;
        const std::string place = inside(place_, fmt::format("bytes at {}", at));
        if (scanner_.any(bytes, place, depth_ + 1, Belief::kMaybe)) looked_into_.insert(data_begin);
    }
    void excuse(const std::string& name) {
        if (is_believed_) scanner_.excused_.insert(place_ + '\n' + name);
        if (!is_believed_) waiting_excuses_.push_back(name);
    }
    /// getattr of a name that stands in the stream, and of a text.
    static bool takes_attribute(const AuditedCall& call) {
        const auto& arguments = call.arguments;
        return call.name->full == kGetattr && call.how == AuditedCall::How::kCalled && call.has_arguments &&
               arguments.size() == 2 && arguments[0].kind == AuditedArgument::Kind::kName &&
               arguments[1].kind == AuditedArgument::Kind::kText && is_dotted(arguments[0].text) &&
               is_dotted(arguments[1].text);
    }
    /// How Python 3.11.0 to 3.11.3 pickles the member of an enumeration.
    static bool is_member_of_enum(const AuditedCall& call) {
        const auto& arguments = call.arguments;
        constexpr std::array<std::string_view, 3> kEnums = {
            "torch.distributed._shard.sharded_tensor.metadata.MEM_FORMAT_ENCODING",
            "torch.distributed.checkpoint.metadata._MEM_FORMAT_ENCODING", "pyhopper.utils.CandidateType"};
        constexpr std::array<std::string_view, 7> kMembers = {
            "TORCH_CONTIGUOUS_FORMAT", "TORCH_CHANNELS_LAST", "TORCH_PRESERVE_FORMAT", "INIT",
            "MANUALLY_ADDED",          "RANDOM_SEEDING",      "LOCAL_SAMPLING"};
        return std::find(kEnums.begin(), kEnums.end(), arguments[0].text) != kEnums.end() &&
               std::find(kMembers.begin(), kMembers.end(), arguments[1].text) != kMembers.end();
    }
    bool is_harmless(const AuditedCall& call) const {
        const std::string_view name = call.name->full;
        if (!is_harmless_by_arguments(name)) return true;
        const auto& arguments = call.arguments;
        if (!call.has_arguments || arguments.empty()) return false;
        if (name == "_codecs.encode") {
            if (arguments.size() != 2) return arguments.size() == 1;
            const std::string& codec = arguments[1].text;
            return arguments[1].kind == AuditedArgument::Kind::kText &&
                   (codec == "latin1" || codec == "latin-1" || codec == "utf-8" || codec == "utf8" || codec == "ascii");
        }
        return arguments.size() == 1 && arguments[0].kind == AuditedArgument::Kind::kBytes &&
               looked_into_.count(arguments[0].data_begin) != 0;
    }

    Scanner& scanner_;
    std::string place_;
    int depth_;
    const StorageCheck& storages_;
    bool is_believed_ = false;
    bool names_well_ = false;
    bool names_danger_ = false;
    std::uint64_t first_call_at_ = ~std::uint64_t{0};
    bool has_raw_arrays_ = false;
    std::uint64_t names_ = 0;
    std::vector<ScanFinding> findings_;
    std::vector<AuditedName> waiting_names_;
    std::vector<Waiting> waiting_;
    std::vector<std::string> waiting_excuses_;
    std::unordered_set<std::uint64_t> looked_into_;
};

Streams Scanner::pickles(const BlobPtr& bytes, std::uint64_t begin, const std::string& place, int depth, Belief belief,
                         const StorageCheck& storages, std::size_t most) {
    Streams streams;
    streams.end = begin;
    while (streams.end < bytes->size_bytes() && streams.count < most) {
        if (streams.count >= kMostStreams) {
            unseen(fmt::format("more than {} pickles behind each other", kMostStreams), place, streams.end);
            break;
        }
        const bool is_first = streams.count == 0;
        const std::string number = is_first ? place : inside(place, fmt::format("pickle {}", streams.count + 1));
        Sink sink(*this, number, depth, storages);
        if (is_first && belief == Belief::kSure) sink.believe_from_the_start();
        const PickleAudit audit = audit_pickle(bytes, streams.end, sink, context_);
        const std::string head = bytes_of(*bytes, streams.end, 2);
        const bool begins_well = head.size() == 2 && head[0] == '\x80' && static_cast<unsigned char>(head[1]) <= 5;
        // Behind another any value counts: a program that reads several goes on to the next.
        // Lines of text look like names, too: without a head, something must come of them.
        const bool comes_to_something = audit.problem.empty() || sink.calls_before(audit.problem_at);
        const bool is_chance = is_first && belief == Belief::kMaybe && depth > 0 && !begins_well &&
                               !comes_to_something && !sink.names_danger();
        const bool is_pickle = (is_first && belief == Belief::kSure) || (sink.names_well() && !is_chance) ||
                               (audit.has_stop && audit.problem.empty() &&
                                (sink.names() > 0 || begins_well || !is_first || belief == Belief::kLikely)) ||
                               (is_first && begins_well && belief == Belief::kLikely && depth == 0);
        if (!is_pickle) break;
        sink.believe();
        ++report_.pickle_count;
        ++streams.count;
        const std::string problem =
            audit.problem.empty() ? "" : fmt::format("pickle: {} at byte {}", audit.problem, audit.problem_at);
        if (report_.pickles.size() < ScanReport::kMostListed) {
            report_.pickles.push_back(
                {number, streams.end, audit.end - streams.end, audit.protocol, audit.names, problem});
        }
        if (!problem.empty()) {
            if (sink.has_raw_arrays()) {
                note("joblib's arrays stand between the opcodes: behind the first, names alone are looked for", number,
                     audit.problem_at);
            } else if (depth == 0 || belief == Belief::kSure) {
                damage(number, problem);
            } else {
                note(problem, number, audit.problem_at);
            }
        }
        if (audit.lost_track)
            unseen("has too much in it to be followed; names may be missing here", number, audit.problem_at);
        if (streams.audits.size() < 5) streams.audits.push_back(audit);
        if (!audit.has_stop) {
            behind_break(bytes, std::max(audit.problem_at + 1, streams.end + 1), number, depth);
            streams.end = bytes->size_bytes();
            break;
        }
        streams.end = audit.end;
    }
    return streams;
}

void Scanner::embedded(const BlobPtr& bytes, std::uint64_t from, std::uint64_t to, const std::string& place,
                       int depth) {
    constexpr std::uint64_t kWindow = std::uint64_t{1} << 20;
    std::uint64_t behind = from;
    for (std::uint64_t at = from; at + 2 <= to;) {
        const std::string window = bytes_of(*bytes, at, std::min(kWindow, to - at));
        for (std::size_t k = window.find('\x80'); k != std::string::npos && k + 1 < window.size();
             k = window.find('\x80', k + 1)) {
            const auto protocol = static_cast<unsigned char>(window[k + 1]);
            if (protocol < 2 || protocol > 5 || at + k < behind) continue;
            const StorageCheck none;
            const std::string inner = inside(place, fmt::format("byte {}", at + k));
            Sink sink(*this, inner, depth + 1, none);
            const PickleAudit audit = audit_pickle(slice_blob(bytes, 0, to), at + k, sink, context_);
            const std::uint64_t used = audit.end - (at + k);
            if (used > embedded_budget_) {
                unseen("has too much that may be pickles to be followed", place, at + k);
                return;
            }
            embedded_budget_ -= used;
            if (!sink.names_well()) continue;
            sink.believe();
            ++report_.pickle_count;
            behind = audit.end;
        }
        if (window.size() < 2) return;
        at += window.size() - 1;
        context_.check_cancelled();
    }
}

void Scanner::behind_break(const BlobPtr& bytes, std::uint64_t from, const std::string& place, int depth) {
    if (from >= bytes->size_bytes()) return;
    embedded(bytes, from, bytes->size_bytes(), place, depth);
    const std::uint64_t to = std::min(bytes->size_bytes(), from + kMostSearched);
    const std::string text = bytes_of(*bytes, from, to - from);
    const auto see = [&](const std::string& full, std::size_t at) {
        if (!is_dotted(full) || classify_global(full) != GlobalClass::kDangerous) return false;
        find({ScanFinding::Class::kDangerous, full, "named behind the break", place, from + at, 1});
        return true;
    };
    // Two short texts before STACK_GLOBAL, each perhaps with MEMOIZE behind it.
    for (std::size_t end = text.find('\x93'); end != std::string::npos; end = text.find('\x93', end + 1)) {
        const auto name = short_text_before(text, end);
        const auto module = name ? short_text_before(text, name->first) : std::nullopt;
        if (module) see(fmt::format("{}.{}", module->second, name->second), end);
    }
    // Names in lines, as GLOBAL and INST have them: "cMODULE\nNAME\n".
    std::size_t tried = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', end + 1)) {
        std::size_t begin = end;
        while (begin > 0 && end - begin < kMostName && (is_identifier_byte(text[begin - 1]) || text[begin - 1] == '.'))
            --begin;
        const std::size_t next = text.find('\n', end + 1);
        if (next == std::string::npos) break;
        const std::string_view name = std::string_view(text).substr(end + 1, next - end - 1);
        if (end - begin < 2 || !is_dotted(name)) continue;
        for (std::size_t i = begin; i + 1 < end; ++i) {
            if (text[i] != 'c' && text[i] != 'i') continue;
            if (tried++ == kMostTried) {
                unseen("has too many lines that may be names to be followed", place, from + i);
                return;
            }
            if (see(fmt::format("{}.{}", text.substr(i + 1, end - i - 1), name), i)) break;
        }
    }
}

}  // namespace ckpt::scan
