// Folding by names and looks; values are not read.
#include "tools/inspect_fold.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "tools/text.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kFewestAlike = 3;     // blocks that fold when they are alike
constexpr std::size_t kFewestSiblings = 4;  // siblings that fold
constexpr std::size_t kMostMembers = 1000;  // of a block
constexpr std::size_t kMostSizes = 64;      // torch makes no more dimensions
constexpr std::size_t kMostNamed = 4;       // member names that stand on a line
constexpr std::size_t kNameWidth = 40;

bool is_number(std::string_view text) {
    return !text.empty() && text.size() < 10 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// `layers.3.attn.weight` in its parts: "layers.", "3", "attn.weight". No number: `number` is empty.
struct BlockName {
    std::string_view prefix, number, rest;
};
BlockName block_name(std::string_view name) {
    for (std::size_t from = 0; from < name.size();) {
        const std::size_t dot = std::min(name.find('.', from), name.size());
        if (dot == name.size()) return {};
        const std::string_view part = name.substr(from, dot - from);
        if (is_number(part)) return {name.substr(0, from), part, name.substr(dot + 1)};
        from = dot + 1;
    }
    return {};
}

/// The prefix with each run of digits as one '#': `net.layer3.` and `net.layer4.` are of one family.
std::string family(std::string_view prefix) {
    std::string text;
    for (const char c : prefix) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit) text += c;
        if (digit && (text.empty() || text.back() != '#')) text += '#';
    }
    return text;
}

/// `net.layer{1..4}` of `net.layer1.` and `net.layer4.`, which are of one family and differ in one place.
std::string spanned(std::string_view first, std::string_view last) {
    std::size_t same = 0;
    while (same < std::min(first.size(), last.size()) && first[same] == last[same]) ++same;
    while (same > 0 && first[same - 1] >= '0' && first[same - 1] <= '9') --same;
    const auto digits = [&](std::string_view text) {
        const std::size_t end = std::min(text.find_first_not_of("0123456789", same), text.size());
        return text.substr(same, end - same);
    };
    const std::string_view tail = first.substr(same + digits(first).size());
    return fmt::format("{}{{{}..{}}}{}", first.substr(0, same), digits(first), digits(last),
                       tail == "." ? std::string_view{} : tail);
}

std::string member_look(const Value& value) {
    if (value.is(Kind::kTensor)) return tensor_look(value.tensor());
    return std::string(kind_name(value.kind())) + " " + std::string(value.type());
}

/// The names of what a container holds; empty for what may not fold.
std::string container_look(const Value& value) {
    if (value.kind() < Kind::kList || value.is(Kind::kTensor) || value.is(Kind::kSet)) return {};
    const ChildList below(value);
    if (below.size() == 0) return {};
    std::string text = std::string(value.type()) + "{";
    for (std::size_t i = 0; i < below.size(); ++i) {
        if (i == kMostNamed) {
            // The rest counts as well, though it is not shown.
            return text + fmt::format(", ... {} in all}}", below.size());
        }
        text += (i == 0 ? "" : ", ") + shortened(below.at(i).component, kNameWidth);
    }
    return text + "}";
}

bool holds_scalars(const Value& value) {
    const ChildList below(value);
    for (std::size_t i = 0; i < below.size(); ++i) {
        if (below.at(i).value.kind() >= Kind::kList) return false;
    }
    return true;
}

/// Blocks in a row: how many, prefix and number of the last, and the first child behind it.
struct BlockRun {
    std::size_t count = 0;
    std::string prefix, number;
    std::size_t end = 0;
};
struct Blocks {
    BlockRun alike;             // those that are like the first, with its prefix
    BlockRun all;               // those of one family
    std::size_t first_end = 0;  // of the first block
};

