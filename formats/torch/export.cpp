// torch.export: weights and constants by name, each a storage in a file; programs are not looked at.
#include <algorithm>
#include <map>

#include "formats/shared/json/json_cursor.hpp"
#include "formats/shared/torch/object.hpp"
#include "formats/torch/read_zip.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kWeights = "data/weights/";
constexpr std::string_view kConstants = "data/constants/";
constexpr std::string_view kWeightsEnd = "_weights_config.json";
constexpr std::string_view kConstantsEnd = "_constants_config.json";
constexpr std::uint64_t kStridedLayout = 7;

/// Numbers of torch.export's schema.
std::optional<DType> dtype_of(std::uint64_t number) {
    constexpr DType kFirst[] = {DType::kUInt8,     DType::kInt8,      DType::kInt16,      DType::kInt32,
                                DType::kInt64,     DType::kFloat16,   DType::kFloat32,    DType::kFloat64,
                                DType::kComplex32, DType::kComplex64, DType::kComplex128, DType::kBool,
                                DType::kBFloat16};
    constexpr DType kLater[] = {DType::kUInt16,         DType::kFloat8E4M3FN,   DType::kFloat8E5M2,
                                DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2FNUZ, DType::kFloat8E8M0FNU,
                                DType::kUInt32,         DType::kUInt64};
    constexpr std::uint64_t kLaterBegin = 28;
    if (number >= 1 && number <= std::size(kFirst)) return kFirst[number - 1];
    if (number >= kLaterBegin && number < kLaterBegin + std::size(kLater)) return kLater[number - kLaterBegin];
    return std::nullopt;
}

/// One entry of a configuration.
struct Payload {
    std::string file;
    bool is_parameter = false;
    bool is_pickled = false;
    bool has_tensor = false;  ///< and what follows is said of it
    std::uint64_t dtype = 0, layout = kStridedLayout;
    std::int64_t offset = 0;
    SizeList shape, stride;
    bool requires_grad = false;
    std::string device;
};

class ConfigReader {
public:
    explicit ConfigReader(std::string_view text) : json_(text) {}

    std::vector<std::pair<std::string, Payload>> run() {
        json_.object([&](const std::string& key) {
            if (key != "config") {
                json_.skip();
                return;
            }
            json_.object([&](const std::string& name) { all_.emplace_back(name, payload()); });
        });
        json_.end();
        return std::move(all_);
    }

private:
    Payload payload() {
        Payload result;
        json_.object([&](const std::string& key) {
            if (key == "path_name") {
                result.file = json_.text();
            } else if (key == "is_param") {
                result.is_parameter = boolean();
            } else if (key == "use_pickle") {
                result.is_pickled = boolean();
            } else if (key == "tensor_meta" && !json_.take_null()) {
                result.has_tensor = true;
                json_.object([&](const std::string& field) { tensor_field(field, result); });
            } else if (key != "tensor_meta") {
                json_.skip();
            }
        });
        return result;
    }
    void tensor_field(const std::string& field, Payload& result) {
        if (field == "dtype") {
            result.dtype = json_.count("dtype");
        } else if (field == "layout") {
            result.layout = json_.count("layout");
        } else if (field == "sizes") {
            json_.list([&] { result.shape.push_back(integer("size")); });
        } else if (field == "strides") {
            json_.list([&] { result.stride.push_back(integer("stride")); });
        } else if (field == "storage_offset") {
            result.offset = integer("storage_offset");
        } else if (field == "requires_grad") {
            result.requires_grad = boolean();
        } else if (field == "device" && json_.next_is_object()) {
            std::string index;
            json_.object([&](const std::string& key) {
                if (key == "type") {
                    result.device = json_.text();
                } else if (!json_.take_null()) {
                    index = json_.skip();
                }
            });
            if (!index.empty() && !result.device.empty()) result.device += ":" + index;
        } else {
            json_.skip();
        }
    }
    bool boolean() {
        const std::string_view word = json_.skip();
        if (word != "true" && word != "false") json_.fail(fmt::format("'{}' is neither true nor false", word));
        return word == "true";
    }
    /// {"as_int": 5}: sizes that are not known when a program is exported have other keys.
    std::int64_t integer(std::string_view what) {
        std::optional<std::uint64_t> number;
        json_.object([&](const std::string& key) {
            if (key == "as_int") {
                number = json_.count(what);
            } else {
                json_.skip();
            }
        });
        if (!number || *number > static_cast<std::uint64_t>(INT64_MAX))
            json_.fail(fmt::format("a {} is no number", what));
        return static_cast<std::int64_t>(*number);
    }

    JsonCursor json_;
    std::vector<std::pair<std::string, Payload>> all_;
};

