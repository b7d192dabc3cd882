// Pickles by themselves.
#include "formats/blackit/nested.hpp"

#include <fmt/format.h>

#include "formats/shared/pickle/dangerous.hpp"
#include "libckpt/error.hpp"

namespace ckpt {

Value read_nested_pickle(std::string_view bytes, std::string_view place, Document& document, ArrayReader& hooks,
                         const Context& context) {
    if (bytes.empty())
        throw_damaged("{}: is empty: the save stopped while it was pickling (some schedulers cannot be pickled)",
                      place);
    PickleFacts facts;
    Context placed = context;
    placed.on_warning = [&](std::string_view text) { context.warn(fmt::format("{}: {}", place, text)); };
    try {
        const Value value = read_pickle(bytes, document.pool(), hooks, context, &facts);
        warn_of_globals(facts.globals, placed);
        return value;
    } catch (const Error& error) {
        warn_of_globals(facts.globals, placed);
        if (error.code() != ErrorCode::kDamaged) throw;
        throw_damaged("{}: {}", place, error.message());
    }
}

std::string write_nested_pickle(const Document& document, const Value& part) {
    constexpr int kProtocol = 4;
    ArrayLowering lowering(document);
    return write_pickle(part, kProtocol, lowering);
}

}  // namespace ckpt
