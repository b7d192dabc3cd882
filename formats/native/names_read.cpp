// Names beside chunks, out of msgpack (README: "Records").
#include <algorithm>
#include <span>

#include "formats/native/codec.hpp"
#include "formats/native/fields.hpp"
#include "formats/native/index_read.hpp"

namespace ckpt::native {

namespace {

void spend(std::uint64_t size_bytes, std::uint64_t& budget_bytes) {
    if (size_bytes > budget_bytes)
        throw Error(ErrorCode::kRefused, "the names beside its chunks are over the limit for a file of this size");
    budget_bytes -= size_bytes;
}

}  // namespace

std::string unpack_names(std::string_view packed, std::uint64_t& budget_bytes) {
    if (packed.size() < 4) throw_damaged("names: {} bytes", packed.size());
    std::size_t size = 0;
    for (std::size_t i = 4; i-- > 0;) size = size << 8 | static_cast<unsigned char>(packed[i]);
    if (const std::uint64_t most = most_names_bytes(packed.size()); size > most)
        throw_damaged("names: {} bytes are over the limit of {}", size, most);
    spend(size, budget_bytes);
    std::string names(size, '\0');
    const std::string_view frame = packed.substr(4);
    zstd_unframe(std::as_bytes(std::span(frame.data(), frame.size())),
                 std::as_writable_bytes(std::span(names.data(), names.size())));
    return names;
}

namespace {

NamedTensor named_tensor(Cursor& cursor) {
    Fields parts(cursor, "a tensor's name", 5);
    NamedTensor tensor;
    tensor.path = text(parts.item(), "a path");
    tensor.dtype = dtype(parts.item());
    tensor.shape = numbers(parts.item(), "a shape");
    if (parts.has()) {
        tensor.stride = numbers(parts.item(), "strides");
    } else if (!is_ragged(tensor.shape)) {
        tensor.stride = contiguous_strides(tensor.shape);
    }
    tensor.offset = signed_number(parts.item(), "an offset");
    parts.end();
    return tensor;
}

std::uint64_t memory_of(const NamedTensor& tensor) {
    return sizeof tensor + tensor.path.size() + 8 * (tensor.shape.size() + tensor.stride.size());
}

}  // namespace

std::vector<NamedStorage> read_names(std::string_view bytes, std::uint64_t& budget_bytes) {
    Cursor cursor(bytes, "names");
    Fields storages(cursor, "names");
    std::vector<NamedStorage> names;
    while (storages.more()) {
        Fields fields(storages.item(), "a storage's name", 4);
        NamedStorage name;
        name.number = unsigned_number(fields.item(), "a storage's number");
        name.offset = unsigned_number(fields.item(), "a storage's offset");
        name.size_bytes = unsigned_number(fields.item(), "a storage's size");
        Fields tensors(fields.item(), "a storage's tensors");
        while (tensors.more()) {
            name.tensors.push_back(named_tensor(tensors.item()));
            spend(memory_of(name.tensors.back()), budget_bytes);
        }
        fields.end();
        spend(sizeof name, budget_bytes);
        names.push_back(std::move(name));
    }
    cursor.expect_end();
    return names;
}

}  // namespace ckpt::native
