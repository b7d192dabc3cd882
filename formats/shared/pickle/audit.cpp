// The loop over opcodes.
#include <fmt/format.h>

#include "formats/shared/pickle/audit_machine.hpp"
#include "formats/shared/pickle/opcodes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::audit {

PickleAudit Auditor::run() {
    while (true) {
        at_ = bytes_.at();
        const auto opcode = bytes_.byte();
        if (!opcode) {
            problem("the pickle ends without STOP");
            break;
        }
        if (!is_opcode(*opcode)) {
            problem(fmt::format("unknown opcode 0x{:02x}", *opcode));
            break;
        }
        if (kWeightsOnlyOpcodes.find(static_cast<char>(*opcode)) == std::string_view::npos)
            refuse(kAnyTorch, fmt::format("it has the opcode {}", opcode_name(*opcode)));
        if (*opcode == '.') {
            if (stack_.size() <= floor()) problem("stack underflow");
            audit_.has_stop = stack_.size() > floor();
            break;
        }
        if (!step(*opcode)) break;
        if ((++steps_ & 0xffff) == 0) context_.check_cancelled();
    }
    audit_.end = bytes_.at();
    return std::move(audit_);
}

void Auditor::check_arguments(const Symbol& args, std::string_view what) {
    switch (args.what) {
        case What::kTuple:
        case What::kUnknown:
        case What::kResult:  // which may be one
        case What::kObject:
        case What::kPersistent:
            return;
        case What::kList:
        case What::kDict:
        case What::kSet:
        case What::kFrozenSet:
        case What::kText:
        case What::kBytes:
        case What::kByteArray:
            // weights_only loading unpacks whatever has items.
            if (audit_.problem.empty()) {
                audit_.problem = what;
                audit_.problem_at = at_;
            }
            return;
        default:
            problem(std::string(what));
    }
}

void Auditor::stack_global() {
    const Symbol name = pop();
    const Symbol module = pop();
    const auto name_text = text_of(name);
    const auto module_text = text_of(module);
    const bool is_text = name.what == What::kText && module.what == What::kText;
    if (name_text && module_text) {
        push_name(*module_text, *name_text, true);
        return;
    }
    if (!is_text && name.what != What::kUnknown && name.what != What::kResult && name.what != What::kObject &&
        name.what != What::kPersistent && module.what != What::kUnknown && module.what != What::kResult &&
        module.what != What::kObject && module.what != What::kPersistent)
        problem("STACK_GLOBAL on what is no text");
    push_name(module_text.value_or("?"), name_text.value_or("?"), false);
}

bool Auditor::step_calls(unsigned char opcode) {
    const std::vector<Symbol> none;
    switch (opcode) {
        case 'c': {
            std::string module, name;
            const bool is_whole = two_lines(module, name);
            if (!is_whole && module.empty()) return false;
            push_name(std::move(module), is_whole ? std::move(name) : "?", is_whole);  // the module is imported
            return is_whole;
        }
        case 0x93:
            stack_global();
            return true;
        case 'R': {
            const Symbol args = pop();
            const Symbol target = pop();
            check_arguments(args, "REDUCE with what is no tuple");
            check_callable(target);
            call(AuditedCall::How::kCalled, target, &args, none);
            push(encoded_text(target, args));
            return true;
        }
        case 0x81: {
            const Symbol args = pop();
            const Symbol target = pop();
            check_arguments(args, "NEWOBJ with what is no tuple");
            check_callable(target, true);
            call(AuditedCall::How::kMade, target, &args, none);
            push(result_of(target, What::kObject));
            return true;
        }
        case 0x92: {
            pop_value();
            const Symbol args = pop();
            const Symbol target = pop();
            call(AuditedCall::How::kMade, target, &args, none);
            push(result_of(target, What::kObject));
            return true;
        }
        case 'i': {
            std::string module, name;
            if (!two_lines(module, name)) return false;
            const std::vector<Symbol> args = pop_values();
            push_name(std::move(module), std::move(name), true);
            const Symbol target = pop();
            call(AuditedCall::How::kMade, target, nullptr, args);
            push(result_of(target, What::kObject));
            return true;
        }
        case 'o': {
            std::vector<Symbol> args = pop_mark();
            Symbol target;
            if (args.empty()) {
                problem("OBJ without a class");
            } else {
                target = args.front();
                args.erase(args.begin());
            }
            for (const Symbol& argument : args) hand_on(argument);
            call(AuditedCall::How::kMade, target, nullptr, args);
            push(result_of(target, What::kObject));
            return true;
        }
        case 'b': {
            const Symbol state = pop_value();
            const Symbol target = top();
            check_build(target);
            if (target.what == What::kName) call(AuditedCall::How::kChanged, target, &state, none);
            if (target.what == What::kResult || target.what == What::kObject || target.what == What::kPersistent)
                call(AuditedCall::How::kGaveState, target, &state, none);
            return true;
        }
        case 0x82:
        case 0x83:
        case 0x84: {
            const auto code = bytes_.number(opcode == 0x82 ? 1 : opcode == 0x83 ? 2 : 4);
            if (!code) {
                problem("the pickle ends inside an opcode");
                return false;
            }
            ++audit_.names;
            sink_.on_extension(*code, at_);
            push(What::kResult);
            return true;
        }
        case 'P': {
            Symbol line;
            line.what = What::kText;
            line.form = Form::kRaw;
            if (!take_line(line)) return false;
            persistent(line);
            return true;
        }
        case 'Q':
            persistent(pop_value());
            return true;
        default:
            return true;
    }
}

