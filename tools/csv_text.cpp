// Tables of what has the form of one.
#include "tools/csv_text.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libckpt/error.hpp"
#include "libckpt/path.hpp"
#include "tools/tensor_elements.hpp"
#include "tools/value_text.hpp"

namespace ckpt {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;
constexpr std::size_t kMostDepth = 100;
constexpr std::size_t kMostColumns = 100000;
constexpr std::size_t kMostVisits = 1000000;

bool is_plain(const Value& value) {
    return value.kind() <= Kind::kBytes;
}
bool is_row(const Value& value) {
    return value.is(Kind::kList) || value.is(Kind::kTuple);
}
bool is_column(const Value& value) {
    return is_row(value) && std::all_of(value.sequence().items.begin(), value.sequence().items.end(), is_plain);
}

std::string quoted(std::string text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string result = "\"";
    for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
    return result + "\"";
}

std::string cell(const Value& value) {
    if (value.is_null()) return "";
    if (value.is(Kind::kString)) return quoted(std::string(value.as_string()));
    std::string text = value_text(value);
    text.pop_back();
    return quoted(std::move(text));
}

class Csv {
public:
    explicit Csv(const std::function<void(std::string_view)>& sink) : sink_(sink) {}

    void write(const Value& value) {
        if (value.is(Kind::kTensor)) {
            write_tensor(value.tensor());
        } else if (is_plain(value)) {
            add(cell(value) + "\n");
        } else if (is_column(value)) {
            for (const Value& item : value.sequence().items) add(cell(item) + "\n");
        } else if (value.is(Kind::kDict)) {
            write_columns(value);
        } else if (is_row(value)) {
            write_rows(value.sequence().items);
        } else {
            throw_error(ErrorCode::kUnsupported, "a {} has no form of a table", kind_name(value.kind()));
        }
        sink_(text_);
    }

private:
    void add(const std::string& text) {
        text_ += text;
        if (text_.size() < kPieceBytes) return;
        sink_(text_);
        text_.clear();
    }

    void write_tensor(const TensorNode& tensor) {
        Elements elements(tensor);
        const auto width = tensor.shape.size() > 1 ? static_cast<std::uint64_t>(tensor.shape.end()[-1]) : 1;
        for (std::uint64_t i = 0; i < elements.count(); ++i)
            add(elements.text(i) + ((i + 1) % width == 0 ? "\n" : ","));
    }

    /// Lists under their names.
    void write_columns(const Value& dict) {
        struct Column {
            std::string name;
            const std::vector<Value>* items;
        };
        std::vector<Column> columns;
        const std::vector<Value> none;
        std::vector<std::pair<std::string, Value>> todo{{"", dict}};
        std::vector<std::vector<Value>> alone;
        alone.reserve(kMostColumns);
        std::size_t visits = 0;
        while (!todo.empty()) {
            const auto [path, value] = std::move(todo.back());
            todo.pop_back();
            // Dicts doubled by reference thirty times are a legal value.
            if (++visits > kMostVisits)
                throw_error(ErrorCode::kRefused, "a table of more than {} parts is not written", kMostVisits);
            if (value.is(Kind::kDict)) {
                if (std::count(path.begin(), path.end(), '/') > static_cast<std::ptrdiff_t>(kMostDepth))
                    throw_error(ErrorCode::kRefused, "dicts within dicts, more than {} deep", kMostDepth);
                const auto& entries = value.dict().entries;
                for (auto it = entries.rbegin(); it != entries.rend(); ++it)
                    todo.emplace_back(path.empty() ? key_text(it->first) : join_path(path, key_text(it->first)),
                                      it->second);
            } else if (is_column(value)) {
                columns.push_back({path, &value.sequence().items});
            } else if (is_plain(value)) {
                alone.push_back({value});
                columns.push_back({path, &alone.back()});
            } else {
                throw_error(ErrorCode::kUnsupported, "'{}' is a {}, which is no column of a table", path,
                            kind_name(value.kind()));
            }
            if (columns.size() >= kMostColumns)
                throw_error(ErrorCode::kRefused, "a table of more than {} columns is not written", kMostColumns);
        }
        std::size_t rows = 0;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            add((i == 0 ? "" : ",") + quoted(columns[i].name));
            rows = std::max(rows, columns[i].items->size());
        }
        add("\n");
        for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t i = 0; i < columns.size(); ++i)
                add((i == 0 ? "" : ",") +
                    (row < columns[i].items->size() ? cell((*columns[i].items)[row]) : std::string()));
            add("\n");
        }
    }

    /// Rows of one width, or dicts.
    void write_rows(const std::vector<Value>& items) {
        if (std::all_of(items.begin(), items.end(), is_column)) {
            for (const Value& row : items) {
                bool is_first = true;
                for (const Value& item : row.sequence().items)
                    add((std::exchange(is_first, false) ? "" : ",") + cell(item));
                add("\n");
            }
            return;
        }
        std::vector<std::string> names;
        std::unordered_map<std::string, std::size_t> places;
        for (const Value& item : items) {
            if (!item.is(Kind::kDict))
                throw_error(ErrorCode::kUnsupported, "a list of a {} and others has no form of a table",
                            kind_name(item.kind()));
            for (const auto& [key, value] : item.dict().entries) {
                if (!is_plain(value))
                    throw_error(ErrorCode::kUnsupported, "'{}' is a {}, which is no cell of a table", key_text(key),
                                kind_name(value.kind()));
                if (places.emplace(key_text(key), names.size()).second) names.push_back(key_text(key));
            }
        }
        for (std::size_t i = 0; i < names.size(); ++i) add((i == 0 ? "" : ",") + quoted(names[i]));
        add("\n");
        for (const Value& item : items) {
            std::vector<std::string> cells(names.size());
            for (const auto& [key, value] : item.dict().entries) cells[places.at(key_text(key))] = cell(value);
            for (std::size_t i = 0; i < cells.size(); ++i) add((i == 0 ? "" : ",") + cells[i]);
            add("\n");
        }
    }

    const std::function<void(std::string_view)>& sink_;
    std::string text_;
};

}  // namespace

void write_csv(const Value& value, const std::function<void(std::string_view)>& sink) {
    Csv(sink).write(value);
}

}  // namespace ckpt
