// libFuzzer's entry points: coverage leads, our mutators make half of the moves.
#include <algorithm>
#include <cstring>

#include "tests/fuzz/mutator.hpp"
#include "tests/fuzz/read_target.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ckpt_fuzz::read_bytes(data, size);
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
    ckpt_fuzz::Random random(seed);
    const auto own = LLVMFuzzerMutate;
    if (random.one_in(2)) return own(data, size, max_size);
    ckpt_fuzz::Sample sample{"", {data, data + size}};
    for (const auto& mutator : ckpt_fuzz::all_mutators()) {
        if (mutator->layout() == "bytes" || !mutator->knows(sample.bytes)) continue;
        mutator->learn(sample);
        const ckpt_fuzz::Bytes made = mutator->variant(sample, random);
        const std::size_t count = std::min(made.size(), max_size);
        std::memcpy(data, made.data(), count);
        return count;
    }
    return own(data, size, max_size);
}
