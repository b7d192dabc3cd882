// Values as pickle opcodes, in the order and with the memo of CPython's C pickler.
#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_map>

#include <fmt/format.h>

#include "formats/shared/pickle/names.hpp"
#include "formats/shared/pickle/numpy.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/pickle/text.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kBatch = 1000;             // items per APPENDS, SETITEMS, ADDITEMS
constexpr std::size_t kFrameTarget = 64 * 1024;  // protocol 4: a frame is closed once it has this many bytes
constexpr std::size_t kFrameMinimum = 4;         // smaller frames are written without a frame

/// Collects output; cuts it into frames for protocol 4 and above.
class Output {
public:
    explicit Output(int protocol) : framing_(protocol >= 4) {}

    void put(std::string_view bytes) {
        if (framing_ && frame_start_ == kNone) {
            frame_start_ = bytes_.size();
            bytes_.append(9, '\0');
        }
        bytes_ += bytes;
    }
    /// A header and its payload; a payload as large as a frame stands outside of all frames.
    void put_large(std::string_view header, std::string_view payload) {
        if (!framing_ || payload.size() < kFrameTarget) {
            put(header);
            put(payload);
            return;
        }
        close_frame();
        bytes_ += header;
        bytes_ += payload;
    }
    void boundary() {
        if (frame_start_ != kNone && bytes_.size() - frame_start_ - 9 >= kFrameTarget) close_frame();
    }
    std::string finish() {
        close_frame();
        return std::move(bytes_);
    }
    /// Before the first frame: PROTO is never inside one.
    void prologue(std::string_view bytes) { bytes_ += bytes; }

private:
    static constexpr std::size_t kNone = ~std::size_t{0};
    void close_frame() {
        if (frame_start_ == kNone) return;
        const std::uint64_t size = bytes_.size() - frame_start_ - 9;
        if (size >= kFrameMinimum) {
            bytes_[frame_start_] = '\x95';
            std::memcpy(bytes_.data() + frame_start_ + 1, &size, 8);
        } else {
            bytes_.erase(frame_start_, 9);
        }
        frame_start_ = kNone;
    }
    std::string bytes_;
    bool framing_;
    std::size_t frame_start_ = kNone;
};

class Writer {
public:
    Writer(int protocol, PickleWriterHooks& hooks) : protocol_(protocol), hooks_(hooks), out_(protocol) {}

    std::string write(const Value& root) {
        if (protocol_ >= 2) out_.prologue(std::string("\x80") + static_cast<char>(protocol_));
        save(root);
        while (!tasks_.empty()) {
            const Task task = tasks_.back();
            tasks_.pop_back();
            run(task);
        }
        out_.put(".");
        return out_.finish();
    }

private:
    /// What is still to be done, last first.
    struct Task {
        enum class Kind : std::uint8_t {
            kSave,
            kEmit,
            kMemo,
            kTupleEnd,
            kCallEnd,
            kFrozenEnd,
            kList,
            kListIterated,
            kDict,
            kDictIterated,
            kSet
        } kind;
        Value value;
        const Node* node = nullptr;
        std::size_t position = 0;
        const char* opcode = nullptr;
        bool memoized = true;
    };

    void later_save(const Value& value) { tasks_.push_back({Task::Kind::kSave, value, nullptr, 0, nullptr, true}); }
    void later_emit(const char* opcode) { tasks_.push_back({Task::Kind::kEmit, {}, nullptr, 0, opcode, true}); }
    void later(Task::Kind kind, const Node* node, std::size_t position = 0, const char* opcode = nullptr,
               bool memoized = true) {
        tasks_.push_back({kind, {}, node, position, opcode, memoized});
    }