/// The blocks of one family from child `at` on; none where a single one is larger than any network's. There may be a
/// hundred thousand: only the looks of the first and of the one at hand are kept.
Blocks blocks_from(const ChildList& children, std::size_t at) {
    Blocks blocks;
    const Child first_child = children.at(at);
    const BlockName first = block_name(first_child.component);
    const std::string kin = family(first.prefix);
    std::string first_look;
    std::string look;  // names and looks of the members of the block at hand
    bool is_alike = true;
    const auto close = [&] {
        if (blocks.all.count == 1) first_look = look;
        is_alike = is_alike && look == first_look && blocks.all.prefix == first.prefix;
        if (is_alike) blocks.alike = blocks.all;
        look.clear();
    };
    for (std::size_t i = at; i < children.size(); ++i) {
        const Child child = children.at(i);
        const BlockName name = block_name(child.component);
        if (!child.has_text_key || name.number.empty()) break;
        BlockRun& all = blocks.all;
        if (all.count == 0 || name.prefix != all.prefix || name.number != all.number) {
            if (name.prefix != first.prefix && family(name.prefix) != kin) break;
            if (all.count != 0) close();
            all.prefix = name.prefix;
            all.number = name.number;
            ++all.count;
        }
        look += name.rest;
        look += '\n';
        look += member_look(child.value);
        look += '\n';
        all.end = i + 1;
        if (all.count == 1) {
            if (i - at > kMostMembers) return {};
            blocks.first_end = all.end;
        }
    }
    close();
    return blocks;
}

}  // namespace

std::string shape_text(const TensorNode& tensor) {
    if (tensor.shape.empty()) return "scalar";
    std::string text;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        if (i == kMostSizes) return text + fmt::format(" x ... {} dimensions", tensor.shape.size());
        text += (i == 0 ? "" : " x ") + (tensor.shape[i] < 0 ? std::string("?") : std::to_string(tensor.shape[i]));
    }
    return text;
}

std::string tensor_look(const TensorNode& tensor) {
    std::string text = shape_text(tensor) + "  " + std::string(dtype_name(tensor.dtype));
    if (!tensor.layout.empty()) text += "  " + tensor.layout;
    if (!tensor.type.empty() && tensor.type != "torch.nn.parameter.Parameter") text += "  " + printable(tensor.type);
    return text;
}

Fold fold_blocks(const ChildList& children, std::size_t at, bool is_crowded) {
    Fold fold;
    fold.end = at;
    const Child first_child = children.at(at);
    const BlockName first = block_name(first_child.component);
    if (first.number.empty()) return fold;
    const Blocks blocks = blocks_from(children, at);
    const bool is_like = blocks.alike.count >= kFewestAlike;
    if (!is_like && (!is_crowded || blocks.all.count < 2)) return fold;
    const BlockRun& run = is_like ? blocks.alike : blocks.all;
    fold.blocks = run.count;
    if (run.end - at == fold.blocks && !is_crowded) return fold;  // one each: a run of siblings, if anything
    fold.end = run.end;
    fold.name = run.prefix != first.prefix ? spanned(first.prefix, run.prefix)
                                           : fmt::format("{}{{{}..{}}}", first.prefix, first.number, run.number);
    for (std::size_t i = at; is_like && i < blocks.first_end; ++i) {
        const Child child = children.at(i);
        fold.members.push_back({std::string(block_name(child.component).rest), child.value, true});
    }
    return fold;
}

Fold fold_siblings(const ChildList& children, std::size_t at, bool is_crowded) {
    Fold fold;
    fold.end = at;
    // Containers with names of their own are worth a line each where there is room, unless they hold mere scalars.
    const Child first = children.at(at);
    const bool is_named = !is_crowded && first.has_text_key && !first.value.is(Kind::kTensor) &&
                          first.component.find_first_not_of("0123456789") != std::string::npos &&
                          !holds_scalars(first.value);
    const std::string kin = family(first.component);
    const auto look_of = [](const Value& value) {
        if (value.is(Kind::kTensor)) return value.tensor().parts.empty() ? tensor_look(value.tensor()) : std::string{};
        return container_look(value);
    };
    const std::string look = look_of(first.value);
    if (look.empty()) return fold;
    std::size_t end = at + 1;
    for (; end < children.size(); ++end) {
        const Child child = children.at(end);
        if (look_of(child.value) != look || (is_named && family(child.component) != kin)) break;
    }
    if (end - at < kFewestSiblings) return fold;
    fold.end = end;
    fold.blocks = end - at;
    fold.look = look;
    fold.name =
        shortened(first.component, kNameWidth) + " ... " + shortened(children.at(end - 1).component, kNameWidth);
    return fold;
}

}  // namespace ckpt
