// Walks a value with a bound on depth and size; cycles and shared doublings run into the bounds.
#include "tools/value_text.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "libckpt/error.hpp"
#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"
#include "tools/tensor_elements.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostDepth = 1000;
constexpr std::size_t kMostValues = 1000000;
constexpr std::uint64_t kMostElements = 10000000;
constexpr std::uint64_t kWholeElements = 1000;  // larger tensors are summarized
constexpr std::int64_t kEdge = 3;
constexpr std::int64_t kExactIntegers = std::int64_t{1} << 53;

std::string hex(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
}

/// The name of a class or function, or of a member of an enum: what an object is where that is all there is to it.
std::string name_of(const Value& value) {
    const auto* recipe = value.node()->recipe.get();
    if (recipe != nullptr && recipe->how == Recipe::How::kGlobal) return recipe->callable;
    return {};
}

std::string scalar_text(const Value& value) {
    switch (value.kind()) {
        case Kind::kNull:
            return "None";
        case Kind::kBool:
            return value.as_bool() ? "true" : "false";
        case Kind::kInt:
            return value.integer_text();
        case Kind::kFloat:
            return float_text(value.as_double());
        case Kind::kComplex:
            return complex_text(value.as_complex());
        case Kind::kString:
            return std::string(value.as_string());
        case Kind::kBytes:
            return hex(value.as_bytes());
        default:
            return {};
    }
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    return text + (shape.size() == 1 ? ",)" : ")");
}

/// A tensor's elements as NumPy prints an array: brackets, columns to the right, the middle left out of large ones.
class ArrayText {
public:
    explicit ArrayText(const TensorNode& tensor)
        : tensor_(tensor), elements_(tensor), is_short_(elements_.count() <= kWholeElements) {}

    std::string run() {
        std::string text = fmt::format("{} {}\n", dtype_name(tensor_.dtype), shape_text(tensor_.shape));
        if (elements_.count() == 0) return text + "[]\n";
        if (tensor_.shape.empty()) return text + elements_.text(0) + "\n";
        measure(0, 0);
        std::string body;
        append(body, 0, 0);
        return text + body + "\n";
    }

private:
    /// The indices of a dimension that are shown; -1 stands for those left out.
    std::vector<std::int64_t> shown(std::size_t dimension) const {
        std::vector<std::int64_t> indices;
        const std::int64_t size = tensor_.shape[dimension];
        const bool is_cut = !is_short_ && size > 2 * kEdge;
        for (std::int64_t i = 0; i < size; ++i) {
            if (is_cut && i == kEdge) {
                indices.push_back(-1);
                i = size - kEdge;
            }
            indices.push_back(i);
        }
        return indices;
    }
    std::uint64_t inner(std::size_t dimension) const {
        std::uint64_t count = 1;
        for (std::size_t i = dimension + 1; i < tensor_.shape.size(); ++i)
            count *= static_cast<std::uint64_t>(tensor_.shape[i]);
        return count;
    }
    void measure(std::size_t dimension, std::uint64_t base) {
        for (const auto i : shown(dimension)) {
            if (i < 0) continue;
            const std::uint64_t at = base + static_cast<std::uint64_t>(i) * inner(dimension);
            if (dimension + 1 == tensor_.shape.size()) {
                width_ = std::max(width_, elements_.text(at).size());
            } else {
                measure(dimension + 1, at);
            }
        }
    }
    void append(std::string& text, std::size_t dimension, std::uint64_t base) {
        const bool is_last = dimension + 1 == tensor_.shape.size();
        text += '[';
        bool is_first = true;
        std::size_t in_line = 0;
        for (const auto i : shown(dimension)) {
            if (!is_first) {
                const bool is_full = is_last && in_line >= kLineWidth;
                if (!is_last) text += std::string(tensor_.shape.size() - dimension - 1, '\n');
                if (is_full) text += '\n';
                if (!is_last || is_full) {
                    text += std::string(dimension + 1, ' ');
                    in_line = 0;
                } else {
                    text += ' ';
                }
            }
            is_first = false;
            if (i < 0) {
                text += "...";
                continue;
            }
            const std::uint64_t at = base + static_cast<std::uint64_t>(i) * inner(dimension);
            if (is_last) {
                text += fmt::format("{:>{}}", elements_.text(at), width_);
                in_line += width_ + 1;
            } else {
                append(text, dimension + 1, at);
            }
        }
        text += ']';
    }

    static constexpr std::size_t kLineWidth = 70;
    const TensorNode& tensor_;
    Elements elements_;
    bool is_short_;
    std::size_t width_ = 0;
};

/// What stands below a value in either form.
std::vector<Child> below(const Value& value) {
    if (!value.is(Kind::kSet)) return children(value);
    std::vector<Child> items;
    for (const auto& item : value.sequence().items) items.push_back({std::to_string(items.size()), item, false});
    return items;
}

Json json_number(const Value& value) {
    if (value.is(Kind::kBool)) return value.as_bool();
    if (value.is(Kind::kInt)) {
        const auto number = value.as_int64();
        if (number && *number > -kExactIntegers && *number < kExactIntegers) return *number;
        return value.integer_text();
    }
    const double number = value.as_double();
    if (std::isfinite(number)) return number;
    return std::isnan(number) ? "NaN" : number < 0 ? "-Inf" : "Inf";
}