    void run(const Task& task) {
        switch (task.kind) {
            case Task::Kind::kSave:
                return save(task.value);
            case Task::Kind::kEmit:
                return out_.put(task.opcode);
            case Task::Kind::kMemo:
                return memo_put(task.node);
            case Task::Kind::kTupleEnd:
                return tuple_end(static_cast<const SequenceNode&>(*task.node));
            case Task::Kind::kCallEnd:
                return call_end(task);
            case Task::Kind::kFrozenEnd:
                return frozen_end(task.node);
            case Task::Kind::kList:
            case Task::Kind::kListIterated:
                return list_batch(task);
            case Task::Kind::kDict:
            case Task::Kind::kDictIterated:
                return dict_batch(task);
            case Task::Kind::kSet:
                return set_batch(task);
        }
    }

    // The memo.

    void memo_put(const Node* node) {
        const std::size_t index = memo_.size();
        memo_.emplace(memo_key(node), index);
        if (protocol_ >= 4) {
            out_.put("\x94");
        } else if (protocol_ == 0) {
            out_.put(fmt::format("p{}\n", index));
        } else if (index < 256) {
            out_.put(std::string("q") + static_cast<char>(index));
        } else {
            out_.put(std::string("r") + little(index, 4));
        }
    }
    bool memo_get(const Node* node) {
        const auto found = memo_.find(memo_key(node));
        if (found == memo_.end()) return false;
        if (protocol_ == 0) {
            out_.put(fmt::format("g{}\n", found->second));
            return true;
        }
        out_.put(found->second < 256 ? std::string("h") + static_cast<char>(found->second)
                                     : std::string("j") + little(found->second, 4));
        return true;
    }
    static std::string little(std::uint64_t number, std::size_t width) {
        std::string bytes(width, '\0');
        std::memcpy(bytes.data(), &number, width);
        return bytes;
    }

    // One value.

    void save(const Value& value) {
        out_.boundary();
        Node* node = value.node();
        if (node == nullptr) return save_scalar(value);
        if (const auto id = hooks_.persistent_id(scratch_, *node)) {
            if (protocol_ == 0) throw Error(ErrorCode::kRefused, "pickle protocol 0 knows persistent ids of text only");
            later_emit("Q");
            return save(*id);
        }
        if (memo_get(node)) return;
        if (hooks_.must_lower(*node)) return save_lowered(value);
        if (node->recipe && node->kind != Kind::kDict && node->kind != Kind::kObject && node->kind != Kind::kList) {
            return save_recipe(value);  // provenance: the exact form that was read
        }
        switch (node->kind) {
            case Kind::kString:
                return save_text(static_cast<const StringNode&>(*node));
            case Kind::kObject:
                return save_object(value);
            case Kind::kBytes:
                if (node->type.empty() || node->type == "builtins.bytearray")
                    return save_bytes(static_cast<const BytesNode&>(*node));
                return save_lowered(value);
            case Kind::kInt:
                if (const auto* big = dynamic_cast<const BigIntNode*>(node)) return save_integer(big->bytes);
                return save_lowered(value);
            case Kind::kComplex:
                if (node->type.empty())
                    return save_call(node, "builtins.complex",
                                     {Value::real(value.as_complex().real()), Value::real(value.as_complex().imag())});
                return save_lowered(value);
            case Kind::kTuple:
                if (!node->type.empty()) return save_lowered(value);
                return save_tuple(value.sequence());
            case Kind::kList:
                if (node->recipe) return save_recipe(value);
                if (!node->type.empty()) return save_lowered(value);
                out_.put(protocol_ == 0 ? "(l" : "]");
                memo_put(node);
                return later(Task::Kind::kList, node);
            case Kind::kSet:
                return save_set(value);
            case Kind::kDict:
                return save_dict(value);
            default:
                return save_lowered(value);
        }
    }

