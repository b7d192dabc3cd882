// How a dataset was stored: kept beside its value, and given back where that is asked for (README: "Layouts that come
// back").
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "formats/shared/h5/h5.hpp"
#include "formats/shared/h5/write.hpp"
#include "libckpt/value.hpp"

namespace ckpt::hdf5 {

/// Hangs marks on values of datasets in chunks, or with a fill value of their own. Equal layouts share what is kept.
class LayoutKeeper {
public:
    explicit LayoutKeeper(Pool& pool) : pool_(pool) {}
    /// A value held in place gets a node if need be.
    void keep(Value& value, const h5::Dataset& dataset);

private:
    Pool& pool_;
    std::unordered_map<std::string, Value> texts_;
};

/// What a mark says; nullopt where there is none, or one that makes no sense.
std::optional<h5::WriteLayout> kept_layout(const Value& value);

}  // namespace ckpt::hdf5