class Writer {
public:
    std::string text(const Value& value) {
        append(value, 0);
        return std::move(text_);
    }

    Json json(const Value& value, std::size_t depth = 0) {
        count(depth);
        switch (value.kind()) {
            case Kind::kNull:
                return nullptr;
            case Kind::kBool:
            case Kind::kInt:
            case Kind::kFloat:
                return json_number(value);
            case Kind::kComplex:
                return Json::array({value.as_complex().real(), value.as_complex().imag()});
            case Kind::kString:
                return std::string(value.as_string());
            case Kind::kBytes:
                return {{"hex", hex(value.as_bytes())}};
            case Kind::kList:
            case Kind::kTuple:
            case Kind::kSet: {
                Json items = Json::array();
                for (const auto& item : value.sequence().items) items.push_back(json(item, depth + 1));
                return items;
            }
            case Kind::kDict: {
                Json object = Json::object();
                for (const auto& child : children(value)) object[unescaped(child)] = json(child.value, depth + 1);
                return object;
            }
            case Kind::kTensor:
                return tensor_json(value.tensor());
            case Kind::kObject:
                break;
        }
        if (const std::string name = name_of(value); !name.empty()) return name;
        Json object = {{"type", std::string(value.type())}};
        for (const auto& child : children(value)) object[unescaped(child)] = json(child.value, depth + 1);
        return object;
    }

private:
    void count(std::size_t depth) {
        if (depth > kMostDepth)
            throw_error(ErrorCode::kRefused, "the value has more than {} levels; name a part of it", kMostDepth);
        if (++values_ > kMostValues)
            throw_error(ErrorCode::kRefused, "the value has more than {} parts; name one of them", kMostValues);
    }
    static std::string unescaped(const Child& child) {
        const auto parts = split_path(child.component);
        return parts.empty() ? std::string() : parts.front();
    }

    Json element_json(Elements& elements, std::uint64_t number) {
        if (!elements.is_complex()) return json_number(elements.scalar(number));
        const auto value = elements.complex(number);
        return Json::array({value.real(), value.imag()});
    }
    Json tensor_json(const TensorNode& tensor) {
        Elements elements(tensor);
        if (elements.count() > kMostElements)
            throw_error(ErrorCode::kRefused, "a tensor of {} elements is not printed as JSON, at most {} are",
                        elements.count(), kMostElements);
        std::uint64_t next = 0;
        const auto nested = [&](const auto& self, std::size_t dimension) -> Json {
            if (dimension == tensor.shape.size()) return element_json(elements, next++);
            Json items = Json::array();
            for (std::int64_t i = 0; i < tensor.shape[dimension]; ++i) items.push_back(self(self, dimension + 1));
            return items;
        };
        Json data = elements.count() == 0 ? Json::array() : nested(nested, 0);
        return {{"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data", std::move(data)}};
    }

    void line(std::size_t depth, const std::string& text) {
        text_.append(2 * depth, ' ');
        text_ += text + "\n";
    }

    /// A value by itself: its text, or a line for each of its parts.
    void append(const Value& value, std::size_t depth) {
        count(depth);
        if (value.kind() <= Kind::kBytes) return line(depth, scalar_text(value));
        if (value.is(Kind::kTensor)) {
            if (!value.tensor().parts.empty()) return append_parts(value, depth);
            return line(0, indented(ArrayText(value.tensor()).run(), depth));
        }
        if (value.is(Kind::kObject)) {
            const std::string name = name_of(value);
            line(depth, name.empty() ? printable(value.type()) : printable(name));
        }
        append_parts(value, depth);
    }
    void append_parts(const Value& value, std::size_t depth) {
        const auto parts = below(value);
        if (parts.empty() && !value.is(Kind::kObject))
            return line(depth, value.is(Kind::kDict) ? "{}" : value.is(Kind::kTuple) ? "()" : "[]");
        const bool is_named = value.is(Kind::kDict) || value.is(Kind::kObject) || value.is(Kind::kTensor);
        for (const auto& part : parts) {
            const Value& item = part.value;
            const std::string name = is_named ? printable(unescaped(part)) + ":" : "-";
            const bool is_short = item.kind() <= Kind::kBytes || (item.is(Kind::kObject) && !name_of(item).empty()) ||
                                  (!item.is(Kind::kTensor) && !item.is(Kind::kObject) && below(item).empty());
            if (is_short) {
                count(depth);
                line(depth, name + " " + short_text(item));
            } else {
                line(depth, name);
                append(item, depth + 1);
            }
        }
    }
    static std::string short_text(const Value& value) {
        if (value.is(Kind::kObject)) return printable(name_of(value));
        if (value.kind() > Kind::kBytes) return value.is(Kind::kDict) ? "{}" : value.is(Kind::kTuple) ? "()" : "[]";
        return printable(scalar_text(value));
    }
    static std::string indented(const std::string& text, std::size_t depth) {
        std::string result(2 * depth, ' ');
        for (std::size_t i = 0; i + 1 < text.size(); ++i) {
            result += text[i];
            if (text[i] == '\n') result.append(2 * depth, ' ');
        }
        return result;
    }

    std::string text_;
    std::size_t values_ = 0;
};

}  // namespace

std::string value_text(const Value& value) {
    return Writer().text(value);
}

std::string value_json(const Value& value) {
    return Writer().json(value).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ckpt
