// The machine behind `audit_pickle`: a stack and a memo of symbols, which say what a value is but not its content.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "formats/shared/pickle/audit.hpp"
#include "formats/shared/pickle/audit_bytes.hpp"

namespace ckpt::audit {

inline constexpr std::size_t kMostStack = std::size_t{1} << 22;
inline constexpr std::size_t kMostMemo = std::size_t{1} << 22;
inline constexpr std::size_t kMostTuples = std::size_t{1} << 20;
inline constexpr std::size_t kMostItems = 8;
inline constexpr std::size_t kMostKept = std::size_t{1} << 22;  // items of all tuples
inline constexpr std::size_t kMostNames = std::size_t{1} << 18;
inline constexpr std::uint64_t kMostNameBytes = 4096;
inline constexpr std::uint64_t kMostShownBytes = 80;
inline constexpr std::uint64_t kMostDecodedBytes = std::uint64_t{1} << 26;
inline constexpr std::uint64_t kMostCheckedText = std::uint64_t{1} << 20;
inline constexpr std::uint32_t kNoId = 0xffffffff;
inline constexpr int kHighestProtocol = 5;

enum class What : std::uint8_t {
    kUnknown,
    kNull,
    kBool,
    kInt,
    kFloat,
    kText,
    kBytes,
    kByteArray,
    kList,
    kTuple,
    kDict,
    kSet,
    kFrozenSet,
    kName,
    kResult,  ///< of a call of `id`
    kObject,  ///< an instance of the class `id`
    kPersistent,
};
/// How text stands in the stream.
enum class Form : std::uint8_t { kUtf8, kRawEscape, kQuoted, kRaw };

struct Symbol {
    std::uint64_t at = 0;      ///< kText, kBytes: where; kInt: the number, two's complement
    std::uint32_t size = 0;    ///< kText, kBytes: bytes, saturated
    std::uint32_t id = kNoId;  ///< kName, kResult, kObject: of the name; kTuple: of its items; else nothing
    What what = What::kUnknown;
    Form form = Form::kUtf8;
};

inline constexpr unsigned kAnyTorch = 0x1f;   // generations of kWeightsOnlyGenerations
inline constexpr unsigned kSince210 = 0x18;   // 2.10 and later
inline constexpr unsigned kBefore210 = 0x07;  // SETITEMS unchecked
inline constexpr unsigned k113 = 0x01;

/// What the weights_only loader knows.
inline constexpr std::string_view kWeightsOnlyOpcodes = "c\x81Rbaesu(t\x85\x86\x87N\x88\x89)]}\x8fJKM\x8aGXUQhjqr\x80.";

class Auditor {
public:
    Auditor(const BlobPtr& bytes, std::uint64_t begin, AuditSink& sink, const Context& context)
        : blob_(bytes), bytes_(bytes, begin), sink_(sink), context_(context) {}

    PickleAudit run();

private:
    // What goes wrong.

    void problem(std::string what);
    void refuse(unsigned generations, std::string_view why);
    void give_up_tracking() { audit_.lost_track = true; }

    // The stack. After a problem, what is missing is taken for unknown.

    std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
    void push(Symbol symbol) {
        if (stack_.size() >= kMostStack) {
            give_up_tracking();
            return;
        }
        stack_.push_back(symbol);
    }
    void push(What what) {
        Symbol symbol;
        symbol.what = what;
        push(symbol);
    }
    Symbol pop() {
        if (stack_.size() <= floor()) {
            problem("stack underflow");
            return {};
        }
        const Symbol top = stack_.back();
        stack_.pop_back();
        return top;
    }
    Symbol top() {
        if (stack_.size() > floor()) return stack_.back();
        problem("stack underflow");
        return {};
    }
    std::vector<Symbol> pop_mark();
    /// As `pop` and `pop_mark`, of what becomes part of another value: a call of it may come where nobody sees it.
    Symbol pop_value() {
        const Symbol value = pop();
        hand_on(value);
        return value;
    }
    std::vector<Symbol> pop_values() {
        std::vector<Symbol> values = pop_mark();
        for (const Symbol& value : values) hand_on(value);
        return values;
    }
    void hand_on(const Symbol& value) {
        if (value.what == What::kName && names_[value.id].is_watched) sink_.on_handed_on(names_[value.id], at_);
    }

    // The memo: numbers from 0 on in practice, any number by right.

    void put(std::uint64_t index);
    void get(std::uint64_t index);

    // Text.

    /// The text of a symbol, as UTF-8; nullopt where it is none, or longer than `most` bytes.
    std::optional<std::string> text_of(const Symbol& symbol, std::uint64_t most = kMostNameBytes);
    std::string shown(const Symbol& symbol, int depth = 0);

    // Tuples: what they hold is kept where it may matter.

    void push_tuple(const std::vector<Symbol>& items);
    static bool is_callable(const Symbol& symbol);

    // Names.

    std::uint32_t intern(AuditedName name);
    void push_name(std::string module, std::string name, bool is_known);

    // Calls.

    void call(AuditedCall::How how, const Symbol& target, const Symbol* args, const std::vector<Symbol>& loose);
    AuditedArgument argument(const Symbol& symbol);
    /// What a call gives, as far as the rules of weights_only ask.
    Symbol result_of(const Symbol& target, What what = What::kResult) const;
    /// The same, but the bytes of a text for `_codecs.encode` with it: protocol 2 has no other bytes.
    Symbol encoded_text(const Symbol& target, const Symbol& args);
    std::string_view name_of(const Symbol& symbol) const;
    void check_callable(const Symbol& target, bool must_be_class = false);
    void check_arguments(const Symbol& args, std::string_view what);
    void check_build(const Symbol& target);
    void check_items(const Symbol& target);
    void check_key(const Symbol& key);
    void check_keys(const std::vector<Symbol>& items);
    void check_list(const Symbol& target);

    void persistent(const Symbol& id);

    // Opcodes.

    /// A run of bytes behind its length: where it stands. False where it is longer than what is left.
    bool take_run(unsigned width, bool is_signed, Symbol& symbol);
    bool take_line(Symbol& symbol);
    std::optional<std::uint64_t> index_of_line();

    /// Bytes and text that may be something with pickles in it.
    void look_into(const Symbol& symbol);
    bool run(What what, Form form, unsigned width, bool is_signed);
    bool number(unsigned width, bool is_signed);
    bool long_number(unsigned width);
    bool text_number(What what);
    bool skip_number(unsigned width);

    bool two_lines(std::string& module, std::string& name);

    bool step(unsigned char opcode);
    bool step_calls(unsigned char opcode);
    void stack_global();

    BlobPtr blob_;
    AuditBytes bytes_;
    AuditSink& sink_;
    const Context& context_;
    PickleAudit audit_;
    std::uint64_t at_ = 0;         ///< of the opcode
    std::uint64_t run_bytes_ = 0;  ///< of the last run or line, not saturated
    std::uint64_t steps_ = 0;
    std::vector<Symbol> stack_;
    std::vector<std::size_t> marks_;
    std::vector<Symbol> memo_;
    std::vector<bool> is_set_;
    std::unordered_map<std::uint64_t, Symbol> far_memo_;
    std::size_t memo_count_ = 0;
    std::vector<std::vector<Symbol>> tuples_;
    std::size_t kept_ = 0;
    std::deque<AuditedName> names_;
    std::unordered_map<std::string, std::size_t> name_ids_;
};

}  // namespace ckpt::audit
