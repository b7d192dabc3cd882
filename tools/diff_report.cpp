// Words and columns for each kind of difference.
#include "tools/diff_report.hpp"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/text.hpp"
#include "tools/value_text.hpp"

namespace ckpt {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTextWidth = 60;

std::string shape_text(const TensorNode& tensor) {
    if (tensor.shape.empty()) return "scalar";
    std::string text;
    for (const std::int64_t size : tensor.shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
    return text;
}

std::string sizes_text(const SizeList& sizes) {
    std::string text = "(";
    for (std::size_t i = 0; i < sizes.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(sizes[i]);
    return text + ")";
}

std::string number_text(double value) {
    return fmt::format("{:.4g}", value);
}

/// A leaf in a few words.
std::string leaf_text(const Value& value) {
    switch (value.kind()) {
        case Kind::kTensor:
            return fmt::format("{} {}", dtype_name(value.tensor().dtype), shape_text(value.tensor()));
        case Kind::kList:
        case Kind::kTuple:
        case Kind::kSet:
            return fmt::format("{} of {}", kind_name(value.kind()), value.sequence().items.size());
        case Kind::kDict:
            return fmt::format("dict of {}", value.dict().entries.size());
        case Kind::kObject:
            return shortened(value.type(), kTextWidth);
        case Kind::kString:
            return "'" + shortened(value.as_string(), kTextWidth) + "'";
        default: {
            std::string text = value_text(value);
            if (!text.empty()) text.pop_back();
            return shortened(text, kTextWidth);
        }
    }
}

std::string quantization_text(const TensorNode& tensor) {
    if (!tensor.quantization) return "none";
    return fmt::format("{} scale {} zero point {}", tensor.quantization->scheme, tensor.quantization->scale,
                       tensor.quantization->zero_point);
}

std::string class_text(const Value& value) {
    if (value.node() != nullptr && value.node()->recipe != nullptr && value.node()->recipe->how == Recipe::How::kGlobal)
        return shortened(value.node()->recipe->callable, kTextWidth);
    return value.type().empty() ? std::string(kind_name(value.kind())) : shortened(value.type(), kTextWidth);
}

std::string tie_text(const std::string& with) {
    return with.empty() ? "by itself" : "tied to " + printable(with);
}

std::string contents_text(const Difference& difference, const Value& value) {
    if (value.kind() <= Kind::kBytes || value.is(Kind::kTensor)) return leaf_text(value);
    return fmt::format("{}: {} tensors, {} other values", leaf_text(value), difference.tensors, difference.others);
}

std::string distance_text(const Difference& difference) {
    const TensorDistance& distance = *difference.distance;
    std::string text = fmt::format("{}: {} of {} differ, max {}, mean {}", leaf_text(difference.a), distance.differing,
                                   distance.numbers, number_text(distance.greatest), number_text(distance.mean));
    if (distance.cosine) text += fmt::format(", cosine {:.6f}", *distance.cosine);
    if (distance.ulp) text += fmt::format(", ulp {}", *distance.ulp);
    if (distance.unlike != 0) text += fmt::format(", NaN or Inf {}", distance.unlike);
    return text;
}

/// What `a` and what `b` has.
std::pair<std::string, std::string> sides(const Difference& difference) {
    const auto both = [&](const auto& text) { return std::pair(text(difference.a), text(difference.b)); };
    switch (difference.aspect) {
        case Aspect::kKind:
            return both(
                [](const Value& value) { return fmt::format("{} {}", kind_name(value.kind()), leaf_text(value)); });
        case Aspect::kClass:
            return both(class_text);
        case Aspect::kDType:
            return both([](const Value& value) { return std::string(dtype_name(value.tensor().dtype)); });
        case Aspect::kShape:
            return both([](const Value& value) { return shape_text(value.tensor()); });
        case Aspect::kStride:
            return both([](const Value& value) { return sizes_text(value.tensor().stride); });
        case Aspect::kQuantization:
            return both([](const Value& value) { return quantization_text(value.tensor()); });
        case Aspect::kTie:
            return {tie_text(difference.tied_in_a), tie_text(difference.tied_in_b)};
        default:
            return both(leaf_text);
    }
}

std::string what_text(const Difference& difference) {
    switch (difference.aspect) {
        case Aspect::kOnlyInA:
            return contents_text(difference, difference.a);
        case Aspect::kOnlyInB:
            return contents_text(difference, difference.b);
        case Aspect::kOrder:
            return "the entries stand in another order";
        case Aspect::kKey:
            return "one key is a text, the other is not";
        default:
            break;
    }
    if (difference.distance) return distance_text(difference);
    const auto [a, b] = sides(difference);
    return a + " | " + b;
}

Json side_json(const Difference& difference, const Value& value) {
    switch (difference.aspect) {
        case Aspect::kDType:
            return dtype_name(value.tensor().dtype);
        case Aspect::kShape:
            return std::vector<std::int64_t>(value.tensor().shape);
        case Aspect::kStride:
            return std::vector<std::int64_t>(value.tensor().stride);
        case Aspect::kKind:
            return kind_name(value.kind());
        case Aspect::kClass:
            return class_text(value);
        case Aspect::kQuantization:
            return quantization_text(value.tensor());
        default:
            return value.kind() <= Kind::kBytes ? Json::parse(value_json(value)) : Json(leaf_text(value));
    }
}

Json difference_json(const Difference& difference) {
    Json json = {
        {"path", difference.path}, {"role", role_name(difference.role)}, {"what", aspect_name(difference.aspect)}};
    const bool is_lonely = difference.aspect == Aspect::kOnlyInA || difference.aspect == Aspect::kOnlyInB;
    if (is_lonely) {
        const Value& value = difference.aspect == Aspect::kOnlyInA ? difference.a : difference.b;
        json["kind"] = kind_name(value.kind());
        json["tensors"] = difference.tensors;
        json["others"] = difference.others;
    } else if (difference.distance) {
        const TensorDistance& distance = *difference.distance;
        json["elements"] = distance.numbers;
        json["differing"] = distance.differing;
        json["nonfinite"] = distance.unlike;
        json["max"] = distance.greatest;
        json["mean"] = distance.mean;
        json["cosine"] = distance.cosine ? Json(*distance.cosine) : Json();
        json["ulp"] = distance.ulp ? Json(*distance.ulp) : Json();
    } else if (difference.aspect == Aspect::kTie) {
        json["a"] = difference.tied_in_a.empty() ? Json() : Json(difference.tied_in_a);
        json["b"] = difference.tied_in_b.empty() ? Json() : Json(difference.tied_in_b);
    } else if (difference.aspect != Aspect::kOrder && difference.aspect != Aspect::kKey) {
        json["a"] = side_json(difference, difference.a);
        json["b"] = side_json(difference, difference.b);
    }
    return json;
}

std::string roles_text(const DocumentComparison& comparison) {
    using Align = Table::Align;
    Table table({{"ROLE", Align::kLeft},
                 {"TENSORS", Align::kRight},
                 {"EQUAL", Align::kRight},
                 {"OTHERS", Align::kRight},
                 {"EQUAL", Align::kRight},
                 {"ONLY A", Align::kRight},
                 {"ONLY B", Align::kRight},
                 {"MAX", Align::kRight}});
    for (const RoleSummary& role : comparison.roles) {
        table.add({std::string(role_name(role.role)), std::to_string(role.tensors), std::to_string(role.tensors_equal),
                   std::to_string(role.others), std::to_string(role.others_equal), std::to_string(role.only_in_a),
                   std::to_string(role.only_in_b), number_text(role.greatest)});
    }
    return table.text();
}

}  // namespace

std::string diff_text(const DocumentComparison& comparison, std::size_t most) {
    if (comparison.differences.empty()) {
        std::uint64_t tensors = 0, others = 0;
        for (const RoleSummary& role : comparison.roles) {
            tensors += role.tensors;
            others += role.others;
        }
        return fmt::format("no differences: {} tensors, {} other values\n", tensors, others);
    }
    Table table({{"WHAT", Table::Align::kLeft}, {"PATH", Table::Align::kLeft}, {"A | B", Table::Align::kLeft}});
    const std::size_t shown = std::min(most, comparison.differences.size());
    for (std::size_t i = 0; i < shown; ++i) {
        const Difference& difference = comparison.differences[i];
        table.add({std::string(aspect_name(difference.aspect)),
                   difference.path.empty() ? "(root)" : printable(difference.path), what_text(difference)});
    }
    std::string text = table.text();
    if (shown < comparison.differences.size())
        text += fmt::format("... and {} more (--limit 0 shows all)\n", comparison.differences.size() - shown);
    return text + "\n" + roles_text(comparison);
}

std::string diff_json(const DocumentComparison& comparison, const std::string& a, const std::string& b) {
    Json json = {{"a", a}, {"b", b}, {"same", comparison.differences.empty()}};
    json["differences"] = Json::array();
    for (const Difference& difference : comparison.differences)
        json["differences"].push_back(difference_json(difference));
    json["roles"] = Json::array();
    for (const RoleSummary& role : comparison.roles) {
        json["roles"].push_back({{"role", role_name(role.role)},
                                 {"tensors", role.tensors},
                                 {"tensors_equal", role.tensors_equal},
                                 {"others", role.others},
                                 {"others_equal", role.others_equal},
                                 {"only_in_a", role.only_in_a},
                                 {"only_in_b", role.only_in_b},
                                 {"max", role.greatest}});
    }
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ckpt
