// Charts drawn by gnuplot, which is found when it is wanted.
#pragma once

#include <string>
#include <vector>

#include "libckpt/curves.hpp"

namespace ckpt {

/// What is drawn on, and how large.
struct Canvas {
    enum class Kind : std::uint8_t { kTerminal, kSvg, kPng, kPdf } kind = Kind::kTerminal;
    unsigned columns = 79, lines = 24;  ///< of the terminal
    bool is_log = false;                ///< the y axis
};

/// The program for gnuplot: data, titles, axes, legend; several charts one below the other. Names are in quotes, so
/// that none of them is read as anything else. `output` is the file to write; empty for gnuplot's standard output.
std::string gnuplot_script(const std::vector<Chart>& charts, const Canvas& canvas, const std::string& output);

/// Runs gnuplot on the script and gives back what it prints. Throws Error (kUnsupported) where there is none on PATH,
/// saying how to come by it, (kOutput) with what it says where it fails.
std::string run_gnuplot(const std::string& script);

/// The numbers of a chart as columns with tabs: x, and a column for each curve; of a histogram the edges of each bar
/// and its height. `#` begins the line of names.
std::string chart_data(const Chart& chart);

}  // namespace ckpt
