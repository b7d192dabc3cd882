// Methods exclude each other, but for --ties and --dare.
#include "tools/merge_options.hpp"

#include <CLI/CLI.hpp>
#include <cmath>

namespace ckpt {

void MergeOptions::declare(CLI::App& app) {
    app.add_flag("--average", average, "The mean of the weights (the default for checkpoints that are no histories)");
    app.add_option("--weights", weights_, "How much each input counts: 0.25,0.75 (default: all the same)")
        ->type_name("W,W,...")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--ema", ema,
                   "An exponential moving average over the inputs in their order: d * average + (1 - d) * next")
        ->type_name("DECAY")
        ->check(CLI::Range(0.0, 1.0));
    app.add_flag("--union", unites, "The parts of all: entries that only one has, and those that are the same in all");
    app.add_option("--prefer", prefer, "With --union, whose entry to take where they differ: first or last")
        ->type_name("WHOSE")
        ->check(CLI::IsMember({"first", "last"}));
    app.add_option("--base", base, "The checkpoint from which the inputs were trained on")->type_name("FILE");
    app.add_flag("--task-arithmetic", task, "The base and the sum of the differences to it");
    app.add_flag("--ties", ties, "The same with the largest differences only, and those whose sign the sum has");
    app.add_flag("--dare", dare,
                 "The same with differences drawn at random and made larger in return; also with --ties");
    app.add_option("--slerp", slerp, "Between two checkpoints along the arc, T of the way from the first (or the base)")
        ->type_name("T")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--lambda", scale_, "By how much the differences are multiplied in the end (default: 1)")
        ->type_name("X");
    app.add_option("--density", density_, "Which share of the differences --ties or --dare keeps (default: 1)")
        ->type_name("P")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option_function<std::uint64_t>(
           "--seed",
           [this](const std::uint64_t& seed) {
               seed_ = seed;
               has_seed_ = true;
           },
           "Another draw of --dare (default: 0)")
        ->type_name("N");
    app.add_option(
           "--average-also", also_,
           "Average what matches a path pattern, too: integers, numbers by themselves, other parts (repeatable)")
        ->type_name("GLOB")
        ->allow_extra_args(false);
    app.add_flag("--fast", fast_, "Compute in float32 instead of float64");
}

bool MergeOptions::is_given() const noexcept {
    return average || unites || task || ties || dare || slerp || ema || !weights_.empty();
}

Prefer MergeOptions::preference() const {
    return prefer.empty() ? Prefer::kNone : prefer == "first" ? Prefer::kFirst : Prefer::kLast;
}

void MergeOptions::check() const {
    const int methods = (average ? 1 : 0) + (unites ? 1 : 0) + (task ? 1 : 0) + (ties || dare ? 1 : 0) +
                        (slerp ? 1 : 0) + (ema ? 1 : 0);
    if (methods > 1) throw Error(ErrorCode::kUsage, "merge: name one method; only --ties and --dare go together");
    const bool has_base_method = task || ties || dare;
    if (has_base_method && base.empty())
        throw Error(ErrorCode::kUsage, "merge: differences are taken to a base: name it with --base");
    if (!base.empty() && !has_base_method && !slerp)
        throw Error(ErrorCode::kUsage, "merge: --base is for --task-arithmetic, --ties, --dare and --slerp");
    if (!prefer.empty() && !unites) throw Error(ErrorCode::kUsage, "merge: --prefer is for --union");
    if (density_ && !ties && !dare) throw Error(ErrorCode::kUsage, "merge: --density is for --ties and --dare");
    if (dare && !density_) throw Error(ErrorCode::kUsage, "merge: say which share --dare keeps with --density");
    if (scale_ && !has_base_method)
        throw Error(ErrorCode::kUsage, "merge: --lambda is for --task-arithmetic, --ties and --dare");
    if (has_seed_ && !dare) throw Error(ErrorCode::kUsage, "merge: --seed is for --dare");
    if (!weights_.empty() && (slerp || ema || unites))
        throw Error(ErrorCode::kUsage, "merge: --weights is for --average, --task-arithmetic, --ties and --dare");
    for (const double weight : weights_) {
        if (!std::isfinite(weight)) throw Error(ErrorCode::kUsage, "merge: a weight is no finite number");
    }
}

CombineOptions MergeOptions::combine_options(std::size_t inputs, const CastOptions& cast) const {
    check();
    CombineOptions options;
    Formula& formula = options.formula;
    formula.weights = weights_;
    formula.is_fast = fast_;
    formula.seed = seed_;
    if (slerp) {
        formula.kind = Formula::Kind::kSlerp;
        formula.t = *slerp;
    } else if (ema) {
        for (std::size_t i = 0; i < inputs; ++i) {
            const auto after = static_cast<double>(inputs - 1 - i);
            formula.weights.push_back((i == 0 ? 1 : 1 - *ema) * std::pow(*ema, after));
        }
    } else if (task || ties || dare) {
        formula.kind = Formula::Kind::kTask;
        formula.scale = scale_.value_or(1);
        formula.density = density_.value_or(1);
        formula.keep = dare ? Formula::Keep::kRandom : ties ? Formula::Keep::kLargest : Formula::Keep::kAll;
        formula.elects_sign = ties;
        formula.normalizes = ties && !dare;
    }
    for (const std::string& pattern : also_) options.also.emplace_back(pattern);
    if (cast.is_given()) options.cast = dtype_from_short_name(cast.to);
    for (const std::string& pattern : cast.only) options.cast_only.emplace_back(pattern);
    return options;
}

}  // namespace ckpt
