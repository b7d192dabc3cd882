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
    const auto below = children(value);
    if (below.empty()) return {};
    std::string text = std::string(value.type()) + "{";
    for (std::size_t i = 0; i < below.size(); ++i) {
        if (i == kMostNamed) {
            // The rest counts as well, though it is not shown.
            return text + fmt::format(", ... {} in all}}", below.size());
        }
        text += (i == 0 ? "" : ", ") + shortened(below[i].component, kNameWidth);
    }
    return text + "}";
}

bool holds_scalars(const Value& value) {
    const auto below = children(value);
    return std::all_of(below.begin(), below.end(), [](const Child& child) { return child.value.kind() < Kind::kList; });
}

struct Block {
    BlockName name;
    std::string look;     // names and looks of its members
    std::size_t end = 0;  // the first child behind it
};

/// The blocks of one family from child `at` on; none where a single one is larger than any network's.
std::vector<Block> blocks_from(const std::vector<Child>& children, std::size_t at) {
    std::vector<Block> blocks;
    const std::string kin = family(block_name(children[at].component).prefix);
    for (std::size_t i = at; i < children.size() && children[i].has_text_key; ++i) {
        const BlockName name = block_name(children[i].component);
        if (name.number.empty()) break;
        const bool is_next =
            blocks.empty() || name.prefix != blocks.back().name.prefix || name.number != blocks.back().name.number;
        if (is_next) {
            if (family(name.prefix) != kin) break;
            blocks.push_back({name, "", i});
        }
        blocks.back().look += std::string(name.rest) + "\n" + member_look(children[i].value) + "\n";
        blocks.back().end = i + 1;
        if (blocks.size() == 1 && i - at > kMostMembers) return {};
    }
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

Fold fold_blocks(const std::vector<Child>& children, std::size_t at, bool is_crowded) {
    Fold fold;
    fold.end = at;
    const BlockName first = block_name(children[at].component);
    if (first.number.empty()) return fold;
    const std::vector<Block> blocks = blocks_from(children, at);
    const auto alike = static_cast<std::size_t>(std::find_if(blocks.begin(), blocks.end(),
                                                             [&](const Block& block) {
                                                                 return block.look != blocks.front().look ||
                                                                        block.name.prefix != first.prefix;
                                                             }) -
                                                blocks.begin());
    const bool is_like = alike >= kFewestAlike;
    if (!is_like && (!is_crowded || blocks.size() < 2)) return fold;
    fold.blocks = is_like ? alike : blocks.size();
    const Block& last = blocks[fold.blocks - 1];
    if (last.end - at == fold.blocks && !is_crowded) return fold;  // one each: a run of siblings, if anything
    fold.end = last.end;
    fold.name = last.name.prefix != first.prefix
                    ? spanned(first.prefix, last.name.prefix)
                    : fmt::format("{}{{{}..{}}}", first.prefix, first.number, last.name.number);
    for (std::size_t i = at; is_like && i < blocks.front().end; ++i)
        fold.members.push_back({std::string(block_name(children[i].component).rest), children[i].value, true});
    return fold;
}

Fold fold_siblings(const std::vector<Child>& children, std::size_t at, bool is_crowded) {
    Fold fold;
    fold.end = at;
    // Containers with names of their own are worth a line each where there is room, unless they hold mere scalars.
    const Child& first = children[at];
    const bool is_named = !is_crowded && first.has_text_key && !first.value.is(Kind::kTensor) &&
                          first.component.find_first_not_of("0123456789") != std::string::npos &&
                          !holds_scalars(first.value);
    const std::string kin = family(first.component);
    const auto look_of = [](const Value& value) {
        if (value.is(Kind::kTensor)) return value.tensor().parts.empty() ? tensor_look(value.tensor()) : std::string{};
        return container_look(value);
    };
    const std::string look = look_of(children[at].value);
    if (look.empty()) return fold;
    std::size_t end = at + 1;
    while (end < children.size() && look_of(children[end].value) == look &&
           (!is_named || family(children[end].component) == kin)) {
        ++end;
    }
    if (end - at < kFewestSiblings) return fold;
    fold.end = end;
    fold.blocks = end - at;
    fold.look = look;
    fold.name =
        shortened(children[at].component, kNameWidth) + " ... " + shortened(children[end - 1].component, kNameWidth);
    return fold;
}

}  // namespace ckpt
