// What `merge` can be told of how weights become one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libckpt/combine.hpp"
#include "libckpt/unite.hpp"
#include "tools/transform_options.hpp"

namespace CLI {
class App;
}

namespace ckpt {

struct MergeOptions {
    bool average = false;
    bool unites = false;
    bool task = false;
    bool ties = false;
    bool dare = false;
    std::optional<double> slerp, ema;
    std::string prefer, base;
    void declare(CLI::App& app);
    /// One of the methods is named.
    bool is_given() const noexcept;
    Prefer preference() const;
    /// The formula and the rest, for so many inputs. Throws Error (kUsage) for what does not go together.
    CombineOptions combine_options(std::size_t inputs, const CastOptions& cast) const;

private:
    /// What is only of use with some method.
    void check() const;

    std::vector<double> weights_;
    std::optional<double> scale_, density_;
    std::uint64_t seed_ = 0;
    std::vector<std::string> also_;
    bool fast_ = false;
    bool has_seed_ = false;
};

}  // namespace ckpt