    void save_scalar(const Value& value) {
        switch (value.kind()) {
            case Kind::kNull:
                return out_.put("N");
            case Kind::kBool:
                if (protocol_ < 2) return out_.put(value.as_bool() ? "I01\n" : "I00\n");
                return out_.put(value.as_bool() ? "\x88" : "\x89");
            case Kind::kFloat: {
                if (protocol_ == 0) return out_.put("F" + python_float(value.as_double()) + "\n");
                std::uint64_t bits = 0;
                const double number = value.as_double();
                std::memcpy(&bits, &number, sizeof bits);
                return out_.put(std::string("G") + little(__builtin_bswap64(bits), 8));
            }
            default:
                break;
        }
        const auto small = value.as_int64();
        if (small && *small >= INT32_MIN && *small <= INT32_MAX) {
            if (protocol_ == 0) return out_.put(fmt::format("I{}\n", *small));
            const auto bits = static_cast<std::uint64_t>(*small);
            if (*small >= 0 && *small < 256) return out_.put(std::string("K") + little(bits, 1));
            if (*small >= 0 && *small < 65536) return out_.put(std::string("M") + little(bits, 2));
            return out_.put(std::string("J") + little(bits, 4));
        }
        save_integer(value.integer_bytes());
    }

    void save_integer(const std::string& bytes) {
        constexpr std::size_t kMostInDecimal = 8192;  // Python reads no longer ones; an opcode of protocol 2 does
        if (protocol_ < 2 && bytes.size() <= kMostInDecimal) return out_.put("L" + decimal_text(bytes) + "L\n");
        if (bytes.size() < 256) return out_.put(std::string("\x8a") + little(bytes.size(), 1) + bytes);
        if (bytes.size() > INT32_MAX)
            throw_error(ErrorCode::kRefused, "an integer of {} bytes cannot be pickled, at most {} can", bytes.size(),
                        INT32_MAX);
        out_.put(std::string("\x8b") + little(bytes.size(), 4));
        out_.put(bytes);  // in its frame, whatever its size
    }

    void save_text(const StringNode& node) {
        const std::size_t size = node.text.size();
        if (protocol_ == 0) {
            out_.put("V" + raw_unicode_escaped(node.text) + "\n");
        } else if (protocol_ >= 4 && size <= 0xff) {
            out_.put_large(std::string("\x8c") + little(size, 1), node.text);
        } else if (size <= 0xffffffffu) {
            out_.put_large(std::string("X") + little(size, 4), node.text);
        } else {
            out_.put_large(std::string("\x8d") + little(size, 8), node.text);
        }
        memo_put(&node);
    }

    void save_bytes(const BytesNode& node) {
        const bool is_array = !node.type.empty();
        if (is_array && protocol_ >= 5) {
            out_.put_large(std::string("\x96") + little(node.bytes.size(), 8), node.bytes);
            return memo_put(&node);
        }
        if (is_array) {
            std::vector<Value> args;
            if (!node.bytes.empty()) args.push_back(scratch_.bytes(node.bytes));
            return save_call(&node, "builtins.bytearray", std::move(args));
        }
        if (protocol_ < 3) {
            if (node.bytes.empty()) return save_call(&node, "builtins.bytes", {});
            if (latin1_.is_null()) latin1_ = scratch_.string("latin1");
            return save_call(&node, "_codecs.encode", {scratch_.string(latin1_to_utf8(node.bytes)), latin1_});
        }
        const std::size_t size = node.bytes.size();
        if (size <= 0xff) {
            out_.put_large(std::string("C") + little(size, 1), node.bytes);
        } else if (size <= 0xffffffffu) {
            out_.put_large(std::string("B") + little(size, 4), node.bytes);
        } else {
            out_.put_large(std::string("\x8e") + little(size, 8), node.bytes);
        }
        memo_put(&node);
    }

    void save_tuple(const SequenceNode& node) {
        if (node.items.empty()) return out_.put(protocol_ == 0 ? "(t" : ")");
        // A tuple may hold itself by way of a list or dict, which the memo knows by the time it is met again. Where
        // nothing new was remembered since it was opened last, there is no such way, and no end.
        const auto [open, is_new] = open_tuples_.try_emplace(&node, memo_.size());
        if (!is_new && open->second == memo_.size())
            throw Error(ErrorCode::kRefused, "a tuple contains itself, which no pickle can say");
        open->second = memo_.size();
        if (is_marked(node)) out_.put("(");
        later(Task::Kind::kTupleEnd, &node);
        for (std::size_t i = node.items.size(); i-- > 0;) later_save(node.items[i]);
    }
    /// Short tuples have opcodes of their own from protocol 2 on.
    bool is_marked(const SequenceNode& node) const { return protocol_ < 2 || node.items.size() > 3; }

