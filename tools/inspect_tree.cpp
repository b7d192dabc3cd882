// The tree: scalars in place, runs of like siblings folded.
#include "tools/inspect_tree.hpp"

#include <algorithm>
#include <map>

#include "libckpt/roles.hpp"
#include "libckpt/walk.hpp"
#include "tools/inspect_json.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kUsualDepth = 4;
constexpr std::size_t kMostSiblings = 200;  // of one container; more are counted
constexpr std::size_t kInlineItems = 6;

std::string shape_text(const TensorNode& tensor) {
    if (tensor.shape.empty()) return "scalar";
    std::string text;
    for (const auto size : tensor.shape)
        text += (text.empty() ? "" : " x ") + (size < 0 ? std::string("?") : std::to_string(size));
    return text;
}

std::string tensor_text(const TensorNode& tensor) {
    std::string text = shape_text(tensor) + "  " + std::string(dtype_name(tensor.dtype));
    if (!tensor.layout.empty()) text += "  " + tensor.layout;
    if (!tensor.type.empty() && tensor.type != "torch.nn.parameter.Parameter") text += "  " + printable(tensor.type);
    return text;
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
            return fmt::format("{}", value.as_double());
        case Kind::kComplex:
            return fmt::format("{}{:+}j", value.as_complex().real(), value.as_complex().imag());
        case Kind::kString:
            return "'" + shortened(value.as_string(), 60) + "'";
        case Kind::kBytes:
            return fmt::format("{} bytes", value.as_bytes().size());
        default:
            return {};
    }
}

bool is_scalar(const Value& value) {
    return value.kind() <= Kind::kBytes;
}

/// "[1, 2, 3]" for a short list of scalars; empty where it is none.
std::string inline_text(const Value& value) {
    if (!value.is(Kind::kList) && !value.is(Kind::kTuple) && !value.is(Kind::kSet)) return {};
    const auto& items = value.sequence().items;
    const char* brackets = value.is(Kind::kList) ? "[]" : value.is(Kind::kTuple) ? "()" : "{}";
    std::string text(1, brackets[0]);
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (!is_scalar(items[i])) return {};
        if (i == kInlineItems) {
            text += fmt::format(", ... {} in all", items.size());
            break;
        }
        text += (i == 0 ? "" : ", ") + scalar_text(items[i]);
    }
    return text + brackets[1];
}

std::string container_text(const Value& value) {
    std::string text;
    switch (value.kind()) {
        case Kind::kDict:
            text = fmt::format("{} entries", value.dict().entries.size());
            break;
        case Kind::kList:
            text = fmt::format("list of {}", value.sequence().items.size());
            break;
        case Kind::kTuple:
            text = fmt::format("tuple of {}", value.sequence().items.size());
            break;
        case Kind::kSet:
            text = fmt::format("set of {}", value.sequence().items.size());
            break;
        default:
            break;
    }
    const std::string type = printable(value.type());
    if (value.is(Kind::kObject)) {
        const auto* recipe = value.node()->recipe.get();
        text = recipe != nullptr && recipe->how == Recipe::How::kGlobal ? printable(recipe->callable) : type;
    } else if (!type.empty() && type != "collections.OrderedDict") {
        text += "  " + type;
    }
    return text;
}

/// What a role holds, for the summary.
struct RoleTotal {
    std::uint64_t tensors = 0, elements = 0, bytes = 0;
    std::map<std::string, std::uint64_t> dtypes;
};

class TreePrinter {
public:
    TreePrinter(Session& session, const Document& document, const TreeOptions& options)
        : session_(session),
          document_(document),
          roles_(classify_roles(document)),
          depth_(options.max_depth != 0 ? options.max_depth : kUsualDepth) {}

    void header(const std::string& file, std::uint64_t file_bytes, const Totals& totals) {
        std::string line = printable(file) + ": " + document_.format;
        if (!document_.producer.empty()) line += " (" + document_.producer + ")";
        if (!roles_.system.empty()) line += ", " + roles_.system;
        line += ", " + size_text(file_bytes) + "\n";
        line += fmt::format("{} tensors, {} parameters of the model, {} in storages", totals.tensors,
                            count_text(totals.parameters), size_text(totals.stored_bytes));
        if (totals.live_bytes < totals.stored_bytes)
            line += fmt::format(", of which {} are in use", size_text(totals.live_bytes));
        session_.write(line + "\n\n");
    }

    void roles() {
        std::map<Role, RoleTotal> totals;
        walk(document_.root, [&](const Visit& visit) {
            if (!visit.value.is(Kind::kTensor) || visit.same_as != nullptr) return WalkStep::kInto;
            auto& total = totals[roles_.role_of(visit.path)];
            const auto& tensor = visit.value.tensor();
            ++total.tensors;
            total.elements += tensor.element_count().value_or(0);
            total.bytes += tensor.logical_bytes().value_or(0);
            total.dtypes[std::string(dtype_name(tensor.dtype))] += tensor.logical_bytes().value_or(0);
            return WalkStep::kInto;
        });
        if (totals.empty()) return;
        Table table({{"ROLE", Table::Align::kLeft},
                     {"TENSORS", Table::Align::kRight},
                     {"ELEMENTS", Table::Align::kRight},
                     {"BYTES", Table::Align::kRight},
                     {"DTYPES", Table::Align::kLeft}});
        for (const auto& [role, total] : totals) {
            std::vector<std::pair<std::uint64_t, std::string>> order;
            for (const auto& [dtype, bytes] : total.dtypes) order.emplace_back(bytes, dtype);
            std::sort(order.rbegin(), order.rend());
            std::string dtypes;
            for (const auto& [bytes, dtype] : order) dtypes += (dtypes.empty() ? "" : ", ") + dtype;
            table.add({std::string(role_name(role)), std::to_string(total.tensors), count_text(total.elements),
                       size_text(total.bytes), dtypes});
        }
        session_.write(table.text() + "\n");
    }

