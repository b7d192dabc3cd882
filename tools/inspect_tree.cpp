// The tree: roles with their totals, scalars in place, like siblings in one line.
#include "tools/inspect_tree.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "libckpt/path.hpp"
#include "libckpt/roles.hpp"
#include "libckpt/statistics.hpp"
#include "libckpt/walk.hpp"
#include "tools/inspect_chunks.hpp"
#include "tools/inspect_fold.hpp"
#include "tools/inspect_json.hpp"
#include "tools/inspect_search.hpp"
#include "tools/node_attributes.hpp"
#include "tools/text.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kUsualDepth = 4;
constexpr std::size_t kMostSiblings = 200;  // lines of one container; more are counted
constexpr std::size_t kCrowd = 40;          // children from which blocks fold even where they differ
constexpr std::size_t kInlineItems = 6;
constexpr std::size_t kMostScalars = 100;  // of a paragraph
constexpr std::size_t kLineWidth = 100;
constexpr std::size_t kNameWidth = 40;
constexpr std::size_t kAttributeWidth = 30;    // of a text
constexpr std::size_t kAttributesWidth = 100;  // of all that hang on a node

std::string text_of_string(std::string_view text, std::size_t width) {
    return "'" + shortened(text, width) + "'";
}

std::string scalar_text(const Value& value, std::size_t width = 60) {
    switch (value.kind()) {
        case Kind::kNull:
            return "None";
        case Kind::kBool:
            return value.as_bool() ? "true" : "false";
        case Kind::kInt:
            return shortened(value.integer_text(), width);
        case Kind::kFloat:
            return fmt::format("{}", value.as_double());
        case Kind::kComplex:
            return fmt::format("{}{:+}j", value.as_complex().real(), value.as_complex().imag());
        case Kind::kString:
            return text_of_string(value.as_string(), width);
        case Kind::kBytes:
            return fmt::format("{} bytes", value.as_bytes().size());
        default:
            return {};
    }
}

bool is_scalar(const Value& value) {
    return value.kind() <= Kind::kBytes;
}
bool is_sequence(const Value& value) {
    return value.is(Kind::kList) || value.is(Kind::kTuple) || value.is(Kind::kSet);
}

/// "[1, 2, 3]" for a list of scalars; empty where it is none.
std::string flat_text(const Value& value) {
    const auto& items = value.sequence().items;
    const char* brackets = value.is(Kind::kList) ? "[]" : value.is(Kind::kTuple) ? "()" : "{}";
    std::string text(1, brackets[0]);
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (!is_scalar(items[i])) return {};
        if (i == kInlineItems) {
            text += fmt::format(", ... {} in all", items.size());
            break;
        }
        // Of many numbers one wants the gist.
        text += i == 0 ? "" : ", ";
        text += items[i].is(Kind::kFloat) && items.size() > kInlineItems ? fmt::format("{:.6g}", items[i].as_double())
                                                                         : scalar_text(items[i], 30);
    }
    return text + brackets[1];
}

/// The same, also for a list of such lists: "[[97.2, 88.1], [98], ... 5 in all]".
std::string inline_text(const Value& value) {
    if (!is_sequence(value)) return {};
    if (const std::string flat = flat_text(value); !flat.empty()) return flat;
    const auto& items = value.sequence().items;
    std::string text = value.is(Kind::kTuple) ? "(" : "[";
    constexpr std::size_t kInner = 3;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::string inner = is_sequence(items[i]) ? flat_text(items[i]) : std::string{};
        if (inner.empty()) return {};
        if (i < kInner) text += (i == 0 ? "" : ", ") + inner;
    }
    if (items.size() > kInner) text += fmt::format(", ... {} in all", items.size());
    return text + (value.is(Kind::kTuple) ? ")" : "]");
}

/// The text of what fits in place, a scalar or a short list; empty for what does not.
std::string plain_text(const Value& value) {
    if (!is_scalar(value)) return inline_text(value);
    const std::string type = printable(value.type());
    return scalar_text(value) + (type.empty() ? "" : "  " + type);
}