    void tuple_end(const SequenceNode& node) {
        open_tuples_.erase(&node);
        const std::size_t size = node.items.size();
        if (memo_.count(memo_key(&node)) != 0) {  // it contains itself: what was made inside is the tuple
            // POP takes marks as well; POP_MARK came with protocol 1.
            out_.put(!is_marked(node) ? std::string(size, '0')
                     : protocol_ == 0 ? std::string(size + 1, '0')
                                      : std::string("1"));
            memo_get(&node);
            return;
        }
        static constexpr const char* kOpcodes[] = {"", "\x85", "\x86", "\x87"};
        out_.put(is_marked(node) ? "t" : kOpcodes[size]);
        memo_put(&node);
    }

    void save_set(const Value& value) {
        const SequenceNode& node = value.sequence();
        const bool frozen = node.type == "builtins.frozenset";
        if (!frozen && !node.type.empty()) return save_lowered(value);
        if (protocol_ < 4) {
            const Value items = scratch_.list();
            items.sequence().items = node.items;
            return save_call(&node, frozen ? "builtins.frozenset" : "builtins.set", {items});
        }
        if (frozen) {
            out_.put("(");
            later(Task::Kind::kFrozenEnd, &node);
            for (std::size_t i = node.items.size(); i-- > 0;) later_save(node.items[i]);
            return;
        }
        out_.put("\x8f");
        memo_put(&node);
        if (!node.items.empty()) later(Task::Kind::kSet, &node);
    }
    void frozen_end(const Node* node) {
        if (memo_.count(memo_key(node)) != 0) {
            out_.put("1");
            memo_get(node);
            return;
        }
        out_.put("\x91");
        memo_put(node);
    }

    void save_dict(const Value& value) {
        const DictNode& node = value.dict();
        if (node.type.empty()) {
            out_.put(protocol_ == 0 ? "(d" : "}");
            memo_put(&node);
            return later(Task::Kind::kDict, &node);
        }
        if (node.recipe && !node.recipe->args.is_null()) return save_recipe(value);
        if (node.type == "collections.OrderedDict") {
            if (node.recipe && !node.recipe->state.is_null()) {
                later_emit("b");
                later_save(node.recipe->state);
            }
            if (!node.entries.empty()) later(Task::Kind::kDictIterated, &node);
            return save_call(&node, node.type, {});
        }
        if (node.type == "collections.Counter") {
            const Value counts = scratch_.dict();
            counts.dict().entries = node.entries;
            return save_call(&node, node.type, {counts});
        }
        save_lowered(value);
    }

    void save_object(const Value& value) {
        const Node& node = *value.node();
        if (!node.recipe) return save_lowered(value);
        if (node.recipe->how == Recipe::How::kGlobal) return save_global(node);
        save_recipe(value);
    }

    /// A value that its hooks must turn into something else first; the memo belongs to the original.
    void save_lowered(const Value& value) {
        const auto lowered = hooks_.lower(scratch_, value);
        if (!lowered)
            throw_error(ErrorCode::kRefused, "a {} of type '{}' cannot be pickled", kind_name(value.kind()),
                        value.type());
        Node* node = lowered->node();
        if (node == nullptr) return save(*lowered);
        alias_[node] = value.node();
        save(*lowered);
    }
    /// The node under which the memo knows what is written for `node`.
    const Node* memo_key(const Node* node) const {
        const auto found = alias_.find(node);
        return found != alias_.end() ? found->second : node;
    }

    // Globals and calls.

    Value global_for(const std::string& name) {
        auto& value = made_globals_[name];
        if (value.is_null()) {
            auto* node = scratch_.make<ObjectNode>();
            node->recipe = std::make_unique<Recipe>();
            node->recipe->how = Recipe::How::kGlobal;
            node->recipe->callable = name;
            value = Value::of(node);
        }
        return value;
    }

