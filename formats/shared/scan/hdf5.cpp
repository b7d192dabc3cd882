// HDF5: the cells that programs keep pickles in, and what a Keras model's configuration runs.
#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include <fmt/format.h>

#include "formats/shared/h5/h5.hpp"
#include "formats/shared/pickle/pickle_file.hpp"
#include "formats/shared/scan/scanner.hpp"
#include "libckpt/error.hpp"

namespace ckpt::scan {
namespace {

constexpr std::uint64_t kMostCellBytes = std::uint64_t{1} << 26;

bool is_byte(const h5::Datatype& type) {
    return type.cls == h5::TypeClass::kInteger && type.size_bytes == 1;
}

/// The cells of an HDF5 file in which programs keep pickles (PyTables and pandas do): attributes, text and bytes in
/// elements of any type, and what references lead to.
class Hdf5Cells {
public:
    using Take = std::function<void(const BlobPtr& cell, const std::string& place)>;
    Hdf5Cells(const h5::H5File& file, const Take& take, const Context& context)
        : file_(file), take_(take), context_(context) {}

    void run() {
        go_to(file_.root_address(), "/", false);
        while (!todo_.empty()) {
            const Todo next = std::move(todo_.back());
            todo_.pop_back();
            if (!seen_.insert(next.address).second) continue;
            context_.check_cancelled();
            guard(next.path, [&] {
                std::shared_ptr<const h5::Object> found;
                try {
                    found = file_.object(next.address);
                } catch (const Error& error) {
                    if (!next.is_referred_to || error.code() != ErrorCode::kDamaged) throw;
                    return;  // what it was may be gone
                }
                object(*found, next.path);
            });
        }
    }
    /// What could not be read, and what was left out.
    const std::vector<std::string>& problems() const noexcept { return problems_; }
    const std::vector<std::string>& left_out() const noexcept { return left_out_; }

private:
    template <typename F>
    void guard(const std::string& path, const F& work) {
        try {
            work();
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            if (problems_.size() < 100) problems_.push_back(fmt::format("'{}': {}", path, error.message()));
        }
    }
    void go_to(std::uint64_t address, std::string path, bool is_referred_to) {
        if (todo_.size() < context_.limits.max_nodes && seen_.count(address) == 0)
            todo_.push_back({address, std::move(path), is_referred_to});
    }
    void object(const h5::Object& object, const std::string& path) {
        for (const h5::Attribute& attribute : object.attributes().attributes) {
            const std::string place = fmt::format("{}/@{}", path == "/" ? "" : path, attribute.name);
            if (is_byte(*attribute.type))
                take_(memory_blob(attribute.bytes), place);
            else if (holds_bytes(*attribute.type))
                cells(*attribute.type, attribute.bytes, attribute.space.element_count, place, 0);
        }
        if (object.kind() == h5::ObjectKind::kGroup) {
            for (const h5::Link& link : object.links().links) {
                if (link.kind == h5::Link::Kind::kHard)
                    go_to(link.address, (path == "/" ? path : path + "/") + std::string(link.name), false);
            }
        } else if (object.kind() == h5::ObjectKind::kDataset) {
            dataset(object.dataset(h5::VirtualExtent::kStored), path);
        }
    }
    /// Text, bytes, or what leads to some.
    static bool holds_bytes(const h5::Datatype& type) {
        switch (type.cls) {
            case h5::TypeClass::kString:
            case h5::TypeClass::kOpaque:
            case h5::TypeClass::kReference:
                return true;
            case h5::TypeClass::kVlen:
                return type.is_string || (type.base && (is_byte(*type.base) || holds_bytes(*type.base)));
            case h5::TypeClass::kArray:
                return type.base && (is_byte(*type.base) || holds_bytes(*type.base));
            case h5::TypeClass::kCompound:
                return std::any_of(type.members.begin(), type.members.end(), [](const h5::CompoundMember& member) {
                    return is_byte(*member.type) || holds_bytes(*member.type);
                });
            default:
                return false;
        }
    }
    void dataset(const h5::Dataset& data, const std::string& path) {
        const h5::Datatype& type = *data.type;
        if ((!is_byte(type) && !holds_bytes(type)) || data.layout.cls == h5::LayoutClass::kVirtual ||
            data.size_bytes == 0)
            return;  // what virtual ones show stands in others
        if (data.layout.is_external) {
            left_out_.push_back(fmt::format("'{}' has its data in other files", path));
            return;
        }
        const BlobPtr bytes = file_.data(data);
        if (is_byte(type)) {
            take_(bytes, path);
            rows(*bytes, bytes, data.space.dims, path);
            return;
        }
        const std::uint64_t width = type.size_bytes;
        const std::uint64_t total = width == 0 ? 0 : bytes->size_bytes() / width;
        if (width > kMostCellBytes) {
            if (type.cls == h5::TypeClass::kCompound)
                left_out_.push_back(fmt::format("'{}' has elements of {} bytes", path, width));
            for (std::uint64_t i = 0; type.cls != h5::TypeClass::kCompound && i < total; ++i)
                take_(slice_blob(bytes, i * width, width), fmt::format("{}[{}]", path, i));
            return;
        }
        const std::uint64_t step = std::max<std::uint64_t>(1, kBlockOfCellsBytes / width);
        const std::uint64_t count = std::min(total, kMostElements);
        for (std::uint64_t first = 0; first < count; first += step) {
            context_.check_cancelled();
            const std::uint64_t many = std::min(step, count - first);
            const std::string block = bytes_of(*bytes, first * width, many * width);
            for (std::uint64_t i = 0; i < many; ++i) {
                cells(type, std::string_view(block).substr(i * width, width), 1, fmt::format("{}[{}]", path, first + i),
                      0);
            }
        }
        if (count < total)
            left_out_.push_back(fmt::format("of '{}' the first {} elements alone were looked at", path, count));
    }
    /// Rows of bytes, each of which may be a value of its own.
    void rows(const Blob& bytes, const BlobPtr& blob, const std::vector<std::uint64_t>& dims, const std::string& path) {
        const std::uint64_t width = dims.size() < 2 ? 0 : dims.back();
        if (width < kLeastRowBytes || width > kMostCellBytes) return;
        const std::uint64_t count = std::min({bytes.size_bytes() / width, kMostElements, kMostRowBytes / width});
        const std::uint64_t step = std::max<std::uint64_t>(1, kBlockOfCellsBytes / width);
        for (std::uint64_t first = 0; first < count; first += step) {
            context_.check_cancelled();
            const std::uint64_t many = std::min(step, count - first);
            const std::string block = bytes_of(bytes, first * width, many * width);
            for (std::uint64_t i = first == 0 ? 1 : 0; i < many; ++i) {
                const auto row = std::string_view(block).substr(i * width, width);
                if (begins_like_container(row.substr(0, kHeadBytes)))
                    take_(slice_blob(blob, (first + i) * width, width), fmt::format("{}[{}]", path, first + i));
            }
        }
    }
    void cells(const h5::Datatype& type, std::string_view bytes, std::uint64_t count, const std::string& place,
               int depth) {
        const std::uint64_t width = type.size_bytes;
        if (depth > kMostTypeDepth || width == 0) return;
        count = std::min<std::uint64_t>({count, bytes.size() / width, kMostElements});
        for (std::uint64_t i = 0; i < count; ++i)
            guard(place, [&] { cell(type, bytes.substr(i * width, width), place, depth); });
    }
    void cell(const h5::Datatype& type, std::string_view bytes, const std::string& place, int depth) {
        switch (type.cls) {
            case h5::TypeClass::kString:
            case h5::TypeClass::kOpaque:
                take(bytes, place);
                break;
            case h5::TypeClass::kReference: {
                const h5::Reference reference = file_.reference(type, bytes);
                if (reference.kind != h5::Reference::Kind::kNull && reference.file.empty() && reference.address != 0)
                    go_to(reference.address, place, true);
                break;
            }
            case h5::TypeClass::kVlen: {
                if (!holds_bytes(type)) break;
                const h5::HeapValue value = file_.heap_value(type, bytes);
                if (type.is_string || is_byte(*type.base))
                    take(value.bytes, place);
                else
                    cells(*type.base, value.bytes, value.count, place, depth + 1);
                break;
            }
            case h5::TypeClass::kArray:
                if (is_byte(*type.base))
                    take(bytes, place);
                else if (holds_bytes(*type.base))
                    cells(*type.base, bytes, type.size_bytes / std::max(1U, type.base->size_bytes), place, depth + 1);
                break;
            case h5::TypeClass::kCompound:
                for (const h5::CompoundMember& member : type.members) {
                    if (holds_bytes(*member.type) && member.offset_bytes <= bytes.size())
                        cells(*member.type, bytes.substr(member.offset_bytes, member.type->size_bytes), 1,
                              fmt::format("{}.{}", place, member.name), depth + 1);
                }
                break;
            default:
                break;
        }
    }
    void take(std::string_view bytes, const std::string& place) const {
        if (!bytes.empty()) take_(memory_blob(std::string(bytes)), place);
    }