std::string container_text(const Value& value) {
    const std::string type = printable(value.type());
    switch (value.kind()) {
        case Kind::kDict: {
            const std::size_t count = value.dict().entries.size();
            const std::string text = fmt::format("{} {}", count, count == 1 ? "entry" : "entries");
            return type.empty() || type == "collections.OrderedDict" ? text : text + "  " + type;
        }
        case Kind::kList:
        case Kind::kTuple:
        case Kind::kSet: {
            const std::string text = fmt::format("{} of {}", kind_name(value.kind()), value.sequence().items.size());
            return type.empty() ? text : text + "  " + type;
        }
        case Kind::kObject: {
            const auto* recipe = value.node()->recipe.get();
            return recipe != nullptr && recipe->how == Recipe::How::kGlobal ? printable(recipe->callable) : type;
        }
        default:
            return {};
    }
}

/// Tensors below a value: how many, how large (tied ones once), of which dtypes.
struct Holdings {
    std::uint64_t tensors = 0, elements = 0, bytes = 0;
    std::vector<std::pair<DType, std::uint64_t>> dtypes;  // bytes of each
    TiedTensors tied;

    void add(const TensorNode& tensor) {
        ++tensors;
        if (!tied.is_new(tensor)) return;
        const std::uint64_t size = tensor.logical_bytes().value_or(0);
        elements += tensor.element_count().value_or(0);
        bytes += size;
        const auto known =
            std::find_if(dtypes.begin(), dtypes.end(), [&](const auto& entry) { return entry.first == tensor.dtype; });
        if (known != dtypes.end()) {
            known->second += size;
        } else {
            dtypes.emplace_back(tensor.dtype, size);
        }
    }
    /// The names of the dtypes, most bytes first.
    std::vector<std::string> by_bytes() const {
        std::vector<std::pair<std::uint64_t, std::string>> order;
        for (const auto& [dtype, size] : dtypes) order.emplace_back(size, std::string(dtype_name(dtype)));
        std::sort(order.rbegin(), order.rend());
        std::vector<std::string> names;
        for (const auto& entry : order) names.push_back(entry.second);
        return names;
    }
    std::string usual_dtype() const {
        const auto names = by_bytes();
        return names.empty() ? "" : names.front();
    }
    std::string dtype_text() const {
        constexpr std::size_t kMostNames = 4;
        const auto names = by_bytes();
        std::string text;
        for (std::size_t i = 0; i < names.size() && i < kMostNames; ++i) text += (i == 0 ? "" : ", ") + names[i];
        return names.size() > kMostNames ? text + fmt::format(", ... {} dtypes", names.size()) : text;
    }
};

class TreePrinter {
public:
    TreePrinter(Session& session, const Document& document, const TreeOptions& options)
        : session_(session),
          document_(document),
          roles_(classify_roles(document)),
          depth_(options.max_depth != 0 ? options.max_depth : kUsualDepth) {
        survey();
    }

    void header(const std::string& file, std::uint64_t file_bytes, const Totals& totals) {
        std::string line = printable(file) + ": " + document_.format;
        if (!document_.producer.empty()) line += " (" + document_.producer + ")";
        if (!roles_.system.empty()) line += ", " + roles_.system;
        line += ", " + size_text(file_bytes) + "\n";
        line += fmt::format("{} tensor{}", totals.tensors, totals.tensors == 1 ? "" : "s");
        if (totals.tensors > 0) line += " (" + whole_.dtype_text() + ")";
        if (totals.parameters > 0) line += fmt::format(", {} parameters of the model", count_text(totals.parameters));
        const std::string stored = size_text(totals.stored_bytes);
        const std::string live = size_text(totals.live_bytes);
        if (totals.tensors > 0) line += ", " + stored + " in storages";
        if (live != stored) line += ", of which " + live + " are in use";
        line += "\n";
        if (const ChunkIndex chunks(document_); !chunks.empty()) line += chunks.text() + "\n";
        if (const auto search = summarize_search(document_.root)) {
            for (const auto& text : search_lines(*search)) line += text + "\n";
        }
        if (const auto calibration = summarize_calibration(document_.root)) {
            for (const auto& text : calibration_lines(*calibration)) line += text + "\n";
        }
        if (const RunFacts run = run_facts_of(document_); !run.is_empty()) line += run_line(run) + "\n";
        if (const auto trainer = summarize_trainer(document_.root)) {
            for (const auto& text : trainer_lines(*trainer)) line += text + "\n";
        }
        session_.write(line);
        if (const std::string text = metadata_text(); !text.empty()) write_dimmed(text + "\n");
        session_.write("\n");
    }

