// What a file would do to a program that loads its pickles: found by content, whatever the layout.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "formats/shared/pickle/global_class.hpp"
#include "formats/shared/pickle/weights_only_names.hpp"
#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"

namespace ckpt {

/// Something that is no tensor and no plain data, or that programs may see differently.
struct ScanFinding {
    enum class Class : std::uint8_t {
        kNote,       ///< odd, but nothing that loads it does more for it
        kUnknown,    ///< a class or function nobody here knows; what could not be looked into
        kDangerous,  ///< runs commands or code, opens files or connections, or gets at what does
    } cls = Class::kUnknown;
    std::string what;      ///< "os.system", or what it is in words
    std::string how;       ///< what is done with it: "called with ('true')"; empty where it is only there
    std::string place;     ///< "archive/data.pkl"; nested places behind " > "; empty for the file
    std::uint64_t at = 0;  ///< offset in that place of the first time
    std::uint64_t count = 1;
};

struct ScannedGlobal {
    std::string name;
    GlobalClass cls = GlobalClass::kUnknown;
    std::uint64_t count = 0;
    WeightsOnlyName weights_only;
};

struct ScannedPickle {
    std::string place;
    std::uint64_t begin = 0;       ///< in its place
    std::uint64_t size_bytes = 0;  ///< up to and with STOP
    int protocol = 0;
    std::uint64_t names = 0;  ///< how often it looks one up
    std::string problem;      ///< what stops Python's reader, with the byte; empty where nothing does
};

struct WeightsOnlyVerdict {
    bool is_accepted = false;
    std::string why;  ///< it is refused
};

struct ScanReport {
    std::string kind;  ///< "torch archive", "zip archive", "pickle", ... ; empty where there was nothing to look into
    std::vector<ScannedPickle> pickles;  ///< the first kMostListed
    std::uint64_t pickle_count = 0;
    std::vector<ScannedGlobal> globals;  ///< by name
    std::vector<ScanFinding> findings;   ///< in the order of the file
    std::uint64_t unlisted =
        0;  ///< findings beyond kMostListed different ones (twice as many where they are dangerous)
    std::vector<std::string> damage;
    /// Whether torch.load would take the file at all; without it there are no verdicts.
    bool is_for_torch = false;
    std::array<WeightsOnlyVerdict, kWeightsOnlyGenerations.size()> weights_only;

    static constexpr std::size_t kMostListed = 10000;
    /// Whether there is anything but tensors and plain data, or anything that was not looked into.
    bool has_more() const noexcept;
};

/// Looks through a file. Never throws for what is in it: what cannot be looked into is a finding, what is cut or
/// contradicts itself is damage. Throws Error (kNotFound, kCancelled). Memory is bounded: pickles are read through a
/// window; what is compressed is unpacked up to 256 MiB at a time.
ScanReport scan_file(const std::string& path, const Context& context);

}  // namespace ckpt
