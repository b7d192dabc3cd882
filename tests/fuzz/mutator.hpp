// Mutators: what makes damaged and hostile files of sound ones. A layout with structures of its own brings its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ckpt_fuzz {

using Bytes = std::vector<std::uint8_t>;

/// SplitMix64: the same numbers on every machine, and a new seed costs nothing.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    /// Below `count`, which is not 0.
    std::size_t below(std::size_t count) { return static_cast<std::size_t>(next() % count); }
    bool one_in(unsigned count) { return below(count) == 0; }

private:
    std::uint64_t state_;
};

/// A sound file.
struct Sample {
    std::string name;
    Bytes bytes;
};

/// Makes variants of the samples of one layout. What it does follows from the samples and the random numbers alone.
class Mutator {
public:
    virtual ~Mutator() = default;
    /// The layout's name, or "bytes" for what knows no layout.
    virtual std::string_view layout() const = 0;
    /// Whether it understands a file.
    virtual bool knows(const Bytes& bytes) const = 0;
    /// Looks at a sample that it knows, once, before anything is mutated. Samples live longer than the mutator.
    virtual void learn(const Sample& sample) = 0;
    /// A variant of a sample that was learnt; other samples may lend parts.
    virtual Bytes variant(const Sample& sample, Random& random) const = 0;
};

/// Flips bits, writes telling numbers, cuts, doubles, moves pieces: of any bytes.
void mutate_bytes(Bytes& bytes, Random& random);
/// Writes a little-endian number of 1, 2, 4 or 8 bytes that parsers trip over; `sizes` are worth trying as well.
void write_telling_number(Bytes& bytes, std::size_t at, unsigned width, const std::vector<std::uint64_t>& sizes,
                          Random& random);

/// HDF5: fields of superblocks, headers, messages, trees, heaps and arrays, whole structures of other samples, and
/// checksums made right again.
std::unique_ptr<Mutator> make_h5_mutator();

/// Pickles: arguments, opcodes, runs of opcodes, also of other samples.
std::unique_ptr<Mutator> make_pickle_mutator();

/// One of each; a layout that wants its own adds it here.
std::vector<std::unique_ptr<Mutator>> all_mutators();

}  // namespace ckpt_fuzz
