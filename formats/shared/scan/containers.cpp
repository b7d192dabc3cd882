// gzip, tar, NumPy's arrays, HDF5.
#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>

#include <fmt/format.h>

#include "formats/shared/gzip/gzip.hpp"
#include "formats/shared/h5/h5.hpp"
#include "formats/shared/npy/descr.hpp"
#include "formats/shared/npy/literal.hpp"
#include "formats/shared/pickle/pickle_file.hpp"
#include "formats/shared/scan/scanner.hpp"
#include "libckpt/error.hpp"

namespace ckpt::scan {
namespace {

constexpr std::uint64_t kBlockBytes = 512;
constexpr std::size_t kMostElements = std::size_t{1} << 20;
constexpr std::uint64_t kMostCellBytes = std::uint64_t{1} << 26;

std::uint64_t octal(std::string_view field) {
    if (!field.empty() && static_cast<unsigned char>(field[0]) == 0x80) {
        std::uint64_t value = 0;
        for (const char c : field.substr(1)) value = value << 8 | static_cast<unsigned char>(c);
        return value;
    }
    std::uint64_t value = 0;
    for (const char c : field) {
        if (c >= '0' && c <= '7') value = value << 3 | static_cast<std::uint64_t>(c - '0');
    }
    return value;
}

/// "size" and "path" of a PAX header.
std::string pax_value(std::string_view text, std::string_view key) {
    const std::size_t at = text.find(fmt::format(" {}=", key));
    if (at == std::string_view::npos) return {};
    const std::size_t begin = at + key.size() + 2;
    return std::string(text.substr(begin, text.find('\n', begin) - begin));
}

bool is_byte(const h5::Datatype& type) {
    return type.cls == h5::TypeClass::kInteger && type.size_bytes == 1;
}

}  // namespace

bool Scanner::gzip(const BlobPtr& bytes, const std::string& place, int depth) {
    // An array of numbers may be of any size.
    const auto numbers = npy_head(*memory_blob(gunzip_head(bytes_of(*bytes, 0, 8192), 8192)));
    if (numbers && numbers->problem.empty() && !numbers->has_objects) return true;
    try {
        Gunzipped unpacked = gunzip(*bytes, kMostUnpackedBytes, context_);
        if (!unpacked.problem.empty()) {
            if (unpacked.end == GzipEnd::kWhole)
                note(unpacked.problem, place, unpacked.used_bytes);
            else
                damage(place, unpacked.problem);
        }
        if (unpacked.trailing_bytes > 0) embedded(bytes, unpacked.used_bytes, bytes->size_bytes(), place, depth);
        if (unpacked.bytes.empty()) return true;
        const BlobPtr content = memory_blob(std::move(unpacked.bytes));
        embedded_budget_ += 8 * content->size_bytes();
        any(content, inside(place, "unpacked"), depth + 1, Belief::kLikely);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        unseen(error.message(), place);
    }
    return true;
}

bool Scanner::tar(const BlobPtr& bytes, const std::string& place, int depth) {
    std::string next_name;
    std::string next_size;
    std::vector<PickleAudit> audits;
    std::size_t torch_members = 0;
    for (std::uint64_t at = 0; bytes->size_bytes() - at >= kBlockBytes;) {
        context_.check_cancelled();
        const std::string block = bytes_of(*bytes, at, kBlockBytes);
        at += kBlockBytes;
        if (block.find_first_not_of('\0') == std::string::npos) continue;
        std::uint64_t size = octal(std::string_view(block).substr(124, 12));
        const char kind = block[156];
        std::string name = block.substr(0, std::min<std::size_t>(100, block.find('\0')));
        if (kind != 'x' && kind != 'g' && !next_size.empty()) {
            std::from_chars(next_size.data(), next_size.data() + next_size.size(), size);
            next_size.clear();
        }
        if (size > bytes->size_bytes() - at) {
            damage(place, fmt::format("member '{}' has {} bytes from byte {} on, the file ends at byte {}", name, size,
                                      at, bytes->size_bytes()));
            size = bytes->size_bytes() - at;
        }
        if (kind == 'x' || kind == 'L') {
            const std::string text = bytes_of(*bytes, at, std::min<std::uint64_t>(size, 65536));
            next_name = kind == 'L' ? text.substr(0, text.find('\0')) : pax_value(text, "path");
            if (kind == 'x') next_size = pax_value(text, "size");
        } else if (size > 0) {
            if (!next_name.empty()) name = next_name;
            next_name.clear();
            const BlobPtr content = slice_blob(bytes, at, size);
            const std::string inner = inside(place, name);
            const bool is_torch = name == "sys_info" || name == "pickle" || name == "storages" || name == "tensors";
            if (is_torch) {
                ++torch_members;
                const Streams streams = pickles(content, 0, inner, depth, Belief::kSure);
                embedded(content, streams.end, size, inner, depth);
                audits.insert(audits.end(), streams.audits.begin(), streams.audits.end());
            } else {
                any(content, inner, depth + 1, name.ends_with(".pkl") ? Belief::kLikely : Belief::kMaybe);
            }
        }
        at += std::min((size + kBlockBytes - 1) / kBlockBytes * kBlockBytes, bytes->size_bytes() - at);
    }
    if (torch_members == 0 || depth > 0) return true;
    report_.kind = "torch tar archive";
    report_.is_for_torch = true;
    for (std::size_t g = 0; g < report_.weights_only.size(); ++g) {
        std::string why = g >= 2 ? "it is a tar archive" : "";
        for (const PickleAudit& audit : audits) {
            if (why.empty()) why = audit.refusals[g];
        }
        report_.weights_only[g] = {why.empty(), why};
    }
    return true;
}

std::optional<NpyHead> npy_head(const Blob& bytes) {
    const std::string head = bytes_of(bytes, 0, 12);
    if (head.size() < 10 || !head.starts_with("\x93NUMPY")) return std::nullopt;
    const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(head[i])}; };
    const bool is_wide = byte(6) >= 2 && head.size() == 12;
    const std::uint64_t length = byte(8) | byte(9) << 8 | (is_wide ? byte(10) << 16 | byte(11) << 24 : 0);
    NpyHead result;
    result.data_at = (is_wide ? 12 : 10) + length;
    try {
        if (length > (std::uint64_t{1} << 20)) throw_damaged("a header of {} bytes", length);
        Pool pool;
        const Value header = parse_python_literal(pool, bytes_of(bytes, is_wide ? 12 : 10, length));
        const Value* descr = header.is(Kind::kDict) ? header.dict().find("descr") : nullptr;
        if (descr == nullptr) throw_damaged("a header without descr");
        result.has_objects = parse_descr(pool, *descr).has_objects;
    } catch (const Error& error) {
        result.problem = error.message();
    }
    return result;
}

