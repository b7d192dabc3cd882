// Pickle streams of protocols 0 to 5 as values, and values as pickle streams. Nothing named in a stream is ever run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libckpt/context.hpp"
#include "libckpt/error.hpp"
#include "libckpt/value.hpp"

namespace ckpt {

/// Numbers that grow faster than a stream that is made to eat memory: a reference has two bytes there, and 16 here.
struct PickleBounds {
    std::uint64_t max_stack = std::uint64_t{1} << 22;  ///< values on the stack at once: lists come by the thousand
    std::uint64_t max_nodes = ~std::uint64_t{0};       ///< beside the limit of the caller
    std::uint64_t max_items = ~std::uint64_t{0};       ///< of all lists
    std::uint64_t max_entries = ~std::uint64_t{0};     ///< of all dicts
};

/// Gives meaning to the calls of a stream. The default of each hook leaves the general form: an ObjectNode with its
/// Recipe.
class PickleReaderHooks {
public:
    virtual ~PickleReaderHooks() = default;
    /// A persistent id. Throws Error (kDamaged) when it names nothing.
    virtual Value persistent_load(Pool& pool, Value id);
    /// `recipe` is complete but for its state: a node in place of the inert object (which takes the recipe over, as
    /// provenance), or nullptr to keep that. The default knows NumPy's arrays and scalars.
    virtual Node* construct(Pool& pool, std::unique_ptr<Recipe>& recipe);
    /// `state` is set on a node that `construct` made: true if it was taken. Otherwise the node becomes an inert object
    /// again.
    virtual bool build(Pool& pool, Node& target, Value state);
    /// Whether tuples, texts and dicts may be used again that were given to `persistent_load`, to a `construct` that
    /// resets the recipe, or to a `build` of a node without one: none of these keeps a handle of such, or of what is in
    /// them, unless it returns it.
    virtual bool is_done_with_arguments() const { return false; }
    /// What a stream of so many bytes may come to; the defaults are far above what any program writes.
    virtual PickleBounds bounds(std::uint64_t stream_bytes) const;
};

/// What a stream was, beside its value.
struct PickleFacts {
    int protocol = 0;                  ///< of the PROTO opcode; without one, what the opcodes need: 0, 1 or 2
    std::uint64_t size_bytes = 0;      ///< up to and with STOP
    std::vector<std::string> globals;  ///< every global named, "module.name", first appearance, Python 3 names
};

/// Reads one pickle from the start of `bytes`. Plain Python kinds become plain values (set, frozenset, bytes,
/// bytearray, complex, int of any width, OrderedDict and other dict and list classes as typed nodes); all else an
/// ObjectNode. Python 2 module names are given as Python 3's. Throws Error (kDamaged) with the byte offset in message
/// and `at`. On an error `facts` holds what was seen before it.
Value read_pickle(std::string_view bytes, Pool& pool, PickleReaderHooks& hooks, const Context& context,
                  PickleFacts* facts = nullptr);

/// What is there of a pickle that ends early or breaks: values that were finished or begun, in the order of the stream.
struct PickleRemains {
    std::vector<Value> stack;        ///< of a whole pickle: its value alone
    std::vector<std::size_t> marks;  ///< sizes of the stack at each MARK that is still open
    std::optional<Error> error;      ///< why reading stopped; nullopt where the pickle is whole
};
PickleRemains read_pickle_remains(std::string_view bytes, Pool& pool, PickleReaderHooks& hooks, const Context& context);

/// Lowers values that a pickle cannot hold by themselves (tensors, typed nodes) to ones that it can.
class PickleWriterHooks {
public:
    virtual ~PickleWriterHooks() = default;
    /// The persistent id of a node, or nullopt: not persistent.
    virtual std::optional<Value> persistent_id(Pool& scratch, const Node& node);
    /// Whether `lower` is to be asked although the node could be written as it is (its class is none of Python's).
    virtual bool must_lower(const Node& node);
    /// The pickle-level equivalent of a node that has no recipe (a tensor, a typed scalar): an ObjectNode with a
    /// Recipe, a tuple, a dict. Asked once per node; the memo belongs to the original node. nullopt: it cannot be
    /// pickled. The default knows NumPy's.
    virtual std::optional<Value> lower(Pool& scratch, Value value);
};

/// Writes what CPython's C pickler writes for the same objects (memo, batching, framing), for protocols 0 to 5 (of 0
/// and 1: the file without a PROTO opcode; 0 cannot refer to storages). String identity is node identity: the same
/// StringNode twice is a memo reference, two equal ones are not. Throws Error (kRefused) naming the path for values
/// that cannot be pickled.
std::string write_pickle(const Value& root, int protocol, PickleWriterHooks& hooks);

}  // namespace ckpt
