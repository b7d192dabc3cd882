// The pickle machine: a loop over opcodes with a stack, marks and a memo. It builds values and runs nothing.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "formats/shared/pickle/calls.hpp"
#include "formats/shared/pickle/key_index.hpp"
#include "formats/shared/pickle/memo.hpp"
#include "formats/shared/pickle/names.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/pickle/spare_nodes.hpp"
#include "formats/shared/pickle/text.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

class Machine {
public:
    Machine(std::string_view bytes, Pool& pool, PickleReaderHooks& hooks, const Context& context, PickleFacts& facts)
        : bytes_(bytes),
          pool_(pool),
          hooks_(hooks),
          limits_(context.limits),
          context_(context),
          facts_(facts),
          keys_(),
          spare_(pool),
          memo_(bytes),
          bounds_(hooks.bounds(bytes.size())),
          is_done_with_arguments_(hooks.is_done_with_arguments()),
          first_node_(pool.size()) {
        bounds_.max_nodes = std::min(bounds_.max_nodes, limits_.max_nodes);
        if (memo_.reads().has_copies()) spare_.keep_all();
    }

    Value run() {
        while (true) {
            opcode_at_ = at_;
            if (at_ == bytes_.size()) damaged("the pickle ends without STOP");
            const auto opcode = static_cast<unsigned char>(bytes_[at_++]);
            if (opcode == '.') break;
            if (frame_end_ != 0 && at_ > frame_end_) frame_end_ = 0;
            step(opcode);
            if (pool_.size() - first_node_ > bounds_.max_nodes)
                damaged(fmt::format("more than {} values", bounds_.max_nodes));
            if (stack_.size() > bounds_.max_stack)
                damaged(fmt::format("more than {} values on the stack", bounds_.max_stack));
            if ((++steps_ & 0xffff) == 0) context_.check_cancelled();
        }
        facts_.size_bytes = at_;
        const Value root = pop();
        return settle(root);
    }

    /// Reads on in frames that promise more than there is.
    void accept_short_frames() { accepts_short_frames_ = true; }
    /// After an error: what stands on the stack, from the bottom up.
    PickleRemains remains() {
        const Value all = pool_.tuple(stack_);
        settle(all);
        return {all.sequence().items, marks_, std::nullopt};
    }

private:
    [[noreturn]] void damaged(std::string_view what) const {
        throw Error(ErrorCode::kDamaged, fmt::format("pickle: {} at byte {}", what, opcode_at_)).at(opcode_at_);
    }

    // Reading arguments.

    std::string_view take(std::uint64_t count) {
        if (count > bytes_.size() - at_) {
            damaged(fmt::format("{} bytes announced, {} left,", count, bytes_.size() - at_));
        }
        if (frame_end_ != 0 && at_ < frame_end_ && at_ + count > frame_end_) damaged("a frame ends inside an opcode");
        const auto result = bytes_.substr(at_, static_cast<std::size_t>(count));
        at_ += static_cast<std::size_t>(count);
        return result;
    }
    std::uint64_t number(int width) {
        std::uint64_t value = 0;
        const auto raw = take(static_cast<std::uint64_t>(width));
        std::memcpy(&value, raw.data(), raw.size());
        return value;
    }
    std::string_view line() {
        const std::size_t end = bytes_.find('\n', at_);
        if (end == std::string_view::npos) damaged("a line without end");
        const auto result = bytes_.substr(at_, end - at_);
        at_ = end + 1;
        return result;
    }
    void count_inline(std::uint64_t bytes) {
        inline_bytes_ += bytes;
        if (inline_bytes_ > limits_.max_inline_bytes)
            damaged(fmt::format("more than {} bytes of text", limits_.max_inline_bytes));
    }
    Value text(std::string_view raw) {
        count_inline(raw.size());
        if (!is_utf8_with_surrogates(raw)) damaged("text that is not UTF-8");
        return spare_.string(std::string(raw));
    }
    Value byte_string(std::string_view raw) {
        count_inline(raw.size());
        return pool_.bytes(std::string(raw));
    }

    // The stack.

