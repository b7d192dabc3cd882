// Nodes of a pool that nothing refers to any more, kept to be used again.
#pragma once

#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "libckpt/value.hpp"

namespace ckpt {

/// Tuples, texts and dicts that served to call something and are done with: a stream of a hundred thousand tensors has
/// five such for each. Makes of its pool what it has no spare of.
class SpareNodes {
public:
    explicit SpareNodes(Pool& pool) : pool_(pool) {}

    Value tuple(std::vector<Value> items);
    Value string(std::string text);
    Value dict();

    /// What may be referred to from elsewhere: it is never used again.
    void keep(const Node* node) { kept_.insert(node); }
    /// From here on nothing is used again.
    void keep_all() { keeps_all_ = true; }
    /// Nothing but the caller refers to `value`, nor to tuples, texts and dicts in it that are not kept; `but` is kept.
    void release(const Value& value, const Node* but = nullptr);

private:
    void release(const Value& value, const Node* but, int depth);

    Pool& pool_;
    bool keeps_all_ = false;
    std::unordered_set<const Node*> kept_;
    std::vector<SequenceNode*> tuples_;
    std::vector<StringNode*> strings_;
    std::vector<DictNode*> dicts_;
};

}  // namespace ckpt
