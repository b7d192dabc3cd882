// Reads bytes through a memory file, as the program would read them from disk.
#include "tests/fuzz/read_target.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "formats/all.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace {

/// The first and last bytes of each tensor; enough to run every decoder.
void touch(const ckpt::TensorNode& tensor) {
    if (!tensor.storage) return;
    const auto blob = ckpt::logical_blob(tensor);
    std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(blob->size_bytes(), 4096)));
    blob->read(0, buffer);
    blob->read(blob->size_bytes() - buffer.size(), buffer);
}

}  // namespace

bool fuzz_read_bytes(const std::uint8_t* data, std::size_t size) {
    static const ckpt::Registry registry = ckpt::all_formats();
    const int descriptor = memfd_create("input", MFD_CLOEXEC);
    if (descriptor < 0 || ::write(descriptor, data, size) != static_cast<ssize_t>(size)) {
        std::perror("memory file");
        std::exit(1);
    }
    ckpt::Context context;
    context.threads = 1;
    context.limits.max_header_bytes = 64u << 20;
    context.limits.max_nodes = 1u << 20;
    context.limits.max_inline_bytes = 64u << 20;
    bool readable = false;
    try {
        const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
        const ckpt::Document document = ckpt::read_document(registry, path, context);
        std::size_t visits = 0;
        ckpt::walk(
            document.root,
            [&](const ckpt::Visit& visit) {
                if (++visits > 100000) return ckpt::WalkStep::kStop;
                if (visit.value.is(ckpt::Kind::kTensor) && visit.same_as == nullptr) touch(visit.value.tensor());
                return ckpt::WalkStep::kInto;
            },
            200);
        readable = true;
    } catch (const ckpt::Error& error) {
        if (error.code() == ckpt::ErrorCode::kInternal) {
            std::fprintf(stderr, "internal error on hostile input: %s\n", error.what());
            std::abort();
        }
    }
    ::close(descriptor);
    return readable;
}
