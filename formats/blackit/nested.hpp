// What stands inside of a calibration's files and columns: pickles, arrays, and how errors name the place.
#pragma once

#include <string>
#include <string_view>

#include "formats/shared/pickle/arrays.hpp"
#include "libckpt/document.hpp"

namespace ckpt {

/// Calls `work`; what it throws as damage names the place ("calibration_results.csv").
template <typename Work>
auto in_place(std::string_view place, Work work) {
    try {
        return work();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kDamaged && error.code() != ErrorCode::kNotCheckpoint) throw;
        throw Error(ErrorCode::kDamaged, std::string(place) + ": " + error.message());
    }
}

/// An unpickled object, inert. Warns of dangerous names, naming the place.
Value read_nested_pickle(std::string_view bytes, std::string_view place, Document& document, ArrayReader& hooks,
                         const Context& context);

/// The pickle of a part of the document.
std::string write_nested_pickle(const Document& document, const Value& part);

}  // namespace ckpt