    std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
    Value pop() {
        if (stack_.size() <= floor()) damaged("stack underflow");
        const Value top = stack_.back();
        stack_.pop_back();
        return top;
    }
    Value& top() {
        if (stack_.size() <= floor()) damaged("stack underflow");
        return stack_.back();
    }
    void push(Value value) { stack_.push_back(value); }
    std::vector<Value> pop_mark() {
        if (marks_.empty()) damaged("no MARK");
        const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
        std::vector<Value> items(begin, stack_.end());
        stack_.erase(begin, stack_.end());
        marks_.pop_back();
        return items;
    }
    void put(std::uint64_t index) {
        const Value value = top();
        if (value.is(Kind::kObject) && value.type() == "builtins.getattr") memoized_.insert(value.node());
        if (memo_.put(index, value) && value.node() != nullptr) spare_.keep(value.node());
    }
    void count(std::uint64_t& all, std::size_t more, std::uint64_t most, std::string_view what) const {
        all += more;
        if (all > most) damaged(fmt::format("more than {} {}", most, what));
    }
    void get(std::uint64_t index) {
        const Value* value = memo_.find(index);
        if (value == nullptr) damaged(fmt::format("memo slot {} was never written,", index));
        push(*value);
    }

    // Containers.

    void append(Value target, const std::vector<Value>& items) {
        count(items_, items.size(), bounds_.max_items, "items of lists");
        if (target.is(Kind::kList)) {
            auto& list = target.sequence().items;
            list.insert(list.end(), items.begin(), items.end());
        } else if (Node* node = inert(target)) {
            auto& list = static_cast<ObjectNode*>(node)->items;
            list.insert(list.end(), items.begin(), items.end());
        } else {
            damaged(fmt::format("append to a {}", kind_name(target.kind())));
        }
    }
    void set_items(Value target, const std::vector<Value>& items) {
        if (items.size() % 2 != 0) damaged("an odd number of keys and values");
        count(entries_, items.size() / 2, bounds_.max_entries, "entries of dicts");
        std::vector<std::pair<Value, Value>>* entries = nullptr;
        if (target.is(Kind::kDict)) {
            entries = &target.dict().entries;
        } else if (Node* node = inert(target)) {
            entries = &static_cast<ObjectNode*>(node)->entries;
        } else {
            damaged(fmt::format("setting items of a {}", kind_name(target.kind())));
        }
        for (std::size_t i = 0; i < items.size(); i += 2) {
            check_hashable(items[i]);
            keys_.set(*entries, items[i], items[i + 1]);
        }
    }
    void check_hashable(const Value& key) {
        if (keys_.is_hashable(key)) return;
        const bool holds_it = key.is(Kind::kTuple) || (key.is(Kind::kSet) && !key.type().empty());
        damaged(fmt::format("a {}{} as a key", kind_name(key.kind()), holds_it ? " of what cannot be hashed" : ""));
    }
    void add_items(SequenceNode& set, const std::vector<Value>& items) {
        for (const auto& item : items) {
            check_hashable(item);
            keys_.add(set.items, item);
        }
    }
    /// The node if it is an object that may turn out to hold items: not a class or function itself.
    static Node* inert(const Value& value) {
        if (!value.is(Kind::kObject)) return nullptr;
        const auto* recipe = value.node()->recipe.get();
        return recipe != nullptr && recipe->how != Recipe::How::kGlobal ? value.node() : nullptr;
    }

    // Globals and calls.

    Value global(std::string module, std::string name, Value module_value, Value name_value) {
        if (facts_.protocol < 3 && module_value.is_null()) to_python3_name(module, name);
        const std::string full = module + "." + name;
        const auto [it, is_new] = globals_.try_emplace(full);
        if (is_new) {
            facts_.globals.push_back(full);
            auto* node = pool_.make<ObjectNode>();
            node->recipe = std::make_unique<Recipe>();
            node->recipe->how = Recipe::How::kGlobal;
            node->recipe->callable = full;
            node->recipe->module_length = module.size();
            if (!module_value.is_null()) node->recipe->args = pool_.tuple({module_value, name_value});
            it->second = Value::of(node);
        }
        return it->second;
    }

