// A file that is a pickle, bare or wrapped in gzip: its bytes, and what is said when they end early.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/shared/gzip/gzip.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "libckpt/document.hpp"
#include "libckpt/file.hpp"
#include "libckpt/format.hpp"
#include "libckpt/write_plan.hpp"

namespace ckpt {

/// Whether bytes begin as a pickle of protocol 2 or later does.
bool begins_like_pickle(std::string_view head) noexcept;
/// The same for protocols 0 and 1, which have no signature: a first opcode that such a pickle can have, and nothing
/// that reads as words.
bool may_be_old_pickle(std::string_view head) noexcept;

/// Whether bytes that came out of gzip begin as a search state of pyhopper does: a pickled dict whose first key is
/// "run_context". Looks at kSearchStateHeadBytes.
bool begins_like_search_state(std::string_view head) noexcept;
inline constexpr std::size_t kSearchStateHeadBytes = 96;

class PickleFile {
public:
    /// The decoded bytes. Of a gzip file as far as it decodes. Throws Error (kDamaged) when there are too many, or when
    /// what comes out is no pickle.
    static PickleFile load(const Source& source, const Context& context);

    /// One pickle from `offset_bytes` on. Warns of dangerous names. Throws Error (kDamaged), which says where the file
    /// itself ends where that is why.
    Value read(std::size_t offset_bytes, Pool& pool, PickleReaderHooks& hooks, const Context& context,
               PickleFacts& facts) const;

    const std::string& bytes() const noexcept { return bytes_; }
    bool is_gzip() const noexcept { return is_gzip_; }
    /// What is wrong with the gzip around the pickle; empty where nothing is.
    const std::string& problem() const noexcept { return gzip_.problem; }
    std::uint64_t trailing_bytes() const noexcept { return gzip_.trailing_bytes; }

private:
    std::string bytes_;
    bool is_gzip_ = false;
    Gunzipped gzip_;  // without its bytes
};

/// Reads, and gives what `read` warns of as findings. Full: what is wrong with the gzip around is damage.
std::vector<Finding> verify_by_reading(const Format& format, const Source& source, VerifyLevel level,
                                       const Context& context);

/// The plan of a file that is these bytes.
WritePlan plan_of_bytes(std::string bytes);

}  // namespace ckpt
