// What stands on the stack, what a call is made of, and what weights_only loading would say.
#include "formats/shared/pickle/audit_machine.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "formats/shared/pickle/names.hpp"
#include "formats/shared/pickle/text.hpp"

namespace ckpt::audit {

void Auditor::problem(std::string what) {
    refuse(kAnyTorch, what);
    if (!audit_.problem.empty()) return;
    audit_.problem = std::move(what);
    audit_.problem_at = at_;
}

void Auditor::refuse(unsigned generations, std::string_view why) {
    for (std::size_t g = 0; g < audit_.refusals.size(); ++g) {
        if ((generations >> g & 1) != 0 && audit_.refusals[g].empty())
            audit_.refusals[g] = fmt::format("{} at byte {}", why, at_);
    }
}

std::vector<Symbol> Auditor::pop_mark() {
    if (marks_.empty()) {
        problem("no MARK");
        return {};
    }
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    marks_.pop_back();
    std::vector<Symbol> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    return items;
}

void Auditor::put(std::uint64_t index) {
    if (stack_.size() <= floor()) {
        problem("stack underflow");
        return;
    }
    const Symbol value = stack_.back();
    if (index < memo_.size()) {
        if (!is_set_[static_cast<std::size_t>(index)]) ++memo_count_;
        memo_[static_cast<std::size_t>(index)] = value;
        is_set_[static_cast<std::size_t>(index)] = true;
        return;
    }
    if (memo_count_ >= kMostMemo) {
        give_up_tracking();
        return;
    }
    if (index == memo_.size()) {
        memo_.push_back(value);
        is_set_.push_back(true);
        ++memo_count_;
        return;
    }
    if (far_memo_.insert_or_assign(index, value).second) ++memo_count_;
}

void Auditor::get(std::uint64_t index) {
    if (index < memo_.size() && is_set_[static_cast<std::size_t>(index)]) {
        push(memo_[static_cast<std::size_t>(index)]);
    } else if (const auto found = far_memo_.find(index); found != far_memo_.end()) {
        push(found->second);
    } else {
        if (!audit_.lost_track) problem(fmt::format("memo {} is not there", index));
        push(What::kUnknown);
    }
}

std::optional<std::string> Auditor::text_of(const Symbol& symbol, std::uint64_t most) {
    if (symbol.what != What::kText || symbol.size > most) return std::nullopt;
    const std::string raw = bytes_.range(symbol.at, symbol.size);
    switch (symbol.form) {
        case Form::kRawEscape:
            return parse_raw_unicode_escape(raw);
        case Form::kQuoted:
            return parse_python_string(raw);
        default:
            return raw;
    }
}

std::string Auditor::shown(const Symbol& symbol, int depth) {
    switch (symbol.what) {
        case What::kNull:
            return "None";
        case What::kBool:
            return symbol.at != 0 ? "True" : "False";
        case What::kInt:
            return fmt::format("{}", static_cast<std::int64_t>(symbol.at));
        case What::kText: {
            auto text = text_of(symbol);
            if (!text) return fmt::format("text of {} bytes", symbol.size);
            if (text->size() > kMostShownBytes) {
                text->resize(kMostShownBytes);
                *text += "...";
            }
            return "'" + *text + "'";
        }
        case What::kBytes:
        case What::kByteArray:
            return fmt::format("{} bytes", symbol.size);
        case What::kName:
            return names_[symbol.id].full;
        case What::kResult:
        case What::kObject:
            return symbol.id == kNoId ? "what a call gave" : names_[symbol.id].full + "(...)";
        case What::kList:
            return "[...]";
        case What::kDict:
            return "{...}";
        case What::kTuple: {
            if (symbol.id == kNoId || depth > 2) return "(...)";
            std::string text;
            for (const Symbol& item : tuples_[symbol.id]) text += (text.empty() ? "" : ", ") + shown(item, depth + 1);
            return "(" + text + ")";
        }
        default:
            return "...";
    }
}

void Auditor::push_tuple(const std::vector<Symbol>& items) {
    Symbol tuple;
    tuple.what = What::kTuple;
    const bool is_telling = std::any_of(items.begin(), items.end(), [](const Symbol& item) {
        return item.what != What::kInt && item.what != What::kUnknown && item.what != What::kBool;
    });
    const bool is_argument = stack_.size() > floor() && is_callable(stack_.back());
    const bool is_wanted =
        is_argument ? stack_.back().what != What::kName || sink_.wants_arguments(names_[stack_.back().id]) : is_telling;
    if (items.size() <= kMostItems && is_wanted && tuples_.size() < kMostTuples && kept_ < kMostKept) {
        kept_ += items.size();
        tuple.id = static_cast<std::uint32_t>(tuples_.size());
        tuples_.push_back(items);
    }
    push(tuple);
}

bool Auditor::is_callable(const Symbol& symbol) {
    return symbol.what == What::kName || symbol.what == What::kResult || symbol.what == What::kUnknown;
}

std::uint32_t Auditor::intern(AuditedName name) {
    const auto [found, is_new] =
        name_ids_.try_emplace(name.module + '\n' + name.name + (name.is_known ? "" : "?"), names_.size());
    if (is_new) {
        name.is_watched = sink_.is_watched(name);
        names_.push_back(std::move(name));
    }
    return static_cast<std::uint32_t>(found->second);
}

void Auditor::push_name(std::string module, std::string name, bool is_known) {
    AuditedName audited;
    audited.module = module;
    audited.name = name;
    audited.is_known = is_known;
    audited.full = module + "." + name;
    if (is_known) to_python3_name(module, name);
    const std::string modern = module + "." + name;
    if (audit_.protocol < 3) audited.full = modern;  // as Python maps them; torch does so always
    ++audit_.names;
    if (names_.size() >= kMostNames) {
        give_up_tracking();
        refuse(kAnyTorch, "it names too much");
        sink_.on_name(audited, at_);
        push(What::kUnknown);
        return;
    }
    const std::uint32_t id = intern(std::move(audited));
    sink_.on_name(names_[id], at_);
    const WeightsOnlyName accepted = weights_only_name(modern);
    refuse(kAnyTorch & ~unsigned{accepted.generations}, fmt::format("it names {}", names_[id].full));
    if (accepted.need != WeightsOnlyNeed::kNothing) {
        refuse(kAnyTorch,
               fmt::format("it names {}, which is accepted once {} is imported", names_[id].full,
                           accepted.need == WeightsOnlyNeed::kNested ? "torch.nested" : "torch.distributed.tensor"));
    }
    Symbol symbol;
    symbol.what = What::kName;
    symbol.id = id;
    push(symbol);
}

void Auditor::call(AuditedCall::How how, const Symbol& target, const Symbol* args, const std::vector<Symbol>& loose) {
    AuditedCall seen;
    seen.how = how;
    if (target.what == What::kName) seen.name = &names_[target.id];
    if (target.what != What::kName && target.id != kNoId && target.what != What::kTuple)
        seen.maker = &names_[target.id];
    if (seen.name == nullptr || sink_.wants_arguments(*seen.name)) {
        const std::vector<Symbol>* items = args == nullptr ? &loose : nullptr;
        if (args != nullptr && args->what == What::kTuple && args->id != kNoId) items = &tuples_[args->id];
        if (items != nullptr) {
            seen.has_arguments = items->size() <= kMostItems;
            for (const Symbol& item : *items) {
                if (seen.arguments.size() == kMostItems) break;
                seen.arguments.push_back(argument(item));
                seen.shown += (seen.shown.empty() ? "" : ", ") + shown(item);
            }
            seen.shown = "(" + seen.shown + (seen.has_arguments ? ")" : ", ...)");
        } else {
            seen.shown = args == nullptr ? "()" : shown(*args);
        }
    }
    sink_.on_call(seen, at_);
}

AuditedArgument Auditor::argument(const Symbol& symbol) {
    AuditedArgument result;
    if (symbol.what == What::kText) {
        if (auto text = text_of(symbol)) {
            result.kind = AuditedArgument::Kind::kText;
            result.text = std::move(*text);
        }
    } else if (symbol.what == What::kBytes || symbol.what == What::kByteArray) {
        result.kind = AuditedArgument::Kind::kBytes;
        result.data_begin = symbol.at;
    } else if (symbol.what == What::kName) {
        result.kind = AuditedArgument::Kind::kName;
        result.text = names_[symbol.id].full;
    }
    return result;
}

Symbol Auditor::result_of(const Symbol& target, What what) const {
    Symbol result;
    result.what = what;
    result.id = target.what == What::kName ? target.id : kNoId;
    return result;
}

Symbol Auditor::encoded_text(const Symbol& target, const Symbol& args) {
    Symbol result = result_of(target);
    if (name_of(target) != "_codecs.encode" || args.what != What::kTuple || args.id == kNoId) return result;
    const std::vector<Symbol>& items = tuples_[args.id];
    if (items.size() != 2 || items.front().what != What::kText) return result;
    // By another codec they are other bytes than those that were looked into.
    const auto codec = text_of(items[1]);
    if (codec != "latin1" && codec != "latin-1") return result;
    result = items.front();
    result.what = What::kBytes;
    if (result.form == Form::kUtf8 && result.size <= kMostCheckedText) {
        const std::string text = bytes_.range(result.at, result.size);
        // Those that begin as containers do were looked into as text.
        if (!begins_like_text_of_container(text)) {
            if (auto raw = utf8_to_latin1(text)) sink_.on_bytes(memory_blob(std::move(*raw)), result.at, at_);
        }
    }
    return result;
}

std::string_view Auditor::name_of(const Symbol& symbol) const {
    return symbol.id == kNoId || symbol.what == What::kTuple ? std::string_view() : names_[symbol.id].full;
}

namespace {

/// Of the names that are accepted: those of classes, and those of values that cannot be called.
bool is_class(std::string_view full) {
    const std::string_view last = full.substr(full.rfind('.') + 1);
    constexpr std::array<std::string_view, 4> kSmall = {"device", "set", "bytearray", "complex"};
    return (last[0] >= 'A' && last[0] <= 'Z') || std::find(kSmall.begin(), kSmall.end(), last) != kSmall.end();
}
bool is_value(std::string_view full) {
    return full.starts_with("torch.") && full.find('.', 6) == std::string_view::npos && !is_class(full);
}

}  // namespace

void Auditor::check_callable(const Symbol& target, bool must_be_class) {
    if (target.what == What::kName) {  // names that are not accepted were refused
        const std::string_view full = names_[target.id].full;
        if (full.size() > 6 && (is_value(full) || (must_be_class && !is_class(full))))
            refuse(kAnyTorch, fmt::format("it calls {}, which cannot be called so", full));
        return;
    }
    refuse(kAnyTorch, target.what == What::kResult || target.what == What::kObject || target.what == What::kPersistent
                          ? "it calls what another call gave"
                          : "it calls what is no function");
}

void Auditor::check_build(const Symbol& target) {
    const auto is_instance = [&] {
        if (target.what == What::kObject || target.what == What::kPersistent) return true;
        if (target.what != What::kResult) return false;
        const std::string_view name = name_of(target);
        return name != "_codecs.encode" && name != "torch.serialization._get_layout";
    };
    if (!is_instance() && target.what != What::kByteArray) refuse(kAnyTorch, "it sets the state of what has none");
    if (!is_instance() && target.what != What::kName && target.what != What::kByteArray &&
        target.what != What::kUnknown && target.what != What::kResult)
        problem("BUILD on a plain value");
}

void Auditor::check_items(const Symbol& target) {
    const std::string_view name = name_of(target);
    const bool is_dict =
        target.what == What::kDict || ((target.what == What::kResult || target.what == What::kObject) &&
                                       (name == "collections.OrderedDict" || name == "collections.Counter"));
    if (!is_dict) refuse(kSince210, "it sets items of what is no dict");
    const bool has_none = target.what == What::kNull || target.what == What::kInt || target.what == What::kBool ||
                          target.what == What::kFloat || target.what == What::kText || target.what == What::kBytes ||
                          target.what == What::kTuple || target.what == What::kSet || target.what == What::kFrozenSet;
    if (has_none) problem("items are set of what has none");
    if (target.what == What::kList) refuse(kBefore210, "it sets items of a list");
}

void Auditor::check_key(const Symbol& key) {
    if (key.what == What::kList || key.what == What::kDict || key.what == What::kSet || key.what == What::kByteArray)
        problem("a key that cannot be hashed");
}

void Auditor::check_keys(const std::vector<Symbol>& items) {
    if (items.size() % 2 != 0) problem("a key without a value");
    for (std::size_t i = 0; i < items.size(); i += 2) check_key(items[i]);
}

void Auditor::check_list(const Symbol& target) {
    if (target.what != What::kList) refuse(kAnyTorch, "it appends to what is no list");
    if (target.what == What::kNull || target.what == What::kInt || target.what == What::kBool ||
        target.what == What::kFloat || target.what == What::kText || target.what == What::kTuple ||
        target.what == What::kDict || target.what == What::kBytes)
        problem("items are appended to what takes none");
}

void Auditor::persistent(const Symbol& id) {
    std::string kind;
    const bool is_tuple = id.what == What::kTuple;
    Symbol given;
    given.what = What::kPersistent;
    if (is_tuple && id.id != kNoId && !tuples_[id.id].empty()) {
        std::vector<Symbol>& items = tuples_[id.id];
        if (const auto text = text_of(items.front())) kind = *text;
        if (kind == "storage" && items.size() >= 5 && items[1].what == What::kName && items[4].what == What::kInt) {
            if (const auto key = text_of(items[2])) sink_.on_storage(names_[items[1].id].full, *key, items[4].at);
        }
        if (kind == "module" && items.size() > 1 && items[1].what == What::kName) given = items[1];
        kept_ -= items.size() - 1;
        items.resize(1);  // there is one such tuple for each tensor
        items.shrink_to_fit();
    }
    const bool is_number = id.what == What::kInt;
    if (!is_tuple && !is_number) refuse(kAnyTorch, "it has a persistent id that is no tuple");
    if (is_tuple && kind != "storage") refuse(kAnyTorch, "it has a persistent id of no storage");
    sink_.on_persistent(kind, is_tuple || is_number, at_);
    push(given);
}

bool Auditor::take_run(unsigned width, bool is_signed, Symbol& symbol) {
    const auto length = bytes_.number(width);
    if (!length) {
        problem("the pickle ends inside an opcode");
        return false;
    }
    if (is_signed && *length >> 31 != 0) {
        problem("a negative length");
        return false;
    }
    if (*length > bytes_.left()) {
        problem(fmt::format("{} bytes announced, {} left", *length, bytes_.left()));
        return false;
    }
    symbol.at = bytes_.at();
    symbol.size = static_cast<std::uint32_t>(std::min<std::uint64_t>(*length, kNoId));
    bytes_.skip(*length);
    run_bytes_ = *length;
    return true;
}

bool Auditor::take_line(Symbol& symbol) {
    const auto line = bytes_.line();
    if (!line) {
        problem("a line without end");
        return false;
    }
    symbol.at = line->begin;
    symbol.size = static_cast<std::uint32_t>(std::min<std::uint64_t>(line->size, kNoId));
    run_bytes_ = line->size;
    return true;
}

std::optional<std::uint64_t> Auditor::index_of_line() {
    Symbol line;
    if (!take_line(line)) return std::nullopt;
    const std::string digits = bytes_.range(line.at, std::min<std::uint32_t>(line.size, 32));
    // As Python's int() reads it: space around it, a sign, underscores between digits.
    std::string plain;
    for (const char c : digits) {
        if (c != ' ' && c != '\t' && c != '\r' && c != '\f' && c != '\v' && c != '_' && !(c == '+' && plain.empty()))
            plain += c;
    }
    std::uint64_t index = 0;
    const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), index);
    if (error != std::errc() || end != plain.data() + plain.size()) problem("a memo number that is none");
    return index;
}