    Value construct(Recipe::How how, Value callee, Value args, Value kwargs = {}) {
        if (!args.is(Kind::kTuple)) damaged(fmt::format("a {} for the arguments of a call", kind_name(args.kind())));
        if (!callee.is(Kind::kObject)) damaged(fmt::format("a call of a {}", kind_name(callee.kind())));
        auto recipe = std::make_unique<Recipe>();
        recipe->how = how;
        recipe->callable = callee_name(callee);
        recipe->callee = callee;
        recipe->args = args;
        recipe->kwargs = kwargs;
        if (const auto plain = plain_value(*recipe)) {
            Node& node = *plain->node();
            if (node.kind != Kind::kDict) {
                node.recipe =
                    std::move(recipe);  // provenance: the very text and list that the bytes or set were made from
            } else if (facts_.protocol >= 4 && !node.recipe) {
                recipe->args = {};  // the names of a global are values of their own from protocol 4 on
                node.recipe = std::move(recipe);
            } else if (!node.recipe && args.sequence().items.empty()) {
                spare_.release(args);
            }
            return *plain;
        }
        if (Node* node = hooks_.construct(pool_, recipe)) {
            if (recipe) {
                node->recipe = std::move(recipe);
            } else if (is_done_with_arguments_) {
                spare_.release(args, node);
            }
            return Value::of(node);
        }
        return inert_object(std::move(recipe));
    }

    Value inert_object(std::unique_ptr<Recipe> recipe) {
        auto* node = pool_.make<ObjectNode>();
        node->type = class_made_by(*recipe);
        node->recipe = std::move(recipe);
        objects_.push_back(node);
        return Value::of(node);
    }

    /// Calls that stand for plain Python values.
    std::optional<Value> plain_value(const Recipe& recipe) {
        const auto& args = recipe.args.sequence().items;
        const std::string& name = recipe.callable;
        if (name == "collections.OrderedDict" && args.empty()) return typed_dict(name, nullptr);
        if (name == "collections.defaultdict") return typed_dict(name, &recipe);
        if (name == "collections.Counter" && recipe.how == Recipe::How::kCall && args.size() == 1 &&
            args[0].is(Kind::kDict)) {
            const Value dict = typed_dict(name, nullptr);
            dict.dict().entries = args[0].dict().entries;
            return dict;
        }
        if (recipe.how != Recipe::How::kCall) return std::nullopt;
        if (name == "_codecs.encode" && args.size() == 2 && args[0].is(Kind::kString) && args[1].is(Kind::kString) &&
            args[1].as_string() == "latin1") {
            auto latin = utf8_to_latin1(args[0].as_string());
            if (!latin) damaged("text beyond latin-1 for bytes");
            return byte_string(*latin);
        }
        if (name == "builtins.bytes" && args.empty()) return byte_string({});
        if (name == "builtins.bytearray" && (args.empty() || (args.size() == 1 && args[0].is(Kind::kBytes)))) {
            const Value value = byte_string(args.empty() ? std::string_view() : args[0].as_bytes());
            value.node()->type = name;
            return value;
        }
        if (name == "builtins.complex" && args.size() == 2 && args[0].is(Kind::kFloat) && args[1].is(Kind::kFloat)) {
            return pool_.complex({args[0].as_double(), args[1].as_double()});
        }
        if ((name == "builtins.set" || name == "builtins.frozenset") && args.size() <= 1 &&
            (args.empty() || args[0].is(Kind::kList))) {
            const Value set = pool_.set();
            if (name == "builtins.frozenset") set.node()->type = name;
            if (!args.empty()) add_items(set.sequence(), args[0].sequence().items);
            return set;
        }
        return std::nullopt;
    }

    Value typed_dict(const std::string& type, const Recipe* recipe) {
        const Value dict = spare_.dict();
        dict.node()->type = type;
        if (recipe != nullptr) dict.node()->recipe = std::make_unique<Recipe>(*recipe);
        return dict;
    }

