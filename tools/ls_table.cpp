// Columns, cells and the lines below them.
#include "tools/ls_table.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "tools/text.hpp"

namespace ckpt {
namespace {

/// Names of the pointer files that name a checkpoint; its links are its aliases already.
std::string pointers_to(const CheckpointEntry& entry, const std::vector<JudgedPointer>& pointers) {
    std::string text;
    for (const JudgedPointer& pointer : pointers) {
        namespace fs = std::filesystem;
        const fs::path path = pointer.path;
        const bool is_alias =
            std::find(entry.aliases.begin(), entry.aliases.end(), path.filename().string()) != entry.aliases.end();
        if (pointer.state != JudgedPointer::State::kMissing && pointer.target == entry.name() && !is_alias &&
            path.parent_path() == fs::path(entry.path).parent_path())
            text += " (" + printable(path.filename().string()) + ")";
    }
    return text;
}

void add_run(const RunFacts& run, std::vector<std::string>& cells) {
    const auto text = [](const std::string& value) { return value.empty() ? std::string("-") : printable(value); };
    const auto count = [](const auto& value) { return value ? std::to_string(*value) : std::string("-"); };
    cells.insert(cells.end(),
                 {text(run.model), text(run.dataset), count(run.buffer_size), count(run.epochs), text(run.timestamp)});
}

/// "; last valid: 40" where some are not.
std::string last_whole(const LsListing& listing) {
    const auto& [entries, facts, indices, pointers, is_opened] = listing;
    std::string last = "none";
    bool all = true;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        all = all && facts[i].state == "ok";
        const auto& index = indices[i];
        if (facts[i].state == "ok" && index && !entries[i].match.is_alias) last = index_text(*index);
    }
    return all ? "" : "; last valid: " + last;
}

}  // namespace

std::string ls_table(const LsListing& listing, bool is_terminal) {
    const auto& entries = listing.entries;
    const auto& facts = listing.facts;
    // One axis gives its name to the column; several are written beside each index.
    std::string axis;
    bool several = false;
    for (const auto& entry : entries) {
        if (!entry.match.index) continue;
        several = several || (!axis.empty() && axis != entry.match.axis);
        axis = entry.match.axis;
    }
    std::string title = several || axis.empty() ? "INDEX" : axis;
    std::transform(title.begin(), title.end(), title.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const bool has_runs =
        std::any_of(facts.begin(), facts.end(), [](const CheckpointFacts& one) { return !one.run.is_empty(); });
    std::vector<Table::Column> columns = {{title, Table::Align::kRight}, {"NAME", Table::Align::kLeft}};
    if (has_runs) {
        columns.insert(columns.end(), {{"MODEL", Table::Align::kLeft},
                                       {"DATASET", Table::Align::kLeft},
                                       {"BUFFER", Table::Align::kRight},
                                       {"EPOCHS", Table::Align::kRight},
                                       {"STARTED", Table::Align::kLeft}});
    }
    columns.insert(columns.end(), {{"LAYOUT", Table::Align::kLeft},
                                   {"SAVED", Table::Align::kLeft},
                                   {"SIZE", Table::Align::kRight},
                                   {"PARAMS", Table::Align::kRight},
                                   {"HOLDS", Table::Align::kLeft},
                                   {"STATE", Table::Align::kLeft}});
    Table table(columns);
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto& entry = entries[i];
        const auto& index = listing.indices[i];
        std::string index_cell = index                        ? index_text(*index)
                                 : !entry.match.label.empty() ? entry.match.label.str()
                                 : entry.match.is_alias       ? "alias"
                                                              : "-";
        if (several && index) index_cell = entry.match.axis + " " + index_cell;
        std::string shown_name = printable(entry.path);
        for (const auto& alias : entry.aliases) shown_name += " (" + printable(alias) + ")";
        shown_name += pointers_to(entry, listing.pointers);
        if (!facts[i].target.empty()) shown_name += " -> " + printable(facts[i].target);
        total += entry.bytes;
        std::string state = listing.is_opened && facts[i].state != "ok" ? facts[i].state : "";
        if (!facts[i].why.empty())
            state += ": " + (is_terminal ? shortened(facts[i].why, 60) : printable(facts[i].why));
        // What a name like `last.ckpt` stands for only the file says.
        const std::string holds =
            facts[i].disagrees.empty() && entry.match.is_alias ? index_text(facts[i].inside) : facts[i].disagrees;
        if (!holds.empty()) state += (state.empty() ? "" : "; ") + holds;
        std::vector<std::string> cells = {index_cell, shown_name};
        if (has_runs) add_run(facts[i].run, cells);
        cells.insert(cells.end(), {facts[i].format, entry.mtime_seconds > 0 ? age_text(now - entry.mtime_seconds) : "-",
                                   size_text(entry.bytes),
                                   !listing.is_opened        ? ""
                                   : facts[i].parameters > 0 ? count_text(facts[i].parameters)
                                                             : "-",
                                   facts[i].holds, state});
        table.add(std::move(cells));
    }
    std::string summary =
        fmt::format("{} checkpoint{}, {}", entries.size(), entries.size() == 1 ? "" : "s", size_text(total));
    if (listing.is_opened) summary += last_whole(listing);
    if (!listing.is_opened) summary += "; not opened: -l says more";
    for (const JudgedPointer& pointer : listing.pointers) {
        if (const std::string text = pointer_text(pointer); !text.empty()) summary += "\n" + text;
    }
    return table.text() + summary + "\n";
}

}  // namespace ckpt