    /// Names that stand for others, behind the entries of the root.
    void aliases() {
        for (const auto& [name, target] : document_.aliases)
            write_dimmed(printable(escape_key(name)) + "  = " + printable(escape_key(target)) + "\n");
    }

    void tree() {
        const Value& root = document_.root;
        if (is_scalar(root)) return session_.print(scalar_text(root));
        if (root.is(Kind::kTensor) && root.tensor().parts.empty()) return session_.print(tensor_look(root.tensor()));
        std::vector<Level> stack;
        met_at(root, "(the whole)");
        if (const std::string attributes = attributes_text(root); !attributes.empty()) write_dimmed(attributes + "\n");
        open(stack, ChildList(root), "", roles_.whole_is_model ? whole_.usual_dtype() : "");
        while (!stack.empty()) {
            session_.context().check_cancelled();
            Level& level = stack.back();
            if (level.next == level.lines.size()) {
                stack.pop_back();
                continue;
            }
            const Line line = std::move(level.lines[level.next++]);
            write_line(line, level.width, stack.size() - 1);
            if (stack.size() >= depth_) continue;
            if (!line.members.empty()) {
                open(stack, ChildList(line.members), line.path, line.dtype);
            } else if (!line.enter.is_null()) {
                open(stack, ChildList(line.enter), line.path, line.dtype);
            }
        }
    }

    /// Storages of which tensors see but a part: saving them again keeps the rest.
    void hints(const std::vector<KeptStorage>& kept) {
        if (kept.empty()) return;
        std::uint64_t stored = 0, live = 0;
        for (const auto& one : kept) {
            stored += one.stored_bytes;
            live += one.live_bytes;
        }
        session_.write(kept.size() == 1
                           ? fmt::format("\n1 storage of {} is kept alive by a view of {} ({})\n", size_text(stored),
                                         size_text(live), printable(kept.front().path))
                           : fmt::format("\n{} storages of {} are kept alive by views of {} ({}, ...)\n", kept.size(),
                                         size_text(stored), size_text(live), printable(kept.front().path)));
    }

private:
    struct Line {
        std::string name;
        std::string text;
        std::string path;            // of what stands here
        std::string dtype;           // the usual one below it, which is not repeated
        Value enter;                 // whose children to show below, or null
        std::vector<Child> members;  // or what to show there in place of them
        std::string attributes;      // dimmed, behind the text
    };
    struct Level {
        std::vector<Line> lines;
        std::string path, dtype;
        std::size_t next = 0;
        std::size_t width = 0;
    };

    /// What each part of the document holds.
    void survey() {
        Holdings* part = nullptr;
        walk_where_it_stands(document_.root, [&](const Visit& visit) {
            const bool is_tensor = visit.value.is(Kind::kTensor);
            if (visit.depth == 1) {  // there may be millions of others
                part = is_tensor || is_scalar(visit.value) ? nullptr : &parts_[visit.component];
            }
            if (!is_tensor || visit.same_as != nullptr) return WalkStep::kInto;
            whole_.add(visit.value.tensor());
            if (part != nullptr) part->add(visit.value.tensor());
            return WalkStep::kInto;
        });
        for (const auto& [name, part_held] : parts_) {
            if (part_held.tensors == 0) continue;
            what_width_ = std::max(what_width_, display_width(what_text(name, part_held)));
            dtype_width_ = std::max(dtype_width_, display_width(part_held.dtype_text()));
        }
    }

    /// "model, 11.2 M parameters": the role only where the name does not say it.
    std::string what_text(const std::string& part, const Holdings& holdings) const {
        const Role role = roles_.role_of(part);
        const std::string_view name = role_name(role);
        std::string text = role == Role::kOther || name == part ? "" : std::string(name) + ", ";
        if (role == Role::kModel && roles_.model_is_averaged) text += "averaged, ";
        text += fmt::format("{} tensor{}, ", holdings.tensors, holdings.tensors == 1 ? "" : "s");
        return text + count_text(holdings.elements) + (role == Role::kModel ? " parameters" : " elements");
    }