    void build() {
        const Value state = pop();
        const Value target = top();
        Node* node = target.node();
        if (is_done_with_arguments_ && node != nullptr && !node->recipe && hooks_.build(pool_, *node, state)) {
            if (!node->recipe) spare_.release(state);
            return;
        }
        if (target.is(Kind::kObject)) {
            if (inert(target) == nullptr) damaged("state set on a class or function");
            if (!node->recipe->state.is_null()) damaged("state set twice");
            node->recipe->state = state;
        } else if (target.is(Kind::kDict) && !node->type.empty()) {
            if (!node->recipe) {
                node->recipe = std::make_unique<Recipe>();
                node->recipe->callable = node->type;
            }
            node->recipe->state = state;
        } else if (node != nullptr && node->recipe) {
            if (!hooks_.build(pool_, *node, state)) {
                auto recipe = std::move(node->recipe);
                recipe->state = state;
                const Value object = inert_object(std::move(recipe));
                replaced_[node] = object;
            } else {
                node->recipe->state = state;
            }
        } else {
            damaged(fmt::format("state set on a {}", kind_name(target.kind())));
        }
    }

    /// At the end: objects that turned out to hold only items or only entries become typed lists and dicts, everywhere.
    Value settle(Value root) {
        for (ObjectNode* object : objects_) {
            const bool list_like =
                !object->items.empty() && object->entries.empty() && object->type != "collections.deque";
            const bool dict_like = object->items.empty() && !object->entries.empty();
            if (list_like) {
                auto* list = pool_.make<SequenceNode>(Kind::kList);
                list->items = std::move(object->items);
                take_over(*object, *list);
            } else if (dict_like) {
                auto* dict = pool_.make<DictNode>();
                dict->entries = std::move(object->entries);
                take_over(*object, *dict);
            } else if (object->type == "builtins.getattr" && memoized_.count(object) == 0) {
                object->set_attribute("pickle:transient", Value::boolean(true));
            }
        }
        replace_nodes(root, replaced_);
        return root;
    }
    void take_over(ObjectNode& from, Node& to) {
        to.type = from.type;
        to.recipe = std::move(from.recipe);
        replaced_[&from] = Value::of(&to);
    }

    void persistent(const Value& id) {
        const Value value = hooks_.persistent_load(pool_, id);
        if (is_done_with_arguments_) spare_.release(id, value.node());
        push(value);
    }
    void step(unsigned char opcode);
    void text_opcode(unsigned char opcode);
    /// Of GLOBAL and INST.
    std::string name_line() {
        std::string text(line());
        if (!is_utf8_with_surrogates(text)) damaged("a name that is not UTF-8");
        return text;
    }
    void stack_global() {
        const Value name = pop();
        const Value module = pop();
        if (!name.is(Kind::kString) || !module.is(Kind::kString)) damaged("STACK_GLOBAL without names");
        push(global(std::string(module.as_string()), std::string(name.as_string()), module, name));
    }
    void proto() {
        is_protocol_named_ = true;
        facts_.protocol = static_cast<int>(number(1));
        if (facts_.protocol > 5) damaged(fmt::format("protocol {} is unknown (5 is the newest)", facts_.protocol));
    }
    void frame() {
        const std::uint64_t size = number(8);
        if (size > bytes_.size() - at_ && accepts_short_frames_) return;
        if (size > bytes_.size() - at_)
            damaged(fmt::format("a frame of {} bytes, {} left,", size, bytes_.size() - at_));
        frame_end_ = at_ + static_cast<std::size_t>(size);
    }
    Value long_integer(std::uint64_t size) {
        count_inline(size);
        return pool_.integer(take(size));
    }

    std::string_view bytes_;
    Pool& pool_;
    PickleReaderHooks& hooks_;
    const Limits& limits_;
    const Context& context_;
    PickleFacts& facts_;
    PickleKeyIndex keys_;
    SpareNodes spare_;
    PickleMemo memo_;
    PickleBounds bounds_;
    bool is_done_with_arguments_;
    std::size_t first_node_;
    std::size_t at_ = 0;
    std::size_t opcode_at_ = 0;
    std::size_t frame_end_ = 0;
    bool is_protocol_named_ = false;
    bool accepts_short_frames_ = false;
    std::uint64_t steps_ = 0;
    std::uint64_t inline_bytes_ = 0;
    std::vector<Value> stack_;
    std::vector<std::size_t> marks_;
    std::uint64_t items_ = 0;                   // of all lists
    std::uint64_t entries_ = 0;                 // of all dicts
    std::unordered_set<const Node*> memoized_;  // of what may be transient
    std::unordered_map<std::string, Value> globals_;
    std::vector<ObjectNode*> objects_;
    std::unordered_map<const Node*, Value> replaced_;
};

