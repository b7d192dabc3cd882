// Names of makers, opcodes of protocols, and what hooks do by default.
#include "formats/shared/pickle/calls.hpp"

#include <algorithm>

#include "formats/shared/pickle/numpy.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "libckpt/error.hpp"

namespace ckpt {

bool makes_its_first_argument(std::string_view callable) noexcept {
    static constexpr std::string_view kMakers[] = {"copyreg._reconstructor",
                                                   "array._array_reconstructor",
                                                   "numpy.ma.core._mareconstruct",
                                                   "numpy.core.multiarray._reconstruct",
                                                   "numpy._core.multiarray._reconstruct",
                                                   "numpy.random.bit_generator.__pyx_unpickle_SeedSequence"};
    return std::find(std::begin(kMakers), std::end(kMakers), callable) != std::end(kMakers);
}

std::string global_name_of(const Value& value) {
    if (!value.is(Kind::kObject) || !value.node()->recipe || value.node()->recipe->how != Recipe::How::kGlobal)
        return {};
    return value.node()->recipe->callable;
}

int least_protocol(unsigned char opcode) noexcept {
    if (opcode >= 0x80) return 2;
    return std::string_view("JKMGTUX])}euqrhj1oQ").find(static_cast<char>(opcode)) != std::string_view::npos ? 1 : 0;
}

Value PickleReaderHooks::persistent_load(Pool&, Value) {
    throw Error(ErrorCode::kDamaged, "pickle: a persistent id, but nothing that it could name");
}
Node* PickleReaderHooks::construct(Pool& pool, std::unique_ptr<Recipe>& recipe) {
    return construct_numpy(pool, *recipe);
}
bool PickleReaderHooks::build(Pool& pool, Node& target, Value state) {
    return build_numpy(pool, target, state);
}

}  // namespace ckpt