    void save_global(const Node& node) {
        // The same class under another node (from another file, or made here) is the same class.
        const auto [it, is_new] = globals_.try_emplace(node.recipe->callable, &node);
        if (!is_new && it->second != &node && memo_get(it->second)) return;
        it->second = &node;
        const std::string& full = node.recipe->callable;
        const std::size_t dot = node.recipe->module_length != 0 ? node.recipe->module_length : full.rfind('.');
        if (dot == std::string::npos || dot >= full.size())
            throw_error(ErrorCode::kRefused, "the name '{}' has no module", full);
        std::string module = full.substr(0, dot);
        std::string name = full.substr(dot + 1);
        if (protocol_ >= 4) {
            const Value& args = node.recipe->args;
            const bool named = args.is(Kind::kTuple) && args.sequence().items.size() == 2;
            later(Task::Kind::kMemo, &node);
            later_emit("\x93");
            later_save(named ? args.sequence().items[1] : text_for(name));
            later_save(named ? args.sequence().items[0] : text_for(module));
            return;
        }
        if (protocol_ < 3) to_python2_name(module, name);
        out_.put("c" + module + "\n" + name + "\n");
        memo_put(&node);
    }
    Value text_for(const std::string& text) {
        auto& value = made_texts_[text];
        if (value.is_null()) value = scratch_.string(text);
        return value;
    }

    /// `callable(*args)` for a node without a recipe of its own. What must follow was pushed before.
    void save_call(const Node* node, const std::string& callable, std::vector<Value> args) {
        later(Task::Kind::kCallEnd, node, 0, "R");
        later_save(scratch_.tuple(std::move(args)));
        later_save(node->recipe && !node->recipe->callee.is_null() ? node->recipe->callee : global_for(callable));
    }

    void save_recipe(const Value& value) {
        const Node* node = value.node();
        const Recipe& recipe = *node->recipe;
        if (recipe.how == Recipe::How::kGlobal) return save_global(*node);
        if (!recipe.state.is_null()) {
            later_emit("b");
            later_save(recipe.state);
        }
        if (node->kind == Kind::kDict && !static_cast<const DictNode*>(node)->entries.empty())
            later(Task::Kind::kDictIterated, node);
        if (node->kind == Kind::kList && !static_cast<const SequenceNode*>(node)->items.empty())
            later(Task::Kind::kListIterated, node);
        if (node->kind == Kind::kObject) {
            const auto& object = static_cast<const ObjectNode&>(*node);
            if (!object.entries.empty()) later(Task::Kind::kDictIterated, node);
            if (!object.items.empty()) later(Task::Kind::kListIterated, node);
        }
        const Value callee = recipe.callee.is_null() ? global_for(recipe.callable) : recipe.callee;
        const Value args = recipe.args.is_null() ? scratch_.tuple() : recipe.args;
        const bool memoized = node->attribute("pickle:transient") == nullptr;
        if (recipe.how == Recipe::How::kNew && protocol_ < 2 && args.is(Kind::kTuple)) {
            std::vector<Value> of_new{callee};
            of_new.insert(of_new.end(), args.sequence().items.begin(), args.sequence().items.end());
            later(Task::Kind::kCallEnd, node, 0, "R", memoized);
            later_save(scratch_.tuple(std::move(of_new)));
            return later_save(global_for("copyreg.__newobj__"));
        }
        if (recipe.how == Recipe::How::kNew && !recipe.kwargs.is_null()) {
            if (protocol_ < 4)
                throw_error(ErrorCode::kRefused, "'{}' is made with keyword arguments, which needs pickle protocol 4",
                            recipe.callable);
            later(Task::Kind::kCallEnd, node, 0, "\x92", memoized);
            later_save(recipe.kwargs);
        } else {
            later(Task::Kind::kCallEnd, node, 0, recipe.how == Recipe::How::kNew ? "\x81" : "R", memoized);
        }
        later_save(args);
        later_save(callee);
    }

    void call_end(const Task& task) {
        out_.put(task.opcode);
        const Node* key = memo_key(task.node);
        if (!task.memoized) return;
        if (memo_.count(key) != 0) {  // made inside of its own arguments
            out_.put("0");
            memo_get(key);
        } else {
            memo_put(key);
        }
    }