    static constexpr std::uint64_t kBlockOfCellsBytes = std::uint64_t{1} << 20;
    static constexpr std::uint64_t kMostElements = std::uint64_t{1} << 24;
    static constexpr std::uint64_t kMostRowBytes = std::uint64_t{1} << 30;
    static constexpr std::uint64_t kLeastRowBytes = 16;
    static constexpr std::size_t kHeadBytes = 64;
    static constexpr int kMostTypeDepth = 16;

    const h5::H5File& file_;
    const Take& take_;
    const Context& context_;
    struct Todo {
        std::uint64_t address;
        std::string path;
        bool is_referred_to;
    };
    std::vector<Todo> todo_;
    std::unordered_set<std::uint64_t> seen_;
    std::vector<std::string> problems_;
    std::vector<std::string> left_out_;
};

}  // namespace

bool Scanner::hdf5(const BlobPtr& bytes, const std::string& place, int depth) {
    Context quiet = context_;
    quiet.on_warning = nullptr;
    quiet.on_note = nullptr;
    try {
        const bool is_julia = bytes_of(*bytes, 0, 32).starts_with("HDF5-based Julia Data Format");
        const auto file = h5::H5File::open(bytes, quiet, is_julia ? h5::Dialect::kJld2 : h5::Dialect::kHdf5);
        const Hdf5Cells::Take take = [&](const BlobPtr& cell, const std::string& where) {
            if (where.ends_with("@model_config")) keras(bytes_of(*cell, 0, kMostConfigBytes), inside(place, where));
            const std::string head = bytes_of(*cell, 0, 64);
            if (!begins_like_container(head) && !may_be_old_pickle(head)) return;
            any(cell, inside(place, where), depth + 1, Belief::kMaybe);
        };
        Hdf5Cells cells(*file, take, quiet);
        cells.run();
        for (const std::string& problem : cells.problems()) damage(place, problem);
        for (const std::string& what : cells.left_out()) unseen(what, place);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        damage(place, error.message());
    }
    return true;
}

void Scanner::keras(const std::string& json, const std::string& place) {
    using Json = nlohmann::json;
    if (json.size() >= kMostConfigBytes) {
        unseen(fmt::format("a configuration of {} bytes or more", kMostConfigBytes), place);
        return;
    }
    // Keras reads NaN and Infinity, too, which stand in no name.
    const Json config = Json::parse(json, nullptr, false);
    if (config.is_discarded()) {
        if (json.find("class_name") != std::string::npos)
            unseen("a configuration of Keras that is no sound JSON", place);
        return;
    }
    const auto text = [](const Json& object, const char* key) {
        const auto found = object.find(key);
        return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    std::vector<const Json*> todo{&config};
    while (!todo.empty()) {
        const Json& value = *todo.back();
        todo.pop_back();
        if (value.is_structured()) {
            for (const Json& item : value) todo.push_back(&item);
        }
        if (!value.is_object()) continue;
        const std::string name = text(value, "class_name");
        const std::string module = text(value, "module");
        if (name.empty()) continue;
        const std::string last = name.substr(name.rfind('>') + 1);
        if (last == "Lambda" || last == "__lambda__") {
            find({ScanFinding::Class::kDangerous, "a Keras layer made of code (Lambda)", "", place, 0, 1});
        } else if (last == "TFOpLambda" || last == "SlicingOpLambda") {
            find({ScanFinding::Class::kUnknown, "a Keras layer that calls a function of TensorFlow by its name", "",
                  place, 0, 1});
        } else if (!module.empty() && module != "keras" && !module.starts_with("keras.") && module != "builtins") {
            // Keras imports the module and takes the name, or the function that the configuration names, from it.
            const std::string what = name == "function" ? text(value, "config") : name;
            const std::string full = module + "." + what;
            const bool is_dangerous = classify_global(full) == GlobalClass::kDangerous;
            find({is_dangerous ? ScanFinding::Class::kDangerous : ScanFinding::Class::kUnknown, full,
                  "named by the configuration of Keras", place, 0, 1});
        } else if (module.empty() && name.find('>') != std::string::npos && !name.starts_with("Keras>")) {
            find({ScanFinding::Class::kUnknown, name, "registered by the loading program, named for Keras", place, 0,
                  1});
        }
    }
}

}  // namespace ckpt::scan
