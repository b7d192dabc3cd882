// The generator of the conformance suite.
#include "tests/formats/generate.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "libckpt/walk.hpp"

namespace ckpt::test {
namespace {

class Generator {
public:
    explicit Generator(const GenerateOptions& options) : options_(options), random_(options.seed) {}

    Document run() {
        document_.root = container(0);
        return std::move(document_);
    }
    Document run_array() {
        document_.root = array();
        return std::move(document_);
    }
    /// What pyhopper keeps of a search.
    Document run_search() {
        Pool& pool = document_.pool();
        const auto named = [&](const Value& dict, const char* name, const Value& value) {
            dict.dict().entries.emplace_back(pool.string(name), value);
        };
        const Value root = document_.root = pool.dict();
        named(root, "run_context", Value::null());
        const Value cache = pool.dict();
        const Value candidates = pool.list();
        const Value results = pool.list();
        for (std::uint64_t i = number(6) + 2; i > 0; --i) {
            const double result = static_cast<double>(number(1000)) / 8;
            cache.dict().entries.emplace_back(pool.bytes(random_text(4, true) + std::to_string(i)),
                                              Value::real(result));
            const Value candidate = pool.dict();
            named(candidate, "x", any(options_.max_depth - 1));
            candidates.sequence().items.push_back(candidate);
            results.sequence().items.push_back(Value::real(result));
        }
        const Value outer = pool.dict();
        named(outer, "cache", cache);
        named(root, "cache", outer);
        named(root, "best_f", results.sequence().items.front());
        const Value history = pool.dict();
        named(history, "log_candidate", candidates);
        named(history, "log_f", results);
        named(root, "history", history);
        named(root, "best_solution", candidates.sequence().items.front());
        return std::move(document_);
    }
    /// What black-it keeps of a calibration.
    Document run_calibration(bool is_database) {
        Pool& pool = document_.pool();
        const Value root = document_.root = pool.dict();
        const auto add = [&](const char* name, const Value& value) {
            root.dict().entries.emplace_back(pool.string(name), value);
        };
        const std::int64_t parameters = static_cast<std::int64_t>(number(3)) + 1;
        const std::int64_t batches = static_cast<std::int64_t>(number(4)) + 1;
        const std::int64_t rows = batches * 2;
        add("parameters_bounds", doubles({2, parameters}));
        add("parameters_precision", doubles({parameters}));
        add("real_data", doubles({4, 1}));
        add("ensemble_size", Value::integer(2));
        add("N", Value::integer(4));
        add("D", Value::integer(1));
        add("convergence_precision", Value::null());
        add("verbose", Value::boolean(chance(50)));
        add("saving_folder", pool.string("naïve \"folder\""));
        add("random_state", chance(50) ? Value::null() : Value::integer(7));
        const Value generator = pool.dict();
        generator.dict().entries.emplace_back(pool.string("state"), pool.integer("0123456789abcde\x01"));
        add("random_generator_state", generator);
        add("model_name", pool.string("model"));
        if (!is_database) add("n_jobs", Value::integer(1));
        add("current_batch_index", Value::integer(batches));
        if (!is_database) add("n_sampled_params", Value::integer(rows));
        add("params_samp", doubles({rows, parameters}));
        add("losses_samp", doubles({rows}));
        add("batch_num_samp", integers(rows, 2));
        add("method_samp", integers(rows, 1));
        add("series_samp", doubles({rows, 2, 4, 1}));
        add("scheduler", object(options_.max_depth - 1));
        made_.clear();  // each is a pickle of its own
        storages_.clear();
        add("loss_function", object(options_.max_depth - 1));
        return std::move(document_);
    }
    Document run_arrays() {
        document_.root = document_.pool().dict();
        for (std::uint64_t i = number(static_cast<std::uint64_t>(options_.max_items) + 1); i > 0; --i)
            document_.root.dict().entries.emplace_back(document_.pool().string("array/" + std::to_string(i)), array());
        return std::move(document_);
    }

private:
    std::uint64_t number(std::uint64_t below) { return random_() % below; }
    bool chance(unsigned percent) { return number(100) < percent; }

