// Numbers, sizes, ages and tables as people read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt {

std::string size_text(std::uint64_t bytes);  ///< "2.1 MiB"
/// The same, back: "10GB" (powers of 1000: k, M, G, T, P with or without B), "512MiB" (powers of 1024), "1.5 GiB", a
/// plain number of bytes. nullopt for anything else, and from 2^63 on.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// "7d", "12h", "30m", "45s", "2w" (0 needs no unit) in seconds; nullopt for anything else.
std::optional<double> parse_duration(std::string_view text);
std::string count_text(std::uint64_t count);  ///< "11.2 M"
std::string age_text(double seconds);         ///< "3 days ago"
/// Control characters made visible, so that a name from a file cannot drive the terminal. Bytes that are no UTF-8 as
/// \xNN.
std::string printable(std::string_view text);
/// `printable`, cut to `width` characters with an ellipsis.
std::string shortened(std::string_view text, std::size_t width);
/// Columns a terminal would use (one per code point: close enough for names).
std::size_t display_width(std::string_view text);
/// Letters to change, insert, remove or swap with their neighbour to make `a` out of `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// Rows of columns; numbers to the right.
class Table {
public:
    enum class Align : std::uint8_t { kLeft, kRight };
    struct Column {
        std::string title;
        Align align;
    };
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    /// Columns that are empty in all rows are left out.
    std::string text() const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace ckpt
