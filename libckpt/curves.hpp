// What of a checkpoint can be drawn: logs over epochs, searches over evaluations, losses over batches, histograms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/document.hpp"
#include "libckpt/statistics.hpp"

namespace ckpt {

/// Numbers under a name. NaN where there is none: a line is broken there.
struct Curve {
    enum class Form : std::uint8_t { kLine, kPoints, kSteps } form = Form::kLine;
    std::string name;
    std::vector<double> x, y;
};

/// One picture.
struct Chart {
    std::string title;
    std::string x_label, y_label;
    std::vector<Curve> curves;
    bool is_histogram = false;  ///< bars between edges: `x` has one more than `y`
};

/// Curves of a value: of a list of numbers or a tensor of one dimension one, over the places in it; of a dict one for
/// each in it, by their paths. Empty where there is none. `name` is that of the value.
std::vector<Curve> curves_of(const Value& value, const std::string& name);

/// The objectives of a search over its evaluations, and the best so far. Empty where it has no history.
Chart search_chart(const Value& root);
/// The losses of a calibration over its evaluations, and the least so far.
Chart calibration_chart(const Value& root, const Context& context);
/// The numbers of a tensor in bars.
Chart histogram_chart(const TensorNode& tensor, const std::string& name, std::size_t bars, const Context& context);

/// A number that a value comes to, to be followed over a run: itself, the only element of a tensor, the last of a list.
/// NaN where it is none.
double last_number(const Value& value);

}  // namespace ckpt