void Machine::step(unsigned char opcode) {
    if (opcode != 0x80 && facts_.protocol < 2 && !is_protocol_named_)
        facts_.protocol = std::max(facts_.protocol, least_protocol(opcode));
    switch (opcode) {
        case 0x80:
            return proto();
        case 0x95:
            return frame();
        case '(':
            return marks_.push_back(stack_.size());
        case '0':
            if (stack_.size() > floor()) {
                stack_.pop_back();
            } else {
                pop_mark();
            }
            return;
        case '1':
            pop_mark();
            return;
        case '2':
            return push(Value(top()));
        // Scalars.
        case 'N':
            return push(Value::null());
        case 0x88:
            return push(Value::boolean(true));
        case 0x89:
            return push(Value::boolean(false));
        case 'K':
            return push(Value::integer(static_cast<std::int64_t>(number(1))));
        case 'M':
            return push(Value::integer(static_cast<std::int64_t>(number(2))));
        case 'J':
            return push(Value::integer(static_cast<std::int32_t>(number(4))));
        case 0x8a:
            return push(long_integer(number(1)));
        case 0x8b: {
            const auto size = static_cast<std::int32_t>(number(4));
            if (size < 0) damaged(fmt::format("an integer of {} bytes", size));
            return push(long_integer(static_cast<std::uint64_t>(size)));
        }
        case 'G': {
            std::uint64_t bits = __builtin_bswap64(number(8));
            double value = 0;
            std::memcpy(&value, &bits, sizeof value);
            return push(Value::real(value));
        }
        // Text and bytes.
        case 0x8c:
            return push(text(take(number(1))));
        case 'X':
            return push(text(take(number(4))));
        case 0x8d:
            return push(text(take(number(8))));
        case 'C':
            return push(byte_string(take(number(1))));
        case 'B':
            return push(byte_string(take(number(4))));
        case 0x8e:
            return push(byte_string(take(number(8))));
        case 0x96: {
            const Value value = byte_string(take(number(8)));
            value.node()->type = "builtins.bytearray";
            return push(value);
        }
        case 'U':
        case 'T': {  // Python 2's str: text where it can be
            const auto raw = take(number(opcode == 'U' ? 1 : 4));
            return push(is_utf8_with_surrogates(raw) ? text(raw) : byte_string(raw));
        }
        // Containers.
        case ')':
            return push(spare_.tuple({}));
        case 0x85:
        case 0x86:
        case 0x87: {
            std::vector<Value> items(opcode - 0x84u);
            for (std::size_t i = items.size(); i-- > 0;) items[i] = pop();
            return push(spare_.tuple(std::move(items)));
        }
        case 't': {
            auto items = pop_mark();
            return push(spare_.tuple(std::move(items)));
        }
        case ']':
            return push(pool_.list());
        case '}':
            return push(spare_.dict());
        case 0x8f:
            return push(pool_.set());
        case 'l': {
            const auto items = pop_mark();
            const Value list = pool_.list();
            append(list, items);
            return push(list);
        }
        case 'd': {
            const auto items = pop_mark();
            const Value dict = pool_.dict();
            set_items(dict, items);
            return push(dict);
        }
        case 0x91: {
            const auto items = pop_mark();
            const Value set = pool_.set();
            set.node()->type = "builtins.frozenset";
            add_items(set.sequence(), items);
            return push(set);
        }
        case 'a': {
            const Value item = pop();
            return append(top(), {item});
        }
        case 'e': {
            const auto items = pop_mark();
            return append(top(), items);
        }
        case 's': {
            const Value value = pop();
            const Value key = pop();
            return set_items(top(), {key, value});
        }
        case 'u': {
            const auto items = pop_mark();
            return set_items(top(), items);
        }
        case 0x90: {
            const auto items = pop_mark();
            if (!top().is(Kind::kSet)) damaged(fmt::format("items added to a {}", kind_name(top().kind())));
            if (!top().type().empty()) damaged("items added to a frozenset");
            return add_items(top().sequence(), items);
        }
        // The memo.
        case 'q':
            return put(number(1));
        case 'r':
            return put(number(4));
        case 0x94:
            return put(memo_.size());
        case 'h':
            return get(number(1));
        case 'j':
            return get(number(4));
        // Globals, calls, state.
        case 'c': {
            const std::string module = name_line();
            const std::string name = name_line();
            return push(global(module, name, {}, {}));
        }
        case 0x93:
            return stack_global();
        case 'R': {
            const Value args = pop();
            const Value callee = pop();
            return push(construct(Recipe::How::kCall, callee, args));
        }
        case 0x81: {
            const Value args = pop();
            const Value callee = pop();
            return push(construct(Recipe::How::kNew, callee, args));
        }
        case 0x92: {
            const Value kwargs = pop();
            const Value args = pop();
            const Value callee = pop();
            if (!kwargs.is(Kind::kDict)) damaged("NEWOBJ_EX without a dict of keyword arguments");
            return push(construct(Recipe::How::kNew, callee, args, kwargs));
        }
        case 'i': {
            const std::string module = name_line();
            const std::string name = name_line();
            const Value callee = global(module, name, {}, {});
            return push(construct(Recipe::How::kCall, callee, pool_.tuple(pop_mark())));
        }
        case 'o': {
            auto items = pop_mark();
            if (items.empty()) damaged("OBJ without a class");
            const Value callee = items.front();
            items.erase(items.begin());
            return push(construct(Recipe::How::kCall, callee, pool_.tuple(std::move(items))));
        }
        case 'b':
            return build();
        case 'Q': {
            return persistent(pop());
        }
        case 0x82:
        case 0x83:
        case 0x84:
            damaged(fmt::format("extension code {}, which is registered nowhere,", number(1 << (opcode - 0x82))));
        case 0x97:
        case 0x98:
            damaged("a buffer that lies outside of the pickle");
        default:
            return text_opcode(opcode);
    }
}