    std::string part_text(const std::string& part, const Holdings& holdings) const {
        const std::string what = what_text(part, holdings);
        const std::string dtypes = holdings.dtype_text();
        const auto gap = [](std::size_t width, std::size_t used) {
            return std::string(width > used ? width - used : 0, ' ');
        };
        return what + gap(what_width_, display_width(what)) + "  " + dtypes + gap(dtype_width_, display_width(dtypes)) +
               fmt::format("  {:>8}", size_text(holdings.bytes));
    }

    void write_line(const Line& line, std::size_t width, std::size_t indent) {
        const std::size_t used = display_width(line.name);
        std::string text(2 * indent, ' ');
        const bool is_bold = session_.has_colour() && indent == 0 && !line.name.empty();
        text += is_bold ? "\x1b[1m" + line.name + "\x1b[0m" : line.name;
        if (!line.text.empty()) {
            if (!line.name.empty()) text += std::string(width > used ? width - used : 0, ' ') + "  ";
            text += line.text;
        }
        if (line.attributes.empty()) return session_.write(text + "\n");
        session_.write(text + "  ");
        write_dimmed(line.attributes + "\n");
    }

    void write_dimmed(const std::string& text) {
        session_.write(session_.has_colour() ? "\x1b[2m" + text + "\x1b[0m" : text);
    }

    /// "@metadata format 'pt'": texts that the file's writer gave it as a whole.
    std::string metadata_text() const {
        for (const auto& [name, value] : document_.attributes) {
            if (!name.ends_with(":metadata") || !value.is(Kind::kDict) || value.dict().entries.empty()) continue;
            std::string text = "@metadata";
            std::size_t shown = 0;
            for (const auto& [key, item] : value.dict().entries) {
                const std::string next = (shown == 0 ? " " : ", ") + shortened(key_text(key), kNameWidth) + " " +
                                         (is_scalar(item) ? scalar_text(item, kAttributeWidth) : container_text(item));
                if (shown > 0 && display_width(text) + display_width(next) > kAttributesWidth)
                    return text + fmt::format(", ... {} more", value.dict().entries.size() - shown);
                text += next;
                ++shown;
            }
            return text;
        }
        return {};
    }

    /// "@units 'm', @scale 0.5": what the file's writer hung on a node, as far as a line has room.
    std::string attributes_text(const Value& value) const {
        std::string text;
        const auto attributes = node_attributes(session_.registry(), value);
        for (std::size_t i = 0; i < attributes.size(); ++i) {
            const Value& held = attributes[i].value;
            std::string item = is_scalar(held)              ? scalar_text(held, kAttributeWidth)
                               : held.is(Kind::kTensor)     ? tensor_look(held.tensor())
                               : !inline_text(held).empty() ? inline_text(held)
                                                            : container_text(held);
            item = shortened(attributes[i].component, kNameWidth) + " " + shortened(item, kAttributesWidth / 2);
            if (!text.empty() && display_width(text) + display_width(item) > kAttributesWidth)
                return text + fmt::format(", ... {} more", attributes.size() - i);
            text += (text.empty() ? "" : ", ") + item;
        }
        return text;
    }
    bool has_attributes(const Value& value) const { return !node_attributes(session_.registry(), value).empty(); }

    void open(std::vector<Level>& stack, const ChildList& below, const std::string& path, const std::string& dtype) {
        Level level;
        level.path = path.empty() ? "" : path + "/";
        level.dtype = dtype;
        const std::size_t indent = stack.size();
        bool is_paragraph = indent > 0 && below.size() > 1;
        for (std::size_t i = 0; is_paragraph && i < below.size(); ++i) {
            const Value value = below.at(i).value;
            is_paragraph = !plain_text(value).empty() && !has_attributes(value);
        }
        if (is_paragraph) {
            for (auto& line : paragraph(below, kLineWidth - 2 * std::min<std::size_t>(indent, 20)))
                level.lines.push_back({"", std::move(line), "", "", {}, {}, ""});
        }
        for (std::size_t i = 0; !is_paragraph && i < below.size();) {
            if (level.lines.size() >= kMostSiblings) {
                level.lines.push_back({fmt::format("... {} more", below.size() - i), "", "", "", {}, {}, ""});
                break;
            }
            i = add_line(level, below, i, indent);
        }
        for (const auto& line : level.lines)
            level.width = std::max(level.width, std::min<std::size_t>(display_width(line.name), kNameWidth));
        stack.push_back(std::move(level));
    }

