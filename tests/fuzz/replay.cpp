// Reads every sample, and a number of seeded mutations of each, in a plain test run.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/read_target.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes load(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

/// Flips bits, overwrites with telling numbers, cuts, doubles or moves a piece.
void mutate(Bytes& bytes, std::mt19937_64& random) {
    if (bytes.empty()) return;
    const auto at = [&] { return random() % bytes.size(); };
    const int edits = 1 + static_cast<int>(random() % 4);
    for (int edit = 0; edit < edits && !bytes.empty(); ++edit) {
        switch (random() % 6) {
            case 0:
                bytes[at()] ^= static_cast<std::uint8_t>(1u << (random() % 8));
                break;
            case 1:
                bytes[at()] = static_cast<std::uint8_t>(random());
                break;
            case 2: {
                static constexpr std::uint64_t kTelling[] = {
                    0, 1, 0x7f, 0xff, 0x7fffffff, 0xffffffff, ~std::uint64_t{0} >> 1, ~std::uint64_t{0}};
                const std::uint64_t number = kTelling[random() % 8];
                const std::size_t width = std::size_t{1} << (random() % 4);
                const std::size_t place = at();
                for (std::size_t i = 0; i < width && place + i < bytes.size(); ++i) {
                    bytes[place + i] = static_cast<std::uint8_t>(number >> (8 * i));
                }
                break;
            }
            case 3:
                bytes.resize(at());
                break;
            case 4: {
                const std::size_t from = at();
                const std::size_t count = std::min<std::size_t>(1 + random() % 64, bytes.size() - from);
                const Bytes piece(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                                  bytes.begin() + static_cast<std::ptrdiff_t>(from + count));
                bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at()), piece.begin(), piece.end());
                break;
            }
            default: {
                const std::size_t from = at();
                const std::size_t to = at();
                for (std::size_t i = 0; i < 16 && from + i < bytes.size() && to + i < bytes.size(); ++i) {
                    bytes[to + i] = bytes[from + i];
                }
            }
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t mutations = 1000;
    std::uint64_t seed = 1;
    std::vector<std::filesystem::path> inputs;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--mutations" && i + 1 < argc) {
            mutations = std::strtoull(argv[++i], nullptr, 10);
        } else if (argument == "--seed" && i + 1 < argc) {
            seed = std::strtoull(argv[++i], nullptr, 10);
        } else if (std::filesystem::is_directory(argument)) {
            for (const auto& entry : std::filesystem::recursive_directory_iterator(argument)) {
                if (entry.is_regular_file() && entry.file_size() < (1u << 20)) inputs.push_back(entry.path());
            }
        } else {
            inputs.emplace_back(argument);
        }
    }
    std::sort(inputs.begin(), inputs.end());
    if (inputs.empty()) {
        std::fprintf(stderr, "no samples\n");
        return 1;
    }
    std::size_t readable = 0;
    std::size_t runs = 0;
    double slowest = 0;
    std::string slowest_name;
    const std::size_t each = mutations / inputs.size() + 1;
    for (const auto& path : inputs) {
        const Bytes original = load(path);
        std::mt19937_64 random(seed ^ std::hash<std::string>{}(path.filename().string()));
        for (std::size_t i = 0; i <= each; ++i, ++runs) {
            Bytes bytes = original;
            if (i > 0) mutate(bytes, random);
            const auto start = std::chrono::steady_clock::now();
            readable += fuzz_read_bytes(bytes.data(), bytes.size()) ? 1 : 0;
            const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            if (seconds > slowest) {
                slowest = seconds;
                slowest_name = path.filename().string() + " mutation " + std::to_string(i);
            }
        }
    }
    std::printf("%zu inputs (%zu samples, seed %llu): %zu could be read; the slowest took %.2f s (%s)\n", runs,
                inputs.size(), static_cast<unsigned long long>(seed), readable, slowest, slowest_name.c_str());
    return slowest > 10 ? 1 : 0;  // ten seconds is the promise for any hostile file of this size
}
