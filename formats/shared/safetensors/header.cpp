// The header's JSON: read strictly, written as the Python package does.
#include "formats/shared/safetensors/header.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "formats/shared/json/json_cursor.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::safetensors {
namespace {

// In the order of the reference implementation, which sorts what it writes by it, the last first.
constexpr std::array kTypes = {
    ElementType{"BOOL", 8, DType::kBool},
    ElementType{"F4", 4, DType::kFloat4E2M1FNx2},
    ElementType{"F6_E2M3", 6, std::nullopt},
    ElementType{"F6_E3M2", 6, std::nullopt},
    ElementType{"U8", 8, DType::kUInt8},
    ElementType{"I8", 8, DType::kInt8},
    ElementType{"F8_E5M2", 8, DType::kFloat8E5M2},
    ElementType{"F8_E4M3", 8, DType::kFloat8E4M3FN},
    ElementType{"F8_E8M0", 8, DType::kFloat8E8M0FNU},
    ElementType{"F8_E4M3FNUZ", 8, DType::kFloat8E4M3FNUZ},
    ElementType{"F8_E5M2FNUZ", 8, DType::kFloat8E5M2FNUZ},
    ElementType{"I16", 16, DType::kInt16},
    ElementType{"U16", 16, DType::kUInt16},
    ElementType{"F16", 16, DType::kFloat16},
    ElementType{"BF16", 16, DType::kBFloat16},
    ElementType{"I32", 32, DType::kInt32},
    ElementType{"U32", 32, DType::kUInt32},
    ElementType{"F32", 32, DType::kFloat32},
    ElementType{"C64", 64, DType::kComplex64},
    ElementType{"F64", 64, DType::kFloat64},
    ElementType{"I64", 64, DType::kInt64},
    ElementType{"U64", 64, DType::kUInt64},
};

constexpr std::string_view kMetadataKey = "__metadata__";

std::string shown(const Entry& entry) {
    return fmt::format("tensor '{}'", escape_key(entry.name));
}

std::string number_list(const std::vector<std::int64_t>& numbers) {
    constexpr std::size_t kMostShown = 16;
    return fmt::format("[{}{}]",
                       fmt::join(numbers.begin(), numbers.begin() + std::min(numbers.size(), kMostShown), ", "),
                       numbers.size() > kMostShown ? ", ..." : "");
}

class HeaderReader {
public:
    HeaderReader(std::string_view text, const Context& context) : json_(text, kPrefixBytes), context_(context) {}

    Header run() {
        if (!json_.next_is_object()) throw_damaged("header: is {}, not an object", json_.what_is_next());
        if (json_.position() != kPrefixBytes)
            context_.warn("the header begins with white space; the format wants '{' there");
        json_.object([this](const std::string& key) {
            if (key == kMetadataKey) {
                read_metadata();
            } else {
                read_tensor(key);
            }
        });
        json_.end();
        return std::move(header_);
    }

private:
    void read_metadata() {
        if (json_.take_null()) {
            context_.warn("__metadata__ is null; the format wants an object of texts");
            return;
        }
        if (!json_.next_is_object()) throw_damaged("__metadata__ is {}, not an object", json_.what_is_next());
        header_.metadata.emplace();
        json_.object([this](const std::string& key) {
            if (!json_.next_is_text())
                throw_damaged("__metadata__: '{}' is {}, not a text", escape_key(key), json_.what_is_next());
            header_.metadata->emplace_back(key, json_.text());
        });
    }

    void read_tensor(const std::string& name) {
        Entry entry;
        entry.name = name;
        if (header_.entries.size() >= context_.limits.max_container_entries)
            throw_error(ErrorCode::kRefused, "header: more than {} tensors", context_.limits.max_container_entries);
        if (!json_.next_is_object()) throw_damaged("{} is {}, not an object", shown(entry), json_.what_is_next());
        bool has_shape = false;
        bool has_offsets = false;
        json_.object([&](const std::string& field) {
            if (field == "dtype") {
                read_type(entry);
            } else if (field == "shape") {
                read_shape(entry);
                has_shape = true;
            } else if (field == "data_offsets") {
                read_offsets(entry);
                has_offsets = true;
            } else {
                context_.warn(fmt::format("{}: unknown field {} is ignored", shown(entry), json_quoted(field)));
                json_.skip();
            }
        });
        if (entry.type == nullptr) throw_damaged("{} has no dtype", shown(entry));
        if (!has_shape) throw_damaged("{} has no shape", shown(entry));
        if (!has_offsets) throw_damaged("{} has no data_offsets", shown(entry));
        header_.entries.push_back(std::move(entry));
    }

    void read_type(Entry& entry) {
        if (!json_.next_is_text()) throw_damaged("{}: dtype is {}, not a text", shown(entry), json_.what_is_next());
        const std::string name = json_.text();
        entry.type = element_type(name);
        if (entry.type == nullptr)
            throw_damaged("{}: dtype {} is none that the format has", shown(entry), json_quoted(name.substr(0, 40)));
    }

    void read_shape(Entry& entry) {
        if (!json_.next_is_list()) throw_damaged("{}: shape is {}, not a list", shown(entry), json_.what_is_next());
        json_.list([&] {
            const std::uint64_t size = json_.count(shown(entry) + ": shape");
            if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
                throw_damaged("{}: a dimension of {} elements", shown(entry), size);
            entry.shape.push_back(static_cast<std::int64_t>(size));
        });
    }

