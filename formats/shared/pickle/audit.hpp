// What a pickle would do if Python loaded it: every name, call and change, with its place; nothing is built or run.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/shared/pickle/weights_only_names.hpp"
#include "libckpt/blob.hpp"
#include "libckpt/context.hpp"

namespace ckpt {

/// A name that a pickle looks up.
struct AuditedName {
    std::string module;       ///< as the stream has it
    std::string name;         ///< dotted where it is looked up in several steps
    std::string full;         ///< "module.name"; by protocols 0 to 2 Python 2's names as Python 3's
    bool is_known = false;    ///< both texts stand in the stream; else they are computed, or from no text at all
    bool is_watched = false;  ///< the sink wants to know where it is handed on
};

/// An argument of a call, as far as the stream tells.
struct AuditedArgument {
    enum class Kind : std::uint8_t { kText, kBytes, kName, kOther } kind = Kind::kOther;
    std::string text;              ///< kText, where it is short; kName: its full name
    std::uint64_t data_begin = 0;  ///< kBytes: where the payload stands in the stream
};

/// What a call calls and with what.
struct AuditedCall {
    enum class How : std::uint8_t {
        kCalled,     ///< REDUCE
        kMade,       ///< NEWOBJ, OBJ, INST: an instance of the class
        kChanged,    ///< BUILD on the class or function itself
        kGaveState,  ///< BUILD on what a call of the name gave
    } how = How::kCalled;
    const AuditedName* name = nullptr;       ///< nullptr: what is called came out of another call, or from nowhere
    const AuditedName* maker = nullptr;      ///< where `name` is missing: whose result is called
    bool has_arguments = false;              ///< `arguments` are all that there are
    std::vector<AuditedArgument> arguments;  ///< up to eight
    std::string shown;                       ///< the arguments as text, shortened: "('echo hi')"
};

/// Takes what an audit sees, in the order of the stream. `at` is the offset of the opcode in the bytes.
class AuditSink {
public:
    virtual ~AuditSink() = default;
    virtual void on_name(const AuditedName& name, std::uint64_t at) = 0;
    virtual void on_call(const AuditedCall& call, std::uint64_t at) = 0;
    /// Whether calls of the name need their arguments; those of others are not kept.
    virtual bool wants_arguments(const AuditedName& name) const = 0;
    /// Whether it matters that a name is handed on: what it is called with then is not to be seen.
    virtual bool is_watched(const AuditedName& name) const = 0;
    /// A watched name that is no target of a call but an item, an argument, a state.
    virtual void on_handed_on(const AuditedName& name, std::uint64_t at) = 0;
    /// A name by a number of a registry that the stream does not have.
    virtual void on_extension(std::uint64_t code, std::uint64_t at) = 0;
    /// A persistent id. `kind` is its first item where that is text ("storage"), else empty.
    virtual void on_persistent(std::string_view kind, bool is_tuple_or_number, std::uint64_t at) = 0;
    /// A storage that is named by a persistent id with a key and a count.
    virtual void on_storage(const std::string& cls, const std::string& key, std::uint64_t count) = 0;
    /// Bytes that the pickle carries, and text that would be bytes by its latin-1 code points and begins as a container
    /// does.
    virtual void on_bytes(const BlobPtr& bytes, std::uint64_t data_begin, std::uint64_t at) = 0;
};

struct PickleAudit {
    int protocol = 0;              ///< of the last PROTO opcode
    std::uint64_t end = 0;         ///< offset behind STOP, or where no more is known
    bool has_stop = false;         ///< it came to STOP with everything in order
    std::uint64_t names = 0;       ///< how often a name was looked up
    std::string problem;           ///< the first thing that stops Python's reader; empty where nothing does
    std::uint64_t problem_at = 0;  ///< of the opcode
    bool lost_track = false;       ///< too much at once to be followed; what follows it is seen one by one
    /// Why torch.load(weights_only=True) would refuse it, by generation; empty: it would not.
    std::array<std::string, kWeightsOnlyGenerations.size()> refusals;
};

/// Reads the pickle that begins at `begin`, without holding more than its stack and memo (limited to some 200 MiB).
/// Goes on behind what stops Python, as far as opcodes can be told. Throws only what reading the bytes throws.
PickleAudit audit_pickle(const BlobPtr& bytes, std::uint64_t begin, AuditSink& sink, const Context& context);

/// Whether bytes look as the head of something that has pickles in it: a pickle of protocol 2 or later, a zip, gzip,
/// NumPy or HDF5 file.
bool begins_like_container(std::string_view head) noexcept;
/// The two bytes that zlib data begin with, and a few others do.
bool begins_like_zlib(std::string_view head) noexcept;

}  // namespace ckpt