    /// "lr 0.03, momentum 0.9, ..." in lines of at most `width`.
    static std::vector<std::string> paragraph(const ChildList& below, std::size_t width) {
        std::vector<std::string> lines(1);
        for (std::size_t i = 0; i < below.size(); ++i) {
            std::string item = i == kMostScalars
                                   ? fmt::format("... {} more", below.size() - i)
                                   : shortened(below.at(i).component, kNameWidth) + " " + plain_text(below.at(i).value);
            const bool is_last = i == kMostScalars || i + 1 == below.size();
            if (!is_last) item += ",";
            if (!lines.back().empty() && display_width(lines.back()) + 1 + display_width(item) > width)
                lines.emplace_back();
            lines.back() += (lines.back().empty() ? "" : " ") + item;
            if (i == kMostScalars) break;
        }
        return lines;
    }

    /// One child, or several that share a line; returns the index behind them.
    std::size_t add_line(Level& level, const ChildList& below, std::size_t i, std::size_t indent) {
        Fold fold = fold_blocks(below, i, below.size() > kCrowd);
        const bool is_block = fold.end != i;
        if (!is_block) fold = fold_siblings(below, i, below.size() > kCrowd);
        if (fold.end == i) {
            level.lines.push_back(line_for(below.at(i), level, indent));
            return i + 1;
        }
        Holdings holdings;
        for (std::size_t k = i; k < fold.end; ++k) count_below(below.at(k).value, holdings);
        const bool is_like = !fold.members.empty();
        Line line{fold.name, "", level.path + fold.name, level.dtype, {}, std::move(fold.members), ""};
        const Value first = below.at(i).value;
        if (!is_block && first.is(Kind::kTensor)) {
            line.text = fmt::format("{} tensors of {}", fold.blocks, without(tensor_look(first.tensor()), level.dtype));
        } else {
            line.text = is_block ? fmt::format("{} {}blocks", fold.blocks, is_like ? "like " : "")
                                 : fmt::format("{} of {}", fold.blocks, fold.look);
            if (holdings.tensors > 0)
                line.text += fmt::format(", {} tensors, {}", holdings.tensors, count_text(holdings.elements));
        }
        level.lines.push_back(std::move(line));
        return fold.end;
    }

    static void count_below(const Value& value, Holdings& holdings) {
        if (value.is(Kind::kTensor) && value.tensor().parts.empty() && value.tensor().dict.is_null())
            return holdings.add(value.tensor());
        walk(value, [&](const Visit& visit) {
            if (visit.value.is(Kind::kTensor) && visit.same_as == nullptr) holdings.add(visit.value.tensor());
            return WalkStep::kInto;
        });
    }

    /// A tensor's look without the dtype that all have there.
    static std::string without(const std::string& look, const std::string& dtype) {
        const std::string part = "  " + dtype;
        const std::size_t at = dtype.empty() ? std::string::npos : look.find(part);
        const bool whole =
            at != std::string::npos && (at + part.size() == look.size() || look[at + part.size()] == ' ');
        return whole ? look.substr(0, at) + look.substr(at + part.size()) : look;
    }

    Line line_for(Child child, const Level& level, std::size_t indent) {
        Line line{shortened(child.component, 60), "", level.path + printable(child.component), level.dtype, {}, {}, ""};
        const auto part = indent == 0 ? parts_.find(child.component) : parts_.end();
        const bool is_part = part != parts_.end() && part->second.tensors > 0;
        if (!is_part) join_only_children(line, child);
        const Value& value = child.value;
        if (const std::string plain = plain_text(value); !plain.empty()) {
            line.text = plain;
        } else if (value.is(Kind::kTensor)) {
            line.text = without(tensor_look(value.tensor()), level.dtype);
            if (!value.tensor().parts.empty()) line.enter = value;
            add_tie(line, value.tensor());
        } else if (const std::string* same = met_at(value, line.path); same != nullptr) {
            line.text = container_text(value) + "  = " + *same;
        } else if (is_part) {
            line.enter = value;
            line.dtype = part->second.usual_dtype();
            line.text = part_text(child.component, part->second);
            if (!value.type().empty() && value.type() != "collections.OrderedDict")
                line.text += "  " + container_text(value);
        } else {
            line.enter = value;
            line.text = container_text(value);
            fit_in_line(line, indent);
        }
        line.attributes = attributes_text(value);
        return line;
    }