    void read_offsets(Entry& entry) {
        if (!json_.next_is_list())
            throw_damaged("{}: data_offsets is {}, not a list", shown(entry), json_.what_is_next());
        std::size_t count = 0;
        json_.list([&] {
            const std::uint64_t value = json_.count(shown(entry) + ": data_offsets");
            if (count < 2) (count == 0 ? entry.begin : entry.end) = value;
            ++count;
        });
        if (count != 2) throw_damaged("{}: data_offsets has {} numbers, not two", shown(entry), count);
    }

    JsonCursor json_;
    const Context& context_;
    Header header_;
};

/// In the order of the reference implementation, so that the same mistake is named: place, overflow, whole bytes, size.
void check_entry(const Entry& entry, std::uint64_t expected_begin) {
    if (entry.begin != expected_begin || entry.end < entry.begin) {
        throw_damaged("{}: its bytes are {} to {}, where the tensors before it end at {}", shown(entry), entry.begin,
                      entry.end, expected_begin);
    }
    std::uint64_t bits = 1;
    for (const std::int64_t size : entry.shape) {
        if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(size), &bits))
            throw_damaged("{}: shape {} has more elements than 64 bits count", shown(entry), number_list(entry.shape));
    }
    if (__builtin_mul_overflow(bits, std::uint64_t{entry.type->bits}, &bits))
        throw_damaged("{}: shape {} has more bits than 64 bits count", shown(entry), number_list(entry.shape));
    if (bits % 8 != 0) {
        throw_damaged("{}: shape {} of {} is {} bits, no whole bytes", shown(entry), number_list(entry.shape),
                      entry.type->name, bits);
    }
    if (entry.end - entry.begin != bits / 8) {
        throw_damaged("{}: shape {} of {} needs {} bytes, its data_offsets give {}", shown(entry),
                      number_list(entry.shape), entry.type->name, bits / 8, entry.end - entry.begin);
    }
}

}  // namespace

const ElementType* element_type(std::string_view name) noexcept {
    const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& type) { return type.name == name; });
    return found == kTypes.end() ? nullptr : found;
}

const ElementType* element_type(DType dtype) noexcept {
    const auto* found =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& type) { return type.dtype == dtype; });
    return found == kTypes.end() ? nullptr : found;
}

std::size_t write_rank(const ElementType& type) noexcept {
    return static_cast<std::size_t>(kTypes.end() - &type);
}

Header read_header(const File& file, const Context& context, FileEnd file_end) {
    if (file.size_bytes() < kPrefixBytes)
        throw_damaged("has {} bytes, fewer than the {} of its header's length", file.size_bytes(), kPrefixBytes);
    std::uint64_t size = 0;
    file.read(0, std::as_writable_bytes(std::span(&size, 1)));
    if (size > kMostHeaderBytes)
        throw_damaged("header: a length of {} bytes; the format allows {}", size, kMostHeaderBytes);
    if (size > file.size_bytes() - kPrefixBytes) {
        throw_damaged("header: {} bytes long, but the file ends {} bytes behind its length", size,
                      file.size_bytes() - kPrefixBytes);
    }
    std::string text(static_cast<std::size_t>(size), '\0');
    file.read(kPrefixBytes, std::as_writable_bytes(std::span(text.data(), text.size())));

    Header header = HeaderReader(text, context).run();
    if (text.find_first_not_of(' ', text.rfind('}') + 1) != std::string::npos)
        context.warn("the header is padded by other white space than spaces");
    header.data_offset = kPrefixBytes + size;
    std::stable_sort(header.entries.begin(), header.entries.end(), [](const Entry& a, const Entry& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t end = 0;
    for (const Entry& entry : header.entries) {
        check_entry(entry, end);
        end = entry.end;
    }
    const std::uint64_t there = file.size_bytes() - header.data_offset;
    if (end != there && file_end == FileEnd::kChecked)
        throw_damaged("the tensors take {} bytes, but {} follow the header", end, there);
    return header;
}

std::string header_bytes(const std::vector<Entry>& entries, const std::optional<Metadata>& metadata) {
    std::string text = "{";
    const auto member = [&text](std::string_view name) {
        if (text.size() > 1) text += ',';
        text += json_quoted(name) + ":";
    };
    if (metadata) {
        member(kMetadataKey);
        Metadata sorted = *metadata;
        std::sort(sorted.begin(), sorted.end());
        text += '{';
        for (std::size_t i = 0; i < sorted.size(); ++i)
            text += (i == 0 ? "" : ",") + json_quoted(sorted[i].first) + ":" + json_quoted(sorted[i].second);
        text += '}';
    }
    for (const Entry& entry : entries) {
        member(entry.name);
        text += fmt::format("{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", entry.type->name,
                            fmt::join(entry.shape, ","), entry.begin, entry.end);
    }
    text += '}';
    text.append((8 - text.size() % 8) % 8, ' ');
    if (text.size() > kMostHeaderBytes) {
        throw_error(ErrorCode::kRefused, "the header would take {} bytes, and the layout allows {}", text.size(),
                    kMostHeaderBytes);
    }
    std::string bytes(kPrefixBytes, '\0');
    for (std::size_t i = 0; i < kPrefixBytes; ++i) bytes[i] = static_cast<char>(text.size() >> (8 * i) & 0xff);
    return bytes + text;
}

}  // namespace ckpt::safetensors