    // Batches. The C pickler treats a plain list or dict and an iterated one differently at the ends of batches.

    void list_batch(const Task& task) {
        const auto& items = task.node->kind == ckpt::Kind::kObject ? static_cast<const ObjectNode*>(task.node)->items
                                                                   : static_cast<const SequenceNode*>(task.node)->items;
        const std::size_t left = items.size() - task.position;
        if (left == 0) return;
        if (protocol_ == 0) {  // one by one
            if (left > 1) later(task.kind, task.node, task.position + 1);
            later_emit("a");
            return later_save(items[task.position]);
        }
        const bool iterated = task.kind == Task::Kind::kListIterated;
        if (left == 1 && (iterated || items.size() == 1)) {
            later_emit("a");
            return later_save(items[task.position]);
        }
        const std::size_t count = std::min(left, kBatch);
        out_.put("(");
        if (left > count) later(task.kind, task.node, task.position + count);
        later_emit("e");
        for (std::size_t i = task.position + count; i-- > task.position;) later_save(items[i]);
    }

    void dict_batch(const Task& task) {
        const auto& entries = task.node->kind == ckpt::Kind::kObject
                                  ? static_cast<const ObjectNode*>(task.node)->entries
                                  : static_cast<const DictNode*>(task.node)->entries;
        const std::size_t left = entries.size() - task.position;
        if (protocol_ == 0) {
            if (left == 0) return;
            if (left > 1) later(task.kind, task.node, task.position + 1);
            later_emit("s");
            later_save(entries[task.position].second);
            return later_save(entries[task.position].first);
        }
        const bool iterated = task.kind == Task::Kind::kDictIterated;
        if (left == 0 && (iterated || task.position == 0)) return;
        if (left == 1 && (iterated || entries.size() == 1)) {
            later_emit("s");
            later_save(entries[task.position].second);
            return later_save(entries[task.position].first);
        }
        const std::size_t count = std::min(left, kBatch);
        out_.put("(");
        // A plain dict of exactly n thousand items ends in an empty batch: the C pickler only stops at one that is not
        // full.
        if (iterated ? left > count : count == kBatch) later(task.kind, task.node, task.position + count);
        later_emit("u");
        for (std::size_t i = task.position + count; i-- > task.position;) {
            later_save(entries[i].second);
            later_save(entries[i].first);
        }
    }

    void set_batch(const Task& task) {
        const auto& items = static_cast<const SequenceNode*>(task.node)->items;
        const std::size_t count = std::min(items.size() - task.position, kBatch);
        out_.put("(");
        if (count == kBatch) later(task.kind, task.node, task.position + count);
        later_emit("\x90");
        for (std::size_t i = task.position + count; i-- > task.position;) later_save(items[i]);
    }

    int protocol_;
    PickleWriterHooks& hooks_;
    Pool scratch_;
    Output out_;
    std::vector<Task> tasks_;
    std::unordered_map<const Node*, std::size_t> memo_;
    std::unordered_map<const SequenceNode*, std::size_t> open_tuples_;  ///< and what was remembered by then
    std::unordered_map<const Node*, const Node*> alias_;
    std::unordered_map<std::string, const Node*> globals_;
    std::unordered_map<std::string, Value> made_globals_;
    std::unordered_map<std::string, Value> made_texts_;
    Value latin1_;
};

}  // namespace

std::optional<Value> PickleWriterHooks::persistent_id(Pool&, const Node&) {
    return std::nullopt;
}
bool PickleWriterHooks::must_lower(const Node&) {
    return false;
}
std::optional<Value> PickleWriterHooks::lower(Pool& scratch, Value value) {
    return lower_numpy(scratch, value);
}

std::string write_pickle(const Value& root, int protocol, PickleWriterHooks& hooks) {
    if (protocol < 0 || protocol > 5) throw_error(ErrorCode::kUsage, "pickle protocol {} cannot be written", protocol);
    return Writer(protocol, hooks).write(root);
}

}  // namespace ckpt