    Value any(int depth) {
        if (!made_.empty() && chance(8)) return made_[number(made_.size())];
        if (depth < options_.max_depth && chance(45)) return container(depth);
        if (chance(40)) return remember(tensor());
        if (options_.with_objects && depth < options_.max_depth && chance(10)) return remember(object(depth));
        return scalar();
    }

    Value remember(Value value) {
        made_.push_back(value);
        return value;
    }

    Value scalar() {
        Pool& pool = document_.pool();
        switch (number(10)) {
            case 0:
                return Value::null();
            case 1:
                return Value::boolean(chance(50));
            case 2:
                return Value::integer(static_cast<std::int64_t>(random_()) >> number(64));
            case 3:
                return Value::unsigned_integer(random_() | (std::uint64_t{1} << 63));
            case 4:
                return pool.integer(std::string("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a") +
                                    (chance(50) ? "\x0b" : "\xf0"));
            case 5:
                return Value::real(special());
            case 6:
                return pool.complex({special(), special()});
            case 7:
                return pool.bytes(random_text(chance(20) ? 300 : 10, true));
            default:
                return pool.string(text());
        }
    }

    double special() {
        static const double kSpecial[] = {0.0,
                                          -0.0,
                                          1.5,
                                          -2.25e-300,
                                          std::numeric_limits<double>::infinity(),
                                          -std::numeric_limits<double>::infinity(),
                                          std::numeric_limits<double>::quiet_NaN(),
                                          std::numeric_limits<double>::denorm_min(),
                                          1.7976931348623157e308};
        return kSpecial[number(std::size(kSpecial))];
    }

    std::string random_text(std::size_t most, bool any_byte) {
        std::string result;
        for (std::size_t count = number(most + 1); count > 0; --count) {
            result.push_back(static_cast<char>(any_byte ? random_() : 'a' + number(26)));
        }
        return result;
    }

    std::string text() {
        static const char* const kOdd[] = {
            "",  "/",   ".",    "..",         "a/b",      "a\\b", "naïve 模型 🙂", "__args__",
            " ", "a b", "\\0",  "ckpt:kind",  "__type__", "0",    "layer.0.weight",     "@",
            "#", "%2F", "\x7f", "line\nbreak"};
        if (chance(10)) return std::string("nul\0inside", 10);
        if (chance(5)) return "lone \xed\xa0\x80 surrogate";  // U+D800 as Python's surrogatepass writes it
        if (chance(3)) return std::string(70000, 'x');
        if (chance(40)) return kOdd[number(std::size(kOdd))];
        return random_text(12, false) + std::to_string(number(1000));
    }

    Value key() {
        Pool& pool = document_.pool();
        switch (number(12)) {
            case 0:
                return Value::integer(static_cast<std::int64_t>(number(1000)) - 500);
            case 1:
                return Value::null();
            case 2:
                return pool.tuple({Value::integer(static_cast<std::int64_t>(number(9))), pool.string("x")});
            case 3:
                return pool.bytes(random_text(4, true));
            case 4:
                return Value::real(0.5 + static_cast<double>(number(9)));
            default:
                return pool.string(text());
        }
    }

    static bool same_key(const Value& a, const Value& b) {
        if (a.kind() != b.kind()) return false;
        if (a.is(Kind::kString)) return a.as_string() == b.as_string();
        if (a.is(Kind::kBytes)) return a.as_bytes() == b.as_bytes();
        if (a.is(Kind::kTuple)) return a.sequence().items[0] == b.sequence().items[0];
        return a == b;
    }