class ExportReader {
public:
    ExportReader(const TorchArchive& archive, const Context& context, Document& document)
        : archive_(archive), context_(context), document_(document), pool_(document.pool()) {}

    void run() {
        const std::vector<std::string> models = model_names();
        if (models.empty()) throw_damaged("has no weights: no member '{}MODEL{}'", kWeights, kWeightsEnd);
        document_.root = models.size() == 1 ? program(models.front()) : pool_.dict();
        if (models.size() > 1) {
            for (const std::string& name : models)
                document_.root.dict().entries.emplace_back(pool_.string(name), program(name));
        }
        settle_torch_values(document_.root, context_);
    }

private:
    std::vector<std::string> model_names() const {
        std::vector<std::string> names;
        const std::string begin = archive_.prefix() + "/" + std::string(kWeights);
        for (const auto& member : archive_.zip().members()) {
            const std::string_view name = member.name;
            if (!name.starts_with(begin) || !name.ends_with(kWeightsEnd)) continue;
            names.emplace_back(name.substr(begin.size(), name.size() - begin.size() - kWeightsEnd.size()));
        }
        return names;
    }

    Value program(const std::string& model) {
        const Value program = pool_.dict();
        const auto add = [&](std::string_view key, std::string_view folder, std::string_view end) {
            const std::string record = std::string(folder) + model + std::string(end);
            if (archive_.record(record) == nullptr) return;
            program.dict().entries.emplace_back(pool_.string(std::string(key)), tensors(record, folder));
        };
        add("state_dict", kWeights, kWeightsEnd);
        add("constants", kConstants, kConstantsEnd);
        return program;
    }

    Value tensors(const std::string& record, std::string_view folder) {
        const std::string text = archive_.pickle_bytes(*archive_.record(record), context_);
        const Value dict = pool_.dict();
        try {
            for (const auto& [name, payload] : ConfigReader(text).run())
                dict.dict().entries.emplace_back(pool_.string(name), value_of(name, payload, folder));
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
            throw_damaged("record '{}': {}", record, error.message());
        }
        return dict;
    }

    Value value_of(const std::string& name, const Payload& payload, std::string_view folder) {
        const std::string record = std::string(folder) + payload.file;
        const ZipMember* member = archive_.record(record);
        if (member == nullptr) throw_damaged("'{}' is in '{}', which is missing", name, record);
        const BlobPtr blob = archive_.zip().blob(*member, context_.limits.max_inline_bytes);
        if (payload.is_pickled && begins_like_zip(*blob))
            return read_torch_object(blob, member->name, document_, context_);
        if (payload.is_pickled || !payload.has_tensor)  // an object of C++, which only torch can make again
            return pool_.bytes(read_all(*blob, context_.limits.max_inline_bytes));
        const auto dtype = dtype_of(payload.dtype);
        if (!dtype) throw_damaged("'{}' has the dtype number {}, which is unknown", name, payload.dtype);
        if (payload.layout != kStridedLayout)
            throw_damaged("'{}' has the layout number {}, not {}", name, payload.layout, kStridedLayout);
        auto* tensor = pool_.make<TensorNode>();
        tensor->dtype = *dtype;
        tensor->shape = payload.shape;
        tensor->stride = payload.stride;
        tensor->offset = payload.offset;
        tensor->requires_grad = payload.requires_grad;
        if (payload.is_parameter) tensor->type = "torch.nn.parameter.Parameter";
        StoragePtr& storage = storages_[record];
        if (!storage) {
            auto made = std::make_shared<Storage>();
            made->blob = swapped(blob, *dtype);
            made->location = payload.device;
            storage = std::move(made);
        }
        tensor->storage = storage;
        tensor->check_bounds(name);
        return Value::of(tensor);
    }
    BlobPtr swapped(const BlobPtr& blob, DType dtype) const {
        const StorageClass cls{"", {dtype}};
        return archive_.byte_order() == ByteOrder::kBig ? byte_swapped_blob(blob, cls.swap_width()) : blob;
    }
    static bool begins_like_zip(const Blob& blob) {
        char head[4] = {};
        if (blob.size_bytes() < sizeof head) return false;
        blob.read(0, std::as_writable_bytes(std::span(head)));
        return std::string_view(head, sizeof head) == "PK\3\4";
    }

    const TorchArchive& archive_;
    const Context& context_;
    Document& document_;
    Pool& pool_;
    std::map<std::string, StoragePtr> storages_;
};

}  // namespace

void read_export(const TorchArchive& archive, const Context& context, Document& document) {
    document.producer = "torch.export";
    ExportReader(archive, context, document).run();
}

}  // namespace ckpt