    /// A container of nothing but a container adds that one's name to its own: param_groups/0.
    void join_only_children(Line& line, Child& child) {
        constexpr std::size_t kMostJoined = 3;
        const auto is_plain_container = [](const Value& value) {
            return value.is(Kind::kDict) || value.is(Kind::kList) || value.is(Kind::kTuple);
        };
        for (std::size_t joined = 0; joined < kMostJoined && is_plain_container(child.value); ++joined) {
            if (met_.count(child.value.node()) != 0) return;
            const ChildList below(child.value);
            if (below.size() != 1) return;
            Child only = below.at(0);
            if (!plain_text(only.value).empty() || only.value.is(Kind::kTensor)) return;
            if (has_attributes(child.value)) return;
            met_.emplace(child.value.node(), line.path);
            line.name += "/" + shortened(only.component, 60);
            line.path += "/" + printable(only.component);
            child = std::move(only);
        }
    }

    /// The path at which a node was met before, or nullptr.
    const std::string* met_at(const Value& value, const std::string& path) {
        if (value.node() == nullptr) return nullptr;
        const auto [first, is_new] = met_.try_emplace(value.node(), path);
        return is_new ? nullptr : &first->second;
    }

    /// A few scalars stand behind the name of what holds them, in place of their count.
    void fit_in_line(Line& line, std::size_t indent) {
        const ChildList below(line.enter);
        if (below.size() == 0) line.enter = {};
        if (below.size() == 0 || below.size() > kMostScalars) return;
        for (std::size_t i = 0; i < below.size(); ++i) {
            const Value value = below.at(i).value;
            if (plain_text(value).empty() || has_attributes(value)) return;
        }
        const std::string type = printable(line.enter.type());
        const bool is_named = !type.empty() && type != "collections.OrderedDict";
        const auto lines = paragraph(below, kLineWidth);
        const std::string text = (is_named ? type + ": " : "") + lines[0];
        if (lines.size() > 1 || 2 * indent + display_width(line.name) + 2 + display_width(text) > kLineWidth) return;
        line.text = text;
        line.enter = {};
    }

    /// Says of a tensor over the same elements as one shown before which one that is.
    void add_tie(Line& line, const TensorNode& tensor) {
        if (!tensor.storage || tensor.element_count().value_or(0) == 0) return;
        const auto [first, is_new] =
            tied_.try_emplace({tensor.storage.get(), tensor.offset, tensor.shape, tensor.stride}, line.path);
        if (!is_new) line.text += "  = " + first->second;
    }

    using Elements = std::tuple<const Storage*, std::int64_t, std::vector<std::int64_t>, std::vector<std::int64_t>>;

    Session& session_;
    const Document& document_;
    Roles roles_;
    std::size_t depth_;
    Holdings whole_;
    std::unordered_map<std::string, Holdings> parts_;  // the containers below the root, by component
    std::size_t what_width_ = 0, dtype_width_ = 0;
    std::unordered_map<const Node*, std::string> met_;
    std::map<Elements, std::string> tied_;
};

}  // namespace

void print_inspect_tree(Session& session, const Document& document, const std::string& file, std::uint64_t file_bytes,
                        const TreeOptions& options) {
    TreePrinter printer(session, document, options);
    std::vector<KeptStorage> kept;
    printer.header(file, file_bytes, count_totals(document, &kept));
    printer.tree();
    printer.aliases();
    printer.hints(kept);
}