void Auditor::look_into(const Symbol& symbol) {
    const std::uint64_t size = run_bytes_;
    if (size < 2) return;
    if (symbol.what != What::kText) {
        sink_.on_bytes(slice_blob(blob_, symbol.at, size), symbol.at, at_);
        return;
    }
    const std::string head = bytes_.range(symbol.at, std::min<std::uint64_t>(size, 64));
    if (symbol.form == Form::kRaw) {
        if (begins_like_container(head) || head.find('\n') != std::string::npos)
            sink_.on_bytes(slice_blob(blob_, symbol.at, size), symbol.at, at_);
        return;
    }
    if (symbol.form == Form::kUtf8 && !begins_like_text_of_container(head)) return;
    if (symbol.form != Form::kUtf8 && head.find('\\') == std::string::npos && head.find("PK") == std::string::npos)
        return;
    if (size > kMostDecodedBytes) {
        give_up_tracking();
        return;
    }
    std::string raw = bytes_.range(symbol.at, size);
    std::optional<std::string> text = std::move(raw);
    if (symbol.form == Form::kRawEscape) text = parse_raw_unicode_escape(*text);
    if (symbol.form == Form::kQuoted) {
        text = parse_python_string(*text);
    } else if (text) {
        text = utf8_to_latin1(*text);
    }
    if (text && begins_like_container(*text)) sink_.on_bytes(memory_blob(std::move(*text)), symbol.at, at_);
}