bool Scanner::npy(const BlobPtr& bytes, const std::string& place, int depth) {
    const auto head = npy_head(*bytes);
    if (!head) {
        damage(place, "a NumPy array that ends inside its header");
        return true;
    }
    if (!head->problem.empty()) damage(place, head->problem);
    if (!head->has_objects || head->data_at >= bytes->size_bytes()) return true;
    const Streams streams = pickles(bytes, head->data_at, place, depth, Belief::kSure);
    if (streams.end < bytes->size_bytes()) embedded(bytes, streams.end, bytes->size_bytes(), place, depth);
    return true;
}

namespace {

/// The cells of an HDF5 file in which PyTables and pandas keep pickles: attributes, and byte sequences.
class Hdf5Cells {
public:
    using Take = std::function<void(const BlobPtr& cell, const std::string& place)>;
    Hdf5Cells(const h5::H5File& file, const Take& take, const Context& context)
        : file_(file), take_(take), context_(context) {}

    /// Gives what could not be read.
    std::vector<std::string> run() {
        todo_.emplace_back(file_.root_address(), "/");
        while (!todo_.empty()) {
            const auto [address, path] = std::move(todo_.back());
            todo_.pop_back();
            if (!seen_.insert(address).second) continue;
            context_.check_cancelled();
            guard(path, [&, address = address, &path = path] { object(*file_.object(address), path); });
        }
        return std::move(problems_);
    }

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
    void object(const h5::Object& object, const std::string& path) {
        for (const h5::Attribute& attribute : object.attributes().attributes) {
            const std::string place = fmt::format("{}/@{}", path == "/" ? "" : path, attribute.name);
            guard(place, [&] { cells(*attribute.type, attribute.bytes, attribute.space.element_count, place); });
        }
        if (object.kind() == h5::ObjectKind::kGroup) {
            for (const h5::Link& link : object.links().links) {
                if (link.kind == h5::Link::Kind::kHard && todo_.size() < context_.limits.max_nodes)
                    todo_.emplace_back(link.address, (path == "/" ? path : path + "/") + std::string(link.name));
            }
        } else if (object.kind() == h5::ObjectKind::kDataset) {
            dataset(object.dataset(h5::VirtualExtent::kStored), path);
        }
    }
    void dataset(const h5::Dataset& data, const std::string& path) {
        const h5::Datatype& type = *data.type;
        const bool is_sequence =
            type.cls == h5::TypeClass::kVlen && !type.is_string && type.base && is_byte(*type.base);
        const bool is_opaque = type.cls == h5::TypeClass::kOpaque;
        if ((!is_sequence && !is_opaque && !is_byte(type)) || data.layout.cls == h5::LayoutClass::kVirtual ||
            data.layout.is_external || data.size_bytes == 0)
            return;
        const BlobPtr bytes = file_.data(data);
        if (is_byte(type)) {
            take_(bytes, path);
            return;
        }
        const std::uint64_t width = type.size_bytes;
        const std::uint64_t count = std::min<std::uint64_t>(bytes->size_bytes() / width, kMostElements);
        for (std::uint64_t i = 0; i < count; ++i) {
            guard(path, [&] { cells(type, bytes_of(*bytes, i * width, width), 1, fmt::format("{}[{}]", path, i)); });
        }
        if (count < bytes->size_bytes() / width)
            problems_.push_back(fmt::format("'{}': only {} elements are looked at", path, count));
    }
    void cells(const h5::Datatype& type, const std::string& bytes, std::uint64_t count, const std::string& place) {
        if (type.cls == h5::TypeClass::kVlen) {
            if (!type.is_string && !(type.base && is_byte(*type.base))) return;
            for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, kMostElements); ++i) {
                if ((i + 1) * type.size_bytes > bytes.size()) return;
                take_(memory_blob(
                          file_.heap_value(type, std::string_view(bytes).substr(i * type.size_bytes, type.size_bytes))
                              .bytes),
                      place);
            }
            return;
        }
        const bool is_text = type.cls == h5::TypeClass::kString || type.cls == h5::TypeClass::kOpaque;
        if (is_text && count > 1) {
            for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, kMostElements); ++i)
                take_(memory_blob(
                          bytes.substr(std::min<std::size_t>(i * type.size_bytes, bytes.size()), type.size_bytes)),
                      place);
        } else if (is_text || is_byte(type)) {
            take_(memory_blob(bytes), place);
        }
    }

    const h5::H5File& file_;
    const Take& take_;
    const Context& context_;
    std::vector<std::pair<std::uint64_t, std::string>> todo_;
    std::unordered_set<std::uint64_t> seen_;
    std::vector<std::string> problems_;
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
            if (where.ends_with("@model_config") &&
                bytes_of(*cell, 0, kMostCellBytes).find("\"Lambda\"") != std::string::npos)
                find({ScanFinding::Class::kDangerous, "a Keras layer made of code (Lambda)", "", inside(place, where),
                      0, 1});
            const std::string head = bytes_of(*cell, 0, 64);
            if (!begins_like_container(head) && !may_be_old_pickle(head)) return;
            any(cell, inside(place, where), depth + 1, Belief::kMaybe);
        };
        for (const std::string& problem : Hdf5Cells(*file, take, quiet).run()) damage(place, problem);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        damage(place, error.message());
    }
    return true;
}

}  // namespace ckpt::scan