void print_tensors(Session& session, const Document& document) {
    const ChunkIndex chunks(document);
    std::vector<Table::Column> columns = {{"TENSOR", Table::Align::kLeft},
                                          {"DTYPE", Table::Align::kLeft},
                                          {"SHAPE", Table::Align::kLeft},
                                          {"BYTES", Table::Align::kRight}};
    if (!chunks.empty()) columns.push_back({"CHUNKS", Table::Align::kRight});
    Table table(columns);
    walk_where_it_stands(document.root, [&](const Visit& visit) {
        if (!visit.value.is(Kind::kTensor)) return WalkStep::kInto;
        const auto& tensor = visit.value.tensor();
        std::vector<std::string> cells = {
            printable(visit.path), std::string(dtype_name(tensor.dtype)), shape_text(tensor),
            visit.same_as != nullptr ? "= " + printable(*visit.same_as)
                                     : std::to_string(tensor.logical_bytes().value_or(0))};
        if (!chunks.empty()) {
            const Value* list = chunks.find(visit.path);
            cells.push_back(list != nullptr ? std::to_string(list->sequence().items.size()) : "");
        }
        table.add(std::move(cells));
        return WalkStep::kInto;
    });
    for (const auto& [name, target] : document.aliases) {
        const Value* value = document.root.dict().find(target);
        if (value == nullptr || !value->is(Kind::kTensor)) continue;
        table.add({printable(escape_key(name)), std::string(dtype_name(value->tensor().dtype)),
                   shape_text(value->tensor()), "= " + printable(escape_key(target))});
    }
    session.write(table.text());
}

namespace {

/// Bars one character wide, by their height. Whatever is there at all is seen.
std::string bars_text(const TensorHistogram& histogram) {
    static constexpr std::string_view kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    std::uint64_t most = 1;
    for (const std::uint64_t count : histogram.counts) most = std::max(most, count);
    std::string text;
    for (const std::uint64_t count : histogram.counts) {
        const double height = static_cast<double>(count) / static_cast<double>(most) * 8;
        text += kBars[count == 0 ? 0 : std::max(1, static_cast<int>(std::lround(height)))];
    }
    return text;
}

}  // namespace

std::vector<Error> print_statistics(Session& session, const Document& document, std::uint64_t max_bytes,
                                    std::size_t bars) {
    Table table({{"TENSOR", Table::Align::kLeft},
                 {"DTYPE", Table::Align::kLeft},
                 {"SHAPE", Table::Align::kLeft},
                 {"MIN", Table::Align::kRight},
                 {"MAX", Table::Align::kRight},
                 {"MEAN", Table::Align::kRight},
                 {"STD", Table::Align::kRight},
                 {"NORM", Table::Align::kRight},
                 {"NAN", Table::Align::kRight},
                 {"INF", Table::Align::kRight},
                 {"ZEROS", Table::Align::kRight},
                 {"MIN TO MAX", Table::Align::kLeft}});
    std::vector<Error> damage;
    std::uint64_t read_bytes = 0;
    const auto number = [](const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : "-"; };
    const auto count = [](std::uint64_t value) { return value == 0 ? std::string() : std::to_string(value); };
    walk_where_it_stands(document.root, [&](const Visit& visit) {
        if (!visit.value.is(Kind::kTensor)) return WalkStep::kInto;
        const TensorNode& tensor = visit.value.tensor();
        std::vector<std::string> cells = {printable(visit.path), std::string(dtype_name(tensor.dtype)),
                                          shape_text(tensor)};
        const std::uint64_t bytes = tensor.logical_bytes().value_or(0);
        if (visit.same_as != nullptr) {
            cells.push_back("= " + printable(*visit.same_as));
        } else if (tensor.storage == nullptr) {
            cells.emplace_back("-");
        } else if (bytes > max_bytes - read_bytes) {
            cells.emplace_back("not read: --allow-huge");
        } else {
            read_bytes += bytes;
            try {
                const TensorStatistics found = statistics_of(tensor, session.context());
                for (const auto& value : {found.least, found.greatest, found.mean, found.deviation, found.norm})
                    cells.push_back(number(value));
                for (const std::uint64_t value : {found.nan, found.infinite, found.zeros})
                    cells.push_back(count(value));
                if (bars != 0) cells.push_back("|" + bars_text(histogram_of(tensor, bars, session.context())) + "|");
            } catch (const Error& error) {
                if (error.code() == ErrorCode::kCancelled) throw;
                cells.emplace_back("damaged");
                damage.push_back(error.file().empty()
                                     ? Error(error.code(), fmt::format("'{}': {}", visit.path, error.message()))
                                     : error);
            }
        }
        cells.resize(12);
        table.add(std::move(cells));
        return WalkStep::kInto;
    });
    session.write(table.text());
    return damage;
}

}  // namespace ckpt
