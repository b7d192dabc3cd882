// Rendering of numbers, names and tables.
#include "tools/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace ckpt {

std::string size_text(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = static_cast<double>(bytes);
    int unit = -1;
    while (value >= 1024 && unit < 5) {
        value /= 1024;
        ++unit;
    }
    return value < 100 ? fmt::format("{:.1f} {}", value, kUnits[unit]) : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    std::string_view unit = text.substr(digits);
    if (unit.starts_with(' ')) unit.remove_prefix(1);
    long double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
    if (digits == 0 || error != std::errc{} || end != text.data() + digits) return std::nullopt;
    long double step = 1;
    if (!unit.empty() && unit != "B") {
        constexpr std::string_view kPrefixes = "kMGTPE";
        const char prefix = unit[0] == 'K' ? 'k' : unit[0];
        const std::size_t power = kPrefixes.find(prefix);
        const std::string_view rest = unit.substr(1);
        const bool is_binary = rest == "i" || rest == "iB";
        if (power == std::string_view::npos || (!is_binary && !rest.empty() && rest != "B")) return std::nullopt;
        for (std::size_t i = 0; i <= power; ++i) step *= is_binary ? 1024 : 1000;
    }
    const long double bytes = number * step;              // 64 bits are exact
    constexpr long double kEnd = 9223372036854775808.0L;  // 2^63
    if (!(bytes < kEnd)) return std::nullopt;
    return static_cast<std::uint64_t>(bytes);
}

std::optional<double> parse_duration(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !(value >= 0) || !std::isfinite(value)) return std::nullopt;
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    constexpr std::pair<std::string_view, double> kUnits[] = {
        {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}};
    for (const auto& [name, seconds] : kUnits) {
        if (unit == name) return value * seconds;
    }
    return unit.empty() && value == 0 ? std::optional<double>(0) : std::nullopt;
}

std::string count_text(std::uint64_t count) {
    if (count < 1000) return fmt::format("{}", count);
    static constexpr const char* kUnits[] = {"k", "M", "G", "T", "P", "E"};
    double value = static_cast<double>(count);
    int unit = -1;
    while (value >= 1000 && unit < 5) {
        value /= 1000;
        ++unit;
    }
    return value < 100 ? fmt::format("{:.1f} {}", value, kUnits[unit]) : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string age_text(double seconds) {
    if (seconds < 0) return "in the future";
    if (seconds < 90) return "just now";
    if (seconds < 90 * 60) return fmt::format("{:.0f} min ago", seconds / 60);
    if (seconds < 24 * 3600) return fmt::format("{:.0f} h ago", seconds / 3600);
    if (seconds < 36 * 3600) return "yesterday";
    if (seconds < 60 * 86400.0) return fmt::format("{:.0f} days ago", seconds / 86400);
    return fmt::format("{:.0f} months ago", seconds / (30.44 * 86400));
}

std::string printable(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t length = lead < 0x80             ? 1
                                   : (lead & 0xe0) == 0xc0 ? 2
                                   : (lead & 0xf0) == 0xe0 ? 3
                                   : (lead & 0xf8) == 0xf0 ? 4
                                                           : 0;
        bool good = length != 0 && i + length <= text.size();
        for (std::size_t k = 1; good && k < length; ++k)
            good = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
        const bool surrogate =
            good && length == 3 && lead == 0xed && (static_cast<unsigned char>(text[i + 1]) & 0x20) != 0;
        if (!good || surrogate || lead < 0x20 || lead == 0x7f ||
            (length == 2 && lead == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0)) {
            const std::size_t bytes = good ? length : 1;
            if (lead == '\n' && bytes == 1) {
                result += "\\n";
            } else if (lead == '\t') {
                result += "\\t";
            } else {
                for (std::size_t k = 0; k < bytes; ++k)
                    result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i + k]));
            }
            i += bytes;
            continue;
        }
        result.append(text.substr(i, length));
        i += length;
    }
    return result;
}

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string shortened(std::string_view text, std::size_t width) {
    std::string result = printable(text);
    if (display_width(result) <= width) return result;
    std::size_t seen = 0;
    std::size_t end = 0;
    while (end < result.size()) {
        if ((static_cast<unsigned char>(result[end]) & 0xc0) != 0x80 && seen++ == width - 1) break;
        ++end;
    }
    return result.substr(0, end) + "…";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // Three rows of the usual table: the swap looks two rows up.
    std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before = std::exchange(above, row);
    }
    return above[b.size()];
}

std::string Table::text() const {
    std::vector<std::size_t> widths(columns_.size(), 0);
    std::vector<bool> used(columns_.size(), false);
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        widths[c] = display_width(columns_[c].title);
        for (const auto& row : rows_) {
            widths[c] = std::max(widths[c], display_width(row[c]));
            used[c] = used[c] || !row[c].empty();
        }
    }
    const auto line = [&](const auto& cell_of) {
        std::string result;
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            if (!used[c]) continue;
            const std::string& cell = cell_of(c);
            const std::string padding(widths[c] - display_width(cell), ' ');
            if (!result.empty()) result += "  ";
            result += columns_[c].align == Align::kRight ? padding + cell : cell + padding;
        }
        while (!result.empty() && result.back() == ' ') result.pop_back();
        return result + "\n";
    };
    std::string result = line([&](std::size_t c) -> const std::string& { return columns_[c].title; });
    for (const auto& row : rows_) result += line([&](std::size_t c) -> const std::string& { return row[c]; });
    return result;
}

}  // namespace ckpt