bool Auditor::run(What what, Form form, unsigned width, bool is_signed) {
    Symbol symbol;
    symbol.what = what;
    symbol.form = form;
    if (!take_run(width, is_signed, symbol)) return false;
    if (what == What::kText && form == Form::kUtf8 && run_bytes_ <= kMostCheckedText) {
        if (!is_utf8_with_surrogates(bytes_.range(symbol.at, run_bytes_))) problem("text that is not UTF-8");
    }
    push(symbol);
    look_into(symbol);
    return true;
}

bool Auditor::number(unsigned width, bool is_signed) {
    const auto value = bytes_.number(width);
    if (!value) {
        problem("the pickle ends inside an opcode");
        return false;
    }
    Symbol symbol;
    symbol.what = What::kInt;
    symbol.at = is_signed ? static_cast<std::uint64_t>(static_cast<std::int32_t>(*value)) : *value;
    push(symbol);
    return true;
}

bool Auditor::long_number(unsigned width) {
    Symbol symbol;
    symbol.what = What::kInt;
    if (!take_run(width, width == 4, symbol)) return false;
    std::uint64_t value = 0;
    if (symbol.size <= 8) {
        const std::string raw = bytes_.range(symbol.at, symbol.size);
        if (!raw.empty() && (static_cast<unsigned char>(raw.back()) & 0x80) != 0) value = ~std::uint64_t{0};
        for (std::size_t i = raw.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(raw[i]);
    }
    symbol.at = value;
    push(symbol);
    return true;
}

bool Auditor::text_number(What what) {
    Symbol line;
    if (!take_line(line)) return false;
    Symbol symbol;
    symbol.what = what;
    const std::string digits = bytes_.range(line.at, std::min<std::uint32_t>(line.size, 32));
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    symbol.at = static_cast<std::uint64_t>(value);
    if (digits.empty() || (digits.find_first_not_of("0123456789+-.eElLnaifNAIF_ \r\t") != std::string::npos))
        problem("a number that is none");
    push(symbol);
    return true;
}

bool Auditor::skip_number(unsigned width) {
    if (bytes_.number(width)) return true;
    problem("the pickle ends inside an opcode");
    return false;
}

bool Auditor::two_lines(std::string& module, std::string& name) {
    for (std::string* part : {&module, &name}) {
        Symbol line;
        if (!take_line(line)) return false;
        *part = bytes_.range(line.at, std::min<std::uint64_t>(run_bytes_, kMostNameBytes));
        if (run_bytes_ > kMostNameBytes) problem("a name that is too long");
        if (!is_utf8_with_surrogates(*part)) problem("text that is not UTF-8");
    }
    return true;
}

}  // namespace ckpt::audit
