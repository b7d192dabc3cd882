// Cells are numbers or nothing; there is no quoting in these files.
#include "formats/blackit/results_csv.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "formats/blackit/calibration.hpp"
#include "formats/shared/pickle/text.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

std::vector<std::string_view> split(std::string_view text, char by) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto at = text.find(by);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

double parse_cell(std::string_view cell, std::size_t line, std::string_view column) {
    if (cell.empty()) return std::numeric_limits<double>::quiet_NaN();
    const auto value = parse_python_float(cell);
    if (!value) throw_damaged("line {}, column '{}': '{}' is no number", line, column, cell.substr(0, 40));
    return *value;
}

std::vector<double> doubles_of(const Value& value) {
    const TensorNode& tensor = value.tensor();
    const std::string bytes = read_all(*logical_blob(tensor), std::uint64_t{1} << 32);
    const unsigned width = dtype_width(tensor.dtype);
    std::vector<double> numbers;
    for (std::size_t at = 0; at + width <= bytes.size(); at += width)
        numbers.push_back(element_as_double(tensor.dtype, reinterpret_cast<const std::byte*>(bytes.data() + at)));
    return numbers;
}

}  // namespace

Results parse_results(Pool& pool, std::string_view text, std::size_t parameters) {
    std::vector<std::string_view> lines = split(text, '\n');
    const bool is_ended = text.ends_with('\n');
    if (!lines.empty() && lines.back().empty()) lines.pop_back();
    for (auto& line : lines) {
        if (line.ends_with('\r')) line.remove_suffix(1);
    }
    if (lines.empty()) throw_damaged("is empty: it has no header line");
    if (!is_ended) throw_damaged("ends inside line {}: it was cut", lines.size());
    const auto header = split(lines[0], ',');
    const auto column_of = [&](const std::string& name) {
        for (std::size_t i = 0; i < header.size(); ++i) {
            if (header[i] == name) return i;
        }
        throw_damaged("has no column '{}'", name);
    };
    std::vector<std::size_t> of_parameter;
    const std::size_t losses = column_of("losses_samp");
    const std::size_t batches = column_of("batch_num_samp");
    const std::size_t methods = column_of("method_samp");
    for (std::size_t i = 0; i < parameters; ++i) of_parameter.push_back(column_of(fmt::format("params_samp_{}", i)));
    const std::size_t rows = lines.size() - 1;
    std::vector<double> params(rows * parameters), loss(rows);
    std::vector<std::int64_t> batch(rows), method(rows);
    for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t line = row + 2;
        const auto cells = split(lines[row + 1], ',');
        if (cells.size() != header.size())
            throw_damaged("line {} has {} cells, the header has {}", line, cells.size(), header.size());
        const auto whole = [&](std::size_t column) {
            const double value = parse_cell(cells[column], line, header[column]);
            if (!(std::floor(value) == value) || std::fabs(value) > 9e15)
                throw_damaged("line {}, column '{}': '{}' is no whole number", line, header[column], cells[column]);
            return static_cast<std::int64_t>(value);
        };
        loss[row] = parse_cell(cells[losses], line, header[losses]);
        batch[row] = whole(batches);
        method[row] = whole(methods);
        for (std::size_t i = 0; i < parameters; ++i)
            params[row * parameters + i] = parse_cell(cells[of_parameter[i]], line, header[of_parameter[i]]);
    }
    const auto count = static_cast<std::int64_t>(rows);
    Results results;
    results.rows = rows;
    results.params = tensor_of(pool, params, {count, static_cast<std::int64_t>(parameters)});
    results.losses = tensor_of(pool, loss, {count});
    results.batches = tensor_of(pool, batch, {count});
    results.methods = tensor_of(pool, method, {count});
    return results;
}

std::string results_text(const Results& results) {
    const auto params = doubles_of(results.params);
    const auto losses = doubles_of(results.losses);
    const auto batches = doubles_of(results.batches);
    const auto methods = doubles_of(results.methods);
    const std::size_t width =
        results.params.tensor().shape.size() < 2 ? 0 : static_cast<std::size_t>(results.params.tensor().shape[1]);
    const auto cell = [](double value) { return std::isnan(value) ? std::string() : python_float(value); };
    std::string text = ",losses_samp,batch_num_samp,method_samp";
    for (std::size_t i = 0; i < width; ++i) text += fmt::format(",params_samp_{}", i);
    text += '\n';
    for (std::size_t row = 0; row < losses.size(); ++row) {
        text += fmt::format("{},{},{},{}", row, cell(losses[row]), static_cast<std::int64_t>(batches[row]),
                            static_cast<std::int64_t>(methods[row]));
        for (std::size_t i = 0; i < width; ++i) text += "," + cell(params[row * width + i]);
        text += '\n';
    }
    return text;
}

}  // namespace ckpt