bool Auditor::step(unsigned char opcode) {
    switch (opcode) {
        case '(':
            if (marks_.size() >= kMostStack) {
                give_up_tracking();
            } else {
                marks_.push_back(stack_.size());
            }
            return true;
        case '0':
            if (!marks_.empty() && marks_.back() == stack_.size()) {
                marks_.pop_back();  // as CPython has it
            } else {
                pop();
            }
            return true;
        case '1':
            pop_mark();
            return true;
        case '2':
            push(top());
            return true;
        case 'F':
            return text_number(What::kFloat);
        case 'I':
        case 'L':
            return text_number(What::kInt);
        case 'J':
            return number(4, true);
        case 'K':
            return number(1, false);
        case 'M':
            return number(2, false);
        case 0x8a:
            return long_number(1);
        case 0x8b:
            return long_number(4);
        case 'G':
            refuse(k113, "it has the opcode BINFLOAT");
            push(What::kFloat);
            return skip_number(8);
        case 'N':
            push(What::kNull);
            return true;
        case 0x88:
        case 0x89: {
            Symbol symbol;
            symbol.what = What::kBool;
            symbol.at = opcode == 0x88 ? 1 : 0;
            push(symbol);
            return true;
        }
        case 'S':
        case 'V': {
            Symbol symbol;
            symbol.what = What::kText;
            symbol.form = opcode == 'S' ? Form::kQuoted : Form::kRawEscape;
            if (!take_line(symbol)) return false;
            if (opcode == 'S') {
                const std::string ends = bytes_.range(symbol.at, std::min<std::uint32_t>(symbol.size, 1));
                if (ends != "'" && ends != "\"") problem("a string without quotes");
            }
            push(symbol);
            look_into(symbol);
            return true;
        }
        case 'T':
            return run(What::kText, Form::kRaw, 4, true);
        case 'U':
            return run(What::kText, Form::kRaw, 1, false);
        case 'X':
            return run(What::kText, Form::kUtf8, 4, false);
        case 0x8c:
            return run(What::kText, Form::kUtf8, 1, false);
        case 0x8d:
            return run(What::kText, Form::kUtf8, 8, false);
        case 'B':
            return run(What::kBytes, Form::kRaw, 4, false);
        case 'C':
            return run(What::kBytes, Form::kRaw, 1, false);
        case 0x8e:
            return run(What::kBytes, Form::kRaw, 8, false);
        case 0x96:
            return run(What::kByteArray, Form::kRaw, 8, false);
        case ']':
            push(What::kList);
            return true;
        case '}':
            push(What::kDict);
            return true;
        case ')':
            push_tuple({});
            return true;
        case 0x8f:
            push(What::kSet);
            return true;
        case 'l':
            pop_values();
            push(What::kList);
            return true;
        case 'd':
            check_keys(pop_values());
            push(What::kDict);
            return true;
        case 't':
            push_tuple(pop_values());
            return true;
        case 0x85:
        case 0x86:
        case 0x87: {
            std::vector<Symbol> items(opcode - 0x84);
            for (std::size_t i = items.size(); i-- > 0;) items[i] = pop_value();
            push_tuple(items);
            return true;
        }
        case 0x91:
            for (const Symbol& item : pop_values()) check_key(item);
            push(What::kFrozenSet);
            return true;
        case 'a':
            pop_value();
            check_list(top());
            return true;
        case 'e':
            pop_values();
            check_list(top());
            return true;
        case 's': {
            pop_value();
            check_key(pop_value());
            check_items(top());
            return true;
        }
        case 'u':
            check_keys(pop_values());
            check_items(top());
            return true;
        case 0x90:
            for (const Symbol& item : pop_values()) check_key(item);
            top();
            return true;
        case 'p':
        case 'g': {
            const auto index = index_of_line();
            if (!index) return false;
            opcode == 'p' ? put(*index) : get(*index);
            return true;
        }
        case 'q':
        case 'r':
        case 'h':
        case 'j': {
            const auto index = bytes_.number(opcode == 'q' || opcode == 'h' ? 1 : 4);
            if (!index) {
                problem("the pickle ends inside an opcode");
                return false;
            }
            opcode == 'q' || opcode == 'r' ? put(*index) : get(*index);
            return true;
        }
        case 0x94:
            put(memo_count_);
            return true;
        case 0x80: {
            const auto protocol = bytes_.byte();
            if (!protocol) {
                problem("the pickle ends inside an opcode");
                return false;
            }
            audit_.protocol = *protocol;
            if (*protocol > kHighestProtocol && audit_.problem.empty()) {
                audit_.problem = fmt::format("protocol {}, there are 0 to {}", *protocol, kHighestProtocol);
                audit_.problem_at = at_;  // weights_only loading takes any
            }
            return true;
        }
        case 0x95: {
            const auto size = bytes_.number(8);
            if (!size || *size > bytes_.left()) problem("a frame that is longer than the pickle");
            return size.has_value();
        }
        case 0x97:
            push(What::kUnknown);
            problem("a buffer from outside of the pickle");
            return true;
        case 0x98:
            return true;
        default:
            return step_calls(opcode);
    }
}

}  // namespace ckpt::audit

namespace ckpt {

PickleAudit audit_pickle(const BlobPtr& bytes, std::uint64_t begin, AuditSink& sink, const Context& context) {
    return audit::Auditor(bytes, begin, sink, context).run();
}

}  // namespace ckpt
