// The walk through a file: containers in containers, pickles at the leaves.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "formats/shared/pickle/audit.hpp"
#include "formats/shared/scan/scan.hpp"
#include "formats/shared/zip/zip_walk.hpp"

namespace ckpt::scan {

inline constexpr int kMostDepth = 12;
inline constexpr std::uint64_t kMostUnpackedBytes = std::uint64_t{1} << 28;
inline constexpr std::uint64_t kMostConfigBytes = std::uint64_t{1} << 24;  // of a Keras model
inline constexpr std::size_t kMostStreams = 10000;                         // pickles one behind the other

inline constexpr std::string_view kNamed = "named";

/// Why it is thought that a pickle begins somewhere.
enum class Belief : std::uint8_t {
    kSure,    ///< by its name, or by what holds it: what is wrong with it is damage
    kLikely,  ///< it begins as one does
    kMaybe,   ///< anything may stand there: a pickle only if it names something and comes to its end, or names well
};

/// A storage of an archive as its pickle counts it.
using StorageCheck = std::function<void(const std::string& cls, const std::string& key, std::uint64_t count)>;

/// What a run of pickles came to.
struct Streams {
    std::vector<PickleAudit> audits;  ///< the first five
    std::uint64_t end = 0;            ///< offset behind the last
    std::size_t count = 0;
};

class Scanner {
public:
    explicit Scanner(const Context& context) : context_(context) {}

    /// A whole file.
    void file(const BlobPtr& bytes, const std::string& name);
    ScanReport take();

    // For the containers.

    /// Bytes of any kind: a container by what they begin with, or a pickle. Whether there was something to look into.
    bool any(const BlobPtr& bytes, const std::string& place, int depth, Belief belief);
    /// Pickles from `begin` on, one behind the other.
    Streams pickles(const BlobPtr& bytes, std::uint64_t begin, const std::string& place, int depth, Belief belief,
                    const StorageCheck& storages = {}, std::size_t most = kMostStreams + 1);
    /// Pickles anywhere among bytes of another kind.
    void embedded(const BlobPtr& bytes, std::uint64_t from, std::uint64_t to, const std::string& place, int depth);

    bool zip(const BlobPtr& bytes, const std::string& place, int depth);
    bool gzip(const BlobPtr& bytes, const std::string& place, int depth);
    bool tar(const BlobPtr& bytes, const std::string& place, int depth);
    bool npy(const BlobPtr& bytes, const std::string& place, int depth);
    bool hdf5(const BlobPtr& bytes, const std::string& place, int depth);
    bool zstd(const BlobPtr& bytes, const std::string& place, int depth);
    bool bzip2(const BlobPtr& bytes, const std::string& place, int depth);
    /// False where what begins as zlib data does makes no sense as such: the two bytes may be anything.
    bool zlib(const BlobPtr& bytes, const std::string& place, int depth);
    /// What a Keras model's configuration would run.
    void keras(const std::string& json, const std::string& place);
    bool sqlite(const BlobPtr& bytes, const std::string& place, int depth);
    /// The pages of a database that were not yet put into it.
    bool sqlite_log(const BlobPtr& bytes, const std::string& place, int depth);

    void find(ScanFinding finding);
    void note(std::string what, const std::string& place, std::uint64_t at = 0);
    /// What could not be looked into.
    void unseen(std::string what, const std::string& place, std::uint64_t at = 0);
    void damage(const std::string& place, std::string_view what);
    const Context& context() const noexcept { return context_; }
    ScanReport& report() noexcept { return report_; }
    void count_name(const AuditedName& name);

private:
    class Sink;
    bool unpacked(std::string bytes, const std::string& place, int depth);
    void zip_archive(const BlobPtr& bytes, const ZipArchive& archive, const std::string& place, int depth,
                     bool is_whole);
    void zip_entry(const BlobPtr& bytes, const ZipEntry& entry, const std::string& place, int depth, bool is_storage,
                   const StorageCheck& storages, Streams* streams);
    void judge_torch(const BlobPtr& bytes, const Streams& pickle, const std::vector<std::string>& size_refusals);
    void behind_break(const BlobPtr& bytes, std::uint64_t from, const std::string& place, int depth);
    void legacy(const BlobPtr& bytes);
    void judge_legacy(const Streams& streams, bool has_untyped);

    const Context& context_;
    ScanReport report_;
    std::map<std::string, ScannedGlobal> globals_;
    std::unordered_map<std::string, std::size_t> seen_;
    std::unordered_set<std::string> excused_;  ///< "place\nname": dangerous names all of whose calls are harmless
    std::uint64_t embedded_budget_ = 0;
    std::size_t nested_ = 0;  ///< byte strings that were looked into
    bool is_shard_ = false;   ///< of a distributed checkpoint, by its name
};

/// What the head of a .npy says; nullopt where there is none.
struct NpyHead {
    bool has_objects = true;
    std::uint64_t data_at = 0;
    std::string problem;
};
std::optional<NpyHead> npy_head(const Blob& bytes);

bool begins_like_tar(std::string_view head);

/// "a > b".
std::string inside(const std::string& place, std::string_view inner);
std::string bytes_of(const Blob& bytes, std::uint64_t at, std::uint64_t most);

}  // namespace ckpt::scan
