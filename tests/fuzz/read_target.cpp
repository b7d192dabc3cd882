// Reads bytes through a memory file, as the program would read them from disk.
#include "tests/fuzz/read_target.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "formats/all.hpp"
#include "formats/dcp/metadata.hpp"
#include "formats/dcp/tree.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/walk.hpp"

namespace ckpt_fuzz {
namespace {

constexpr std::uint64_t kMaxWholeBytes = 1U << 20;  ///< of one tensor
constexpr std::uint64_t kMaxFileBytes = 8U << 20;   ///< of all tensors of a file
constexpr std::uint64_t kEndBytes = 4096;           ///< of what is larger
constexpr std::size_t kMaxVisits = 100000;
constexpr std::size_t kMaxDepth = 200;
constexpr unsigned kPlansOneIn = 8;
constexpr std::uint64_t kMaxPlannedBytes = 64U << 20;  ///< plans may look at all data

int input_descriptor() {
    static const int descriptor = memfd_create("input", MFD_CLOEXEC);
    if (descriptor < 0) {
        std::perror("memory file");
        std::exit(1);
    }
    return descriptor;
}

class Reader {
public:
    void read(const ckpt::Document& document) {
        std::size_t visits = 0;
        ckpt::walk(
            document.root,
            [&](const ckpt::Visit& visit) {
                if (++visits > kMaxVisits) return ckpt::WalkStep::kStop;
                if (visit.same_as != nullptr) return ckpt::WalkStep::kInto;
                touch(visit.value);
                const ckpt::Node* node = visit.value.node();
                if (node == nullptr || !node->attributes) return ckpt::WalkStep::kInto;
                for (const auto& [name, value] : *node->attributes) touch(value);
                return ckpt::WalkStep::kInto;
            },
            kMaxDepth);
    }
    bool is_whole() const { return is_whole_; }
    /// Of all tensors, whether they were read or not.
    std::uint64_t total_bytes() const { return total_; }

private:
    void touch(const ckpt::Value& value) {
        if (!value.is(ckpt::Kind::kTensor) || !value.tensor().storage) return;
        try {
            const auto blob = ckpt::logical_blob(value.tensor());
            const std::uint64_t size = blob->size_bytes();
            total_ += std::min(size, kMaxPlannedBytes + 1);
            const bool is_small = size <= kMaxWholeBytes && done_ + size <= kMaxFileBytes;
            buffer_.resize(static_cast<std::size_t>(is_small ? size : std::min(size, kEndBytes)));
            blob->read(0, buffer_);
            if (!is_small) blob->read(size - buffer_.size(), buffer_);
            done_ += buffer_.size();
        } catch (const ckpt::Error& error) {
            check(error);
            is_whole_ = false;
        }
    }

public:
    static void check(const ckpt::Error& error) {
        if (error.code() != ckpt::ErrorCode::kInternal) return;
        std::fprintf(stderr, "internal error on hostile input: %s\n", error.what());
        std::abort();
    }

private:
    std::vector<std::byte> buffer_;
    std::uint64_t done_ = 0;
    std::uint64_t total_ = 0;
    bool is_whole_ = true;
};

/// The metadata of a distributed checkpoint, which is read in a folder only.
void read_as_metadata(std::string_view bytes, const ckpt::Context& context) {
    if (bytes.find("state_dict_metadata") == std::string_view::npos) return;
    try {
        ckpt::dcp::MetadataReader reader;
        reader.add(bytes, context);
        const ckpt::dcp::Metadata metadata = reader.finish();
        ckpt::Pool pool;
        ckpt::dcp::build_tree(
            metadata.items, pool, [](const auto&) { return ckpt::Value::null(); }, [](const auto&) {});
    } catch (const ckpt::Error& error) {
        Reader::check(error);
    }
}

}  // namespace

const std::string& input_path() {
    static const std::string path = "/proc/self/fd/" + std::to_string(input_descriptor());
    return path;
}

bool read_bytes(const std::uint8_t* data, std::size_t size) {
    static const ckpt::Registry registry = ckpt::all_formats();
    const int descriptor = input_descriptor();
    if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, data, size, 0) != static_cast<ssize_t>(size)) {
        std::perror("memory file");
        std::exit(1);
    }
    ckpt::Context context;
    context.threads = 1;
    read_as_metadata({reinterpret_cast<const char*>(data), size}, context);
    Reader reader;
    try {
        const ckpt::Document document =
            ckpt::read_document(registry, input_path(), context, nullptr, ckpt::Damage::kKeep);
        reader.read(document);
        // Which inputs are planned follows from their bytes: a finding is found again.
        if (size > 0 && (data[size / 2] + size) % kPlansOneIn == 0 && reader.total_bytes() <= kMaxPlannedBytes) {
            for (const auto& format : registry.formats()) {
                ckpt::WriteOptions options;
                options.allow_loss = true;
                if (format->capabilities().can_write) format->plan(document, options, context);
            }
        }
        return reader.is_whole() && document.damage.empty();
    } catch (const ckpt::Error& error) {
        Reader::check(error);
        return false;
    }
}

}  // namespace ckpt_fuzz