    Value container(int depth) {
        Pool& pool = document_.pool();
        const std::uint64_t items = number(static_cast<std::uint64_t>(options_.max_items) + 1) + (chance(5) ? 12 : 0);
        switch (depth == 0 ? 0 : number(6)) {
            case 1: {
                const Value list = remember(pool.list());
                for (std::uint64_t i = 0; i < items; ++i) list.sequence().items.push_back(any(depth + 1));
                if (options_.with_cycles && chance(20)) list.sequence().items.push_back(list);
                return list;
            }
            case 2: {
                std::vector<Value> parts;
                for (std::uint64_t i = 0; i < items; ++i) parts.push_back(any(depth + 1));
                const Value tuple = pool.tuple(std::move(parts));
                return items > 0 ? remember(tuple) : tuple;
            }
            case 3: {
                const Value set = remember(pool.set());
                for (std::uint64_t i = 0; i < items; ++i)
                    set.sequence().items.push_back(Value::integer(static_cast<std::int64_t>(i)));
                if (chance(50)) set.node()->type = "builtins.frozenset";
                return set;
            }
            default: {
                const Value dict = remember(pool.dict());
                if (chance(40)) {
                    dict.node()->type = "collections.OrderedDict";
                    if (chance(40)) {
                        auto recipe = std::make_unique<Recipe>();
                        recipe->callable = dict.node()->type;
                        recipe->args = pool.tuple();
                        recipe->state = pool.dict();
                        recipe->state.dict().entries.emplace_back(pool.string("_metadata"), scalar());
                        dict.node()->recipe = std::move(recipe);
                    }
                }
                auto& entries = dict.dict().entries;
                for (std::uint64_t i = 0; i < items + (depth == 0 ? 3 : 0); ++i) {
                    const Value name = key();
                    bool is_new = true;
                    for (const auto& entry : entries) is_new = is_new && !same_key(entry.first, name);
                    if (is_new) {
                        const Value value = any(depth + 1);
                        dict.dict().entries.emplace_back(name, value);
                    }
                }
                return dict;
            }
        }
    }

    Value object(int depth) {
        Pool& pool = document_.pool();
        auto* node = pool.make<ObjectNode>();
        node->type = "project.module.Thing" + std::to_string(number(3));
        node->recipe = std::make_unique<Recipe>();
        node->recipe->how = chance(50) ? Recipe::How::kNew : Recipe::How::kCall;
        node->recipe->callable = node->type;
        std::vector<Value> arguments;
        for (std::uint64_t i = number(3); i > 0; --i) arguments.push_back(any(depth + 1));
        node->recipe->args = pool.tuple(std::move(arguments));
        if (chance(70)) {
            node->recipe->state = pool.dict();
            for (std::uint64_t i = number(4) + 1; i > 0; --i) {
                const Value value = any(depth + 1);
                node->recipe->state.dict().entries.emplace_back(pool.string("field" + std::to_string(i)), value);
            }
        }
        return Value::of(node);
    }

    StoragePtr storage(DType dtype, std::uint64_t elements) {
        std::string bytes(static_cast<std::size_t>(*dtype_bytes(dtype, elements)), '\0');
        for (auto& byte : bytes) byte = static_cast<char>(dtype == DType::kBool ? number(2) : random_());
        auto made = std::make_shared<Storage>();
        made->blob = memory_blob(std::move(bytes));
        return made;
    }

    Value tensor() {
        if (!options_.with_views) return plain_tensor();
        auto* node = document_.pool().make<TensorNode>();
        if (!storages_.empty() && chance(25)) {  // a view of a storage that another tensor has
            const auto& [old_dtype, old_storage, elements] = storages_[number(storages_.size())];
            node->dtype = old_dtype;
            node->storage = old_storage;
            node->offset = static_cast<std::int64_t>(number(elements));
            node->shape = {static_cast<std::int64_t>(number(elements - static_cast<std::uint64_t>(node->offset)) + 1)};
            node->stride = {1};
            return Value::of(node);
        }
        static constexpr DType kTypes[] = {
            DType::kBool,           DType::kUInt8,          DType::kUInt16,       DType::kUInt32,
            DType::kUInt64,         DType::kInt8,           DType::kInt16,        DType::kInt32,
            DType::kInt64,          DType::kFloat16,        DType::kBFloat16,     DType::kFloat32,
            DType::kFloat64,        DType::kFloat8E4M3FN,   DType::kFloat8E5M2,   DType::kFloat32,
            DType::kFloat32,        DType::kComplex32,      DType::kComplex64,    DType::kComplex128,
            DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2FNUZ, DType::kFloat8E8M0FNU};
        node->dtype = kTypes[number(std::size(kTypes))];
        for (std::uint64_t rank = number(5); rank > 0; --rank)
            node->shape.push_back(static_cast<std::int64_t>(number(7)));
        const std::uint64_t count = *node->element_count();
        node->stride = chance(30) ? column_major_strides(node->shape) : contiguous_strides(node->shape);
        node->offset = chance(20) ? static_cast<std::int64_t>(number(5)) : 0;
        const std::uint64_t elements = count + static_cast<std::uint64_t>(node->offset) + (chance(20) ? number(9) : 0);
        node->storage = storage(node->dtype, elements);
        node->requires_grad = chance(10) && (dtype_info(node->dtype).cls == DTypeClass::kFloat);
        if (elements > 0) storages_.emplace_back(node->dtype, node->storage, elements);
        return Value::of(node);
    }