    void tree() {
        if (is_scalar(document_.root)) {
            session_.print(scalar_text(document_.root));
            return;
        }
        if (document_.root.is(Kind::kTensor)) {
            session_.print(tensor_text(document_.root.tensor()));
            return;
        }
        std::vector<Level> stack;
        open(stack, document_.root);
        while (!stack.empty()) {
            session_.context().check_cancelled();
            Level& level = stack.back();
            if (level.next == level.lines.size()) {
                stack.pop_back();
                continue;
            }
            const Line& line = level.lines[level.next++];
            const std::string indent(2 * (stack.size() - 1), ' ');
            const std::size_t width = level.width;
            const std::string padding(width > display_width(line.name) ? width - display_width(line.name) : 0, ' ');
            session_.write(indent + paint(line.name, stack.size() == 1) +
                           (line.text.empty() ? "" : padding + "  " + line.text) + "\n");
            if (line.enter.is_null()) continue;
            const Value enter = line.enter;
            if (stack.size() < depth_) open(stack, enter);
        }
    }

private:
    struct Line {
        std::string name;
        std::string text;
        Value enter;  // container to show below, or null
    };
    struct Level {
        std::vector<Line> lines;
        std::size_t next = 0;
        std::size_t width = 0;
    };

    std::string paint(const std::string& name, bool is_top) const {
        return session_.has_colour() && is_top ? "\x1b[1m" + name + "\x1b[0m" : name;
    }

    void open(std::vector<Level>& stack, const Value& value) {
        if (value.node() != nullptr) seen_.insert({value.node(), 1});
        Level level;
        const auto below = children(value);
        for (std::size_t i = 0; i < below.size();) {
            if (level.lines.size() >= kMostSiblings) {
                level.lines.push_back({fmt::format("... {} more", below.size() - i), "", {}});
                break;
            }
            i = add_line(level, below, i);
        }
        for (const auto& line : level.lines)
            level.width = std::max(level.width, std::min<std::size_t>(display_width(line.name), 40));
        stack.push_back(std::move(level));
    }

    /// One child, or a run of numbered children that all look alike; returns the index behind it.
    std::size_t add_line(Level& level, const std::vector<Child>& below, std::size_t i) {
        const Value& value = below[i].value;
        const std::string look = looks(value);
        std::size_t end = i + 1;
        while (end < below.size() && looks(below[end].value) == look && !look.empty()) ++end;
        if (end - i > 3) {
            level.lines.push_back(
                {shortened(below[i].component, 40) + " ... " + shortened(below[end - 1].component, 40),
                 fmt::format("{} of  {}", end - i, look),
                 {}});
            return end;
        }
        level.lines.push_back(line_for(below[i]));
        return i + 1;
    }

    /// Equal for siblings that may share a line; empty for those that may not.
    static std::string looks(const Value& value) {
        if (value.is(Kind::kTensor) && value.tensor().parts.empty()) return tensor_text(value.tensor());
        return {};
    }

    Line line_for(const Child& child) {
        Line line{shortened(child.component, 60), "", {}};
        const Value& value = child.value;
        if (is_scalar(value)) {
            line.text = scalar_text(value);
            if (!value.type().empty()) line.text += "  " + printable(value.type());
        } else if (value.is(Kind::kTensor)) {
            line.text = tensor_text(value.tensor());
            if (!value.tensor().parts.empty()) line.enter = value;
        } else if (const std::string text = inline_text(value); !text.empty()) {
            line.text = text;
        } else {
            line.text = container_text(value);
            if (value.node() != nullptr && seen_.count(value.node()) != 0) {
                line.text += "  (shown above)";
            } else {
                line.enter = value;
            }
        }
        return line;
    }

    Session& session_;
    const Document& document_;
    Roles roles_;
    std::size_t depth_;
    std::map<const Node*, int> seen_;
};

}  // namespace

void print_inspect_tree(Session& session, const Document& document, const std::string& file, std::uint64_t file_bytes,
                        const TreeOptions& options) {
    TreePrinter printer(session, document, options);
    printer.header(file, file_bytes, count_totals(document));
    printer.roles();
    printer.tree();
}

void print_tensors(Session& session, const Document& document) {
    Table table({{"TENSOR", Table::Align::kLeft},
                 {"DTYPE", Table::Align::kLeft},
                 {"SHAPE", Table::Align::kLeft},
                 {"BYTES", Table::Align::kRight}});
    walk(document.root, [&](const Visit& visit) {
        if (!visit.value.is(Kind::kTensor)) return WalkStep::kInto;
        const auto& tensor = visit.value.tensor();
        table.add({printable(visit.path), std::string(dtype_name(tensor.dtype)), shape_text(tensor),
                   visit.same_as != nullptr ? "= " + printable(*visit.same_as)
                                            : std::to_string(tensor.logical_bytes().value_or(0))});
        return WalkStep::kInto;
    });
    session.write(table.text());
}

}  // namespace ckpt
