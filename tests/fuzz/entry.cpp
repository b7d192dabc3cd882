// libFuzzer's entry point.
#include "tests/fuzz/read_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz_read_bytes(data, size);
    return 0;
}