    Value numbers(std::string bytes, DType dtype, std::vector<std::int64_t> shape) {
        auto* node = document_.pool().make<TensorNode>();
        node->dtype = dtype;
        node->stride = contiguous_strides(shape);
        node->shape = std::move(shape);
        auto storage = std::make_shared<Storage>();
        storage->blob = memory_blob(std::move(bytes));
        node->storage = std::move(storage);
        return Value::of(node);
    }
    Value doubles(std::vector<std::int64_t> shape) {
        std::size_t count = 1;
        for (const auto size : shape) count *= static_cast<std::size_t>(size);
        std::vector<double> values(count);
        for (auto& value : values) value = chance(10) ? special() : static_cast<double>(random_()) / 7;
        for (auto& value : values) value = std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
        return numbers(std::string(reinterpret_cast<const char*>(values.data()), count * 8), DType::kFloat64,
                       std::move(shape));
    }
    /// 0, 0, 1, 1, ... for a step of 2.
    Value integers(std::int64_t count, std::int64_t step) {
        std::vector<std::int64_t> values;
        for (std::int64_t i = 0; i < count; ++i) values.push_back(i / step);
        return numbers(std::string(reinterpret_cast<const char*>(values.data()), values.size() * 8), DType::kInt64,
                       {count});
    }

    /// Row-major, the whole of its storage; now and then tied to one before.
    Value plain_tensor() {
        if (!plain_.empty() && chance(20)) return tied_tensor(document_.pool(), *plain_[number(plain_.size())]);
        static constexpr DType kTypes[] = {
            DType::kBool,       DType::kUInt8,     DType::kInt64,  DType::kFloat16, DType::kFloat32,
            DType::kBFloat16,   DType::kFloat64,   DType::kUInt64, DType::kInt8,    DType::kFloat8E4M3FN,
            DType::kFloat8E5M2, DType::kComplex64, DType::kUInt32, DType::kFloat32, DType::kFloat8E8M0FNU};
        auto* node = document_.pool().make<TensorNode>();
        node->dtype = kTypes[number(std::size(kTypes))];
        for (std::uint64_t rank = number(5); rank > 0; --rank)
            node->shape.push_back(static_cast<std::int64_t>(number(7)));
        node->stride = contiguous_strides(node->shape);
        node->storage = storage(node->dtype, *node->element_count());
        node->requires_grad = chance(10) && dtype_info(node->dtype).cls == DTypeClass::kFloat;
        if (*node->element_count() > 0) plain_.push_back(node);
        return Value::of(node);
    }

    /// What NumPy has: its dtypes, row-major or column-major, a storage of its own.
    Value array() {
        static constexpr DType kTypes[] = {DType::kBool,    DType::kUInt8,   DType::kInt16,     DType::kInt64,
                                           DType::kFloat16, DType::kFloat32, DType::kFloat64,   DType::kUInt64,
                                           DType::kUInt16,  DType::kUInt32,  DType::kComplex64, DType::kComplex128};
        auto* node = document_.pool().make<TensorNode>();
        node->dtype = kTypes[number(std::size(kTypes))];
        for (std::uint64_t rank = number(4); rank > 0; --rank)
            node->shape.push_back(static_cast<std::int64_t>(number(7)) + (chance(90) ? 1 : 0));
        node->stride = contiguous_strides(node->shape);
        if (chance(30)) node->stride = column_major_strides(node->shape);
        if (node->is_contiguous()) node->stride = contiguous_strides(node->shape);
        node->storage = storage(node->dtype, *node->element_count());
        return Value::of(node);
    }