/// The opcodes of protocol 0, whose arguments are lines.
void Machine::text_opcode(unsigned char opcode) {
    switch (opcode) {
        case 'I': {
            const auto digits = line();
            if (digits == "00" || digits == "01") return push(Value::boolean(digits == "01"));
            const auto bytes = decimal_to_bytes(digits);
            if (!bytes) damaged("a number that is none");
            return push(pool_.integer(*bytes));
        }
        case 'L': {
            auto digits = line();
            if (digits.ends_with('L')) digits.remove_suffix(1);
            if (digits.size() > 20000) damaged("a number of more than 20000 digits");
            const auto bytes = decimal_to_bytes(digits);
            if (!bytes) damaged("a number that is none");
            return push(pool_.integer(*bytes));
        }
        case 'F': {
            const auto value = parse_python_float(line());
            if (!value) damaged("a float that is none");
            return push(Value::real(*value));
        }
        case 'S': {
            const auto raw = parse_python_string(line());
            if (!raw) damaged("a string without its quotes");
            return push(is_utf8_with_surrogates(*raw) ? text(*raw) : byte_string(*raw));
        }
        case 'V': {
            const auto raw = parse_raw_unicode_escape(line());
            if (!raw) damaged("a broken escape in text");
            return push(text(*raw));
        }
        case 'P': {
            return persistent(text(line()));
        }
        case 'p':
        case 'g': {
            const auto bytes = decimal_to_bytes(line());
            const auto index = bytes ? pool_.integer(*bytes).as_uint64() : std::nullopt;
            if (!index) damaged("a memo slot that is no number");
            return opcode == 'p' ? put(*index) : get(*index);
        }
        default:
            damaged(fmt::format("unknown opcode 0x{:02x}", opcode));
    }
}

}  // namespace

PickleRemains read_pickle_remains(std::string_view bytes, Pool& pool, PickleReaderHooks& hooks,
                                  const Context& context) {
    PickleFacts facts;
    Machine machine(bytes, pool, hooks, context, facts);
    machine.accept_short_frames();
    try {
        return {{machine.run()}, {}, std::nullopt};
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kDamaged) throw;
        PickleRemains remains = machine.remains();
        remains.error = error;
        return remains;
    }
}

Value read_pickle(std::string_view bytes, Pool& pool, PickleReaderHooks& hooks, const Context& context,
                  PickleFacts* facts) {
    PickleFacts own;
    return Machine(bytes, pool, hooks, context, facts != nullptr ? *facts : own).run();
}

}  // namespace ckpt
