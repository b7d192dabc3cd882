// Items read as what they are.
#include "formats/dcp/items.hpp"

#include "formats/shared/torch/object.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"

namespace ckpt::dcp {
namespace {

// What an archive of one tensor has beside its elements, generously: it takes 1.5 kB.
constexpr std::uint64_t kOverheadBytes = std::uint64_t{1} << 20;
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

Context named(const Context& context, const std::string& path) {
    Context result = context;
    if (context.on_warning) {
        result.on_warning = [warn = context.on_warning, path](std::string_view text) {
            warn(fmt::format("'{}': {}", path, text));
        };
    }
    return result;
}

/// Says what stands where an archive should.
void check_is_archive(const Blob& bytes) {
    std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(4, bytes.size_bytes())), '\0');
    bytes.read(0, std::as_writable_bytes(std::span(head.data(), head.size())));
    if (head.starts_with("PK\3\4")) return;
    throw_damaged("its item is no torch.save archive{}",
                  head == kZstdMagic ? ", but a zstd frame: a transform is missing in the metadata" : "");
}

std::string kind_text(const Value& value) {
    if (!value.type().empty()) return fmt::format("a {}", value.type());
    if (value.is(Kind::kInt)) return "an int";
    return fmt::format("a {}", kind_name(value.kind()));
}

}  // namespace

BlobPtr open_tensor(const Folder& folder, const Place& place, const WantedTensor& wanted) {
    std::uint64_t count = 1;
    for (const std::int64_t size : wanted.sizes) count *= static_cast<std::uint64_t>(size);
    const std::uint64_t bytes = dtype_bytes(wanted.dtype, count).value_or(0);
    const BlobPtr blob = folder.bytes(place, bytes + bytes / 8 + kOverheadBytes);
    check_is_archive(*blob);
    Document scratch;
    const Value value = read_torch_object(blob, place.file, scratch, named(folder.context(), wanted.path));
    if (!value.is(Kind::kTensor))
        throw_damaged("its item at byte {} of '{}' holds {}, not a tensor", place.offset_bytes, place.file,
                      kind_text(value));
    const TensorNode& tensor = value.tensor();
    if (!tensor.layout.empty() || !tensor.storage || tensor.quantization)
        throw_damaged("its item at byte {} of '{}' is no plain tensor", place.offset_bytes, place.file);
    if (tensor.shape != wanted.sizes) {
        throw_damaged("its item at byte {} of '{}' is a tensor of shape {}, the chunk has the sizes {}",
                      place.offset_bytes, place.file, numbers_text(tensor.shape), numbers_text(wanted.sizes));
    }
    if (tensor.dtype != wanted.dtype) {
        throw_damaged("its item at byte {} of '{}' holds {}, the metadata says {}", place.offset_bytes, place.file,
                      dtype_name(tensor.dtype), dtype_name(wanted.dtype));
    }
    tensor.check_bounds(wanted.path);
    return logical_blob(tensor);
}

Value open_value(const Folder& folder, const Place& place, const std::string& path, Document& document) {
    const BlobPtr blob = folder.bytes(place, folder.context().limits.max_inline_bytes);
    check_is_archive(*blob);
    return read_torch_object(blob, place.file, document, named(folder.context(), path));
}

Value open_file(const Folder& folder, const std::string& name, Document& document) {
    const BlobPtr blob = File::blob(folder.open(name));
    check_is_archive(*blob);
    return read_torch_object(blob, name, document, named(folder.context(), name));
}

}  // namespace ckpt::dcp