    GenerateOptions options_;
    std::mt19937_64 random_;
    Document document_;
    std::vector<Value> made_;
    std::vector<const TensorNode*> plain_;
    std::vector<std::tuple<DType, StoragePtr, std::uint64_t>> storages_;
};

}  // namespace

Document generate_document(const GenerateOptions& options) {
    return Generator(options).run();
}

namespace {

/// A tree of its own of a value: containers stand at one place, tensors inside of tuples and sets are no others'. What
/// contains itself ends there.
Value tree_of(Pool& pool, const Value& value, bool is_inside, std::vector<const Node*>& open) {
    if (value.node() != nullptr && std::find(open.begin(), open.end(), value.node()) != open.end())
        return Value::null();
    open.push_back(value.node());
    Value result = value;
    if (value.is(Kind::kDict)) {
        result = pool.dict();
        result.node()->type = value.node()->type;
        for (const auto& [key, held] : value.dict().entries)
            result.dict().entries.emplace_back(tree_of(pool, key, true, open), tree_of(pool, held, is_inside, open));
    } else if (value.is(Kind::kString) && value.type().empty()) {
        result = pool.string(std::string(value.as_string()));
    } else if (value.is(Kind::kBytes) && value.type().empty()) {
        result = pool.bytes(std::string(value.as_bytes()));
    } else if (value.is(Kind::kSet)) {
        result = pool.set();
        result.node()->type = value.node()->type;
        result.sequence().items = value.sequence().items;
    } else if (value.is(Kind::kList) || value.is(Kind::kTuple)) {
        result = value.is(Kind::kList) ? pool.list() : pool.tuple();
        for (const Value& held : value.sequence().items)
            result.sequence().items.push_back(tree_of(pool, held, is_inside || value.is(Kind::kTuple), open));
    } else if (value.is(Kind::kTensor) && is_inside) {
        const TensorNode& tensor = value.tensor();
        auto* node = pool.make<TensorNode>();
        node->dtype = tensor.dtype;
        node->shape = tensor.shape;
        node->stride = tensor.stride;
        if (tensor.storage) node->storage = std::make_shared<Storage>(*tensor.storage);
        if (node->storage) result = Value::of(node);
    }
    open.pop_back();
    return result;
}

/// What a distributed checkpoint holds: a dict, a tree but for tied tensors.
Document state_dict(Document document) {
    std::vector<const Node*> open;
    const Value tree = tree_of(document.pool(), document.root, false, open);
    document.root = tree;
    if (tree.is(Kind::kDict)) return document;
    document.root = document.pool().dict();
    document.root.dict().entries.emplace_back(document.pool().string("state"), tree);
    return document;
}

/// Its tensors alone, without classes, by names in order.
Document flat_tensors(Document document) {
    const Value root = document.pool().dict();
    walk(document.root, [&](const Visit& visit) {
        if (!visit.value.is(Kind::kTensor) || visit.same_as != nullptr) return WalkStep::kInto;
        const TensorNode& tensor = visit.value.tensor();
        if (!tensor.layout.empty() || !tensor.storage || tensor.storage.use_count() > 1) return WalkStep::kInto;
        auto* node = document.pool().make<TensorNode>();
        node->dtype = tensor.dtype;
        node->shape = tensor.shape;
        node->stride = contiguous_strides(tensor.shape);
        node->storage = tensor.storage;
        const std::string name = "t" + std::to_string(1000 + root.dict().entries.size());
        root.dict().entries.emplace_back(document.pool().string(name), Value::of(node));
        return WalkStep::kInto;
    });
    document.root = root;
    return document;
}

}  // namespace

Document generate_for(std::string_view layout, const GenerateOptions& options) {
    if (layout == "npy") return Generator(options).run_array();
    if (layout == "blackit" || layout == "blackit-sqlite")
        return Generator(options).run_calibration(layout == "blackit-sqlite");
    if (layout == "pyhopper") return Generator(options).run_search();
    if (layout == "npz") return Generator(options).run_arrays();
    if (layout == "safetensors") {
        GenerateOptions plain = options;
        plain.with_views = false;
        return generate_document(plain);
    }
    if (layout == "dcp" || layout == "dcp-safetensors") {
        GenerateOptions plain = options;
        plain.with_views = plain.with_cycles = plain.with_objects = false;
        Document document = generate_document(plain);
        return layout == "dcp" ? state_dict(std::move(document)) : flat_tensors(std::move(document));
    }
    return generate_document(options);
}

}  // namespace ckpt::test
