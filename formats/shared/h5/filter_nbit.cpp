// Undoing n-bit: every number is stored in as many bits as it needs. Facts: hdf5.md, 12.3.
#include <algorithm>

#include "formats/shared/h5/bit_reader.hpp"
#include "formats/shared/h5/filter_decoders.hpp"
#include "formats/shared/h5/image.hpp"

namespace ckpt::h5 {
namespace {

enum TypeClass : std::uint32_t { kAtomic = 1, kArray = 2, kCompound = 3, kOpaque = 4 };

/// Where the fixed parameters lie; the description of the type begins at kType.
enum Parameter : std::size_t { kParameters = 0, kIsUnchanged = 1, kElements = 2, kType = 3, kTypeSize = 4 };

/// Unpacks elements of the type that the parameters describe. Each number of it takes at least one bit, each array and
/// compound has at least one member, so that no more is done than the stored bits ask for.
class Unpacker {
public:
    Unpacker(std::span<const std::byte> stored, std::span<const std::uint32_t> parameters)
        : bits_(stored, "nbit"), parameters_(parameters) {}

    void element(std::span<std::byte> out) { value(kType, out, 0); }

private:
    std::uint32_t parameter(std::size_t at) const {
        require(at < parameters_.size(), "nbit: its {} parameters end inside of the type", parameters_.size());
        return parameters_[at];
    }

    /// Reads one value of the type described from parameter `at` on, whose bytes are the first ones of `room`. Returns
    /// the parameter to go on at.
    std::size_t value(std::size_t at, std::span<std::byte> room, unsigned depth) {
        require(depth <= kMaxTypeDepth, "nbit: its type is nested more than {} deep", kMaxTypeDepth);
        const std::uint32_t cls = parameter(at);
        const std::uint32_t size = parameter(at + 1);
        require(size > 0 && size <= room.size(), "nbit: a value of {} bytes lies in {} bytes", size, room.size());
        const std::span<std::byte> out = room.first(size);
        switch (cls) {
            case kAtomic:
                return atomic(at, out);
            case kArray:
                return array(at, out, depth);
            case kCompound:
                return compound(at, out, depth);
            case kOpaque:
                opaque(out);
                return at + 2;
            default:
                throw_damaged("nbit: its type has class {}; 1 to 4 are known", cls);
        }
    }

    std::size_t atomic(std::size_t at, std::span<std::byte> out) {
        const std::uint32_t order = parameter(at + 2);
        const std::uint64_t precision = parameter(at + 3);
        const std::uint64_t offset = parameter(at + 4);
        require(order <= 1 && precision > 0 && precision + offset <= std::uint64_t{8} * out.size(),
                "nbit: {} bits at bit {} of a number of {} bytes, byte order {}", precision, offset, out.size(), order);
        const std::uint64_t end = precision + offset;
        for (std::uint64_t byte = (end + 7) / 8; byte-- > offset / 8;) {
            const std::uint64_t low = std::max(byte * 8, offset);
            const std::uint64_t high = std::min(byte * 8 + 8, end);
            const std::uint64_t part = bits_.take(static_cast<unsigned>(high - low)) << (low - byte * 8);
            out[static_cast<std::size_t>(order == 0 ? byte : out.size() - 1 - byte)] = static_cast<std::byte>(part);
        }
        return at + 5;
    }

    std::size_t array(std::size_t at, std::span<std::byte> out, unsigned depth) {
        const std::size_t base = at + 2;
        const std::uint32_t each = parameter(base + 1);
        if (parameter(base) == kOpaque) {
            opaque(out);
            return base + 2;
        }
        require(each > 0 && each <= out.size(), "nbit: an array of {} bytes of values of {}", out.size(), each);
        std::size_t end = base;
        for (std::size_t i = 0; i < out.size() / each; ++i) end = value(base, out.subspan(i * each, each), depth + 1);
        // libhdf5, reading and writing, goes on behind the class of the base if that is an array or a compound: the
        // members that follow are stored as what these parameters say when read from there, not as what they are.
        return parameter(base) == kAtomic ? end : base + 1;
    }

    std::size_t compound(std::size_t at, std::span<std::byte> out, unsigned depth) {
        const std::uint32_t members = parameter(at + 2);
        require(members > 0, "nbit: a compound of 0 members");
        at += 3;
        for (std::uint32_t i = 0; i < members; ++i) {
            const std::uint32_t offset = parameter(at);
            require(offset < out.size(), "nbit: a member begins at byte {} of {}", offset, out.size());
            at = value(at + 1, out.subspan(offset), depth + 1);
        }
        return at;
    }

    void opaque(std::span<std::byte> out) {
        for (std::byte& byte : out) byte = static_cast<std::byte>(bits_.take(8));
    }

    BitReader bits_;
    std::span<const std::uint32_t> parameters_;
};

}  // namespace

std::size_t decode_nbit(std::span<const std::byte> stored, std::span<const std::uint32_t> parameters,
                        std::span<std::byte> out) {
    // Types of which every bit counts have no more than the three fixed ones.
    require(parameters.size() >= kType && parameters[kParameters] == parameters.size(),
            "nbit: {} parameters, of which the first says that there are {}", parameters.size(),
            parameters.empty() ? 0 : parameters[kParameters]);
    if (parameters[kIsUnchanged] != 0) {
        require(stored.size() <= out.size(), "nbit: a chunk has {} bytes, more than the {} that it may have",
                stored.size(), out.size());
        std::copy(stored.begin(), stored.end(), out.begin());
        return stored.size();
    }
    require(parameters.size() > kTypeSize, "nbit: its {} parameters have no type", parameters.size());
    const std::uint64_t count = parameters[kElements];
    const std::uint64_t size = parameters[kTypeSize];
    const std::uint64_t total = count * size;  // each below 2^32
    require(size > 0 && total <= out.size(), "nbit: a chunk has {} elements of {} bytes, more than the {} it may have",
            count, size, out.size());
    require(count <= std::uint64_t{8} * stored.size(), "nbit: a chunk has {} elements in {} bytes", count,
            stored.size());
    // Bits of padding are not stored.
    std::fill_n(out.begin(), total, std::byte{0});
    Unpacker unpacker(stored, parameters);
    for (std::uint64_t i = 0; i < count; ++i) {
        unpacker.element(out.subspan(static_cast<std::size_t>(i * size), static_cast<std::size_t>(size)));
    }
    return static_cast<std::size_t>(total);
}

}  // namespace ckpt::h5
