// Layouts as JSON text.
#include "formats/hdf5/original_layout.hpp"

#include <nlohmann/json.hpp>

#include "formats/hdf5/schema.hpp"

namespace ckpt::hdf5 {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxFillBytes = 65536;
constexpr std::string_view kDigits = "0123456789abcdef";

std::string to_hex(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) {
        text += kDigits[static_cast<unsigned char>(byte) >> 4];
        text += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    return text;
}

std::optional<std::string> from_hex(std::string_view text) {
    std::string bytes;
    if (text.size() % 2 != 0) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const auto high = kDigits.find(text[i]);
        const auto low = kDigits.find(text[i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
        bytes += static_cast<char>(high << 4 | low);
    }
    return bytes;
}

Json filter_json(const h5::Filter& filter) {
    Json json = {{"id", filter.id}, {"parameters", filter.parameters}};
    if (filter.is_optional) json["optional"] = true;
    const bool is_text =
        !filter.name.empty() && filter.name.find_first_of(std::string_view("\0", 1)) == std::string::npos;
    if (filter.id >= 256 && is_text) json["name"] = filter.name;
    return json;
}

h5::Filter filter_from(const Json& json) {
    h5::Filter filter;
    filter.id = json.at("id").get<std::uint16_t>();
    filter.parameters = json.at("parameters").get<std::vector<std::uint32_t>>();
    filter.is_optional = json.value("optional", false);
    filter.name = json.value("name", "");
    return filter;
}

}  // namespace

void LayoutKeeper::keep(Value& value, const h5::Dataset& dataset) {
    const bool is_chunked = dataset.layout.cls == h5::LayoutClass::kChunked;
    const bool has_fill = dataset.fill_state == h5::FillState::kValue && dataset.fill.size() <= kMaxFillBytes &&
                          !dataset.type->has_heap_references();
    if (!is_chunked && !has_fill) return;
    if (value.node() == nullptr)
        value = value.is_null() ? Value::of(pool_.make<Node>(Kind::kNull)) : pool_.typed_scalar(value, "");
    Json json = Json::object();
    if (is_chunked) {
        json["chunks"] = dataset.layout.chunk;
        if (dataset.space.max_dims != dataset.space.dims) {
            Json& limits = json["maxshape"] = Json::array();
            for (const std::uint64_t dim : dataset.space.max_dims)
                limits.push_back(dim == h5::Dataspace::kUnlimited ? Json() : Json(dim));
        }
        for (const h5::Filter& filter : dataset.filters) json["filters"].push_back(filter_json(filter));
    }
    if (has_fill) json["fill"] = to_hex(dataset.fill);
    std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    const auto [found, is_new] = texts_.try_emplace(text);
    if (is_new) found->second = pool_.string(std::move(text));
    value.node()->set_attribute(kLayoutMark, found->second);
}

std::optional<h5::WriteLayout> kept_layout(const Value& value) {
    const Value* mark = value.node() == nullptr ? nullptr : value.node()->attribute(kLayoutMark);
    if (mark == nullptr || !mark->is(Kind::kString)) return std::nullopt;
    const Json json = Json::parse(mark->as_string(), nullptr, false);
    if (!json.is_object()) return std::nullopt;
    try {
        h5::WriteLayout layout;
        if (json.contains("chunks")) layout.chunk = json.at("chunks").get<std::vector<std::uint64_t>>();
        if (json.contains("maxshape")) {
            for (const Json& dim : json.at("maxshape"))
                layout.max_dims.push_back(dim.is_null() ? h5::Dataspace::kUnlimited : dim.get<std::uint64_t>());
        }
        if (json.contains("filters")) {
            for (const Json& filter : json.at("filters")) layout.filters.push_back(filter_from(filter));
        }
        if (json.contains("fill")) {
            auto fill = from_hex(json.at("fill").get<std::string>());
            if (!fill) return std::nullopt;
            layout.fill = std::move(*fill);
        }
        return layout;
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

}  // namespace ckpt::hdf5
