// What Julia's types do not say of a value, kept where JLD2.jl does not look (README: "Notes").
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "formats/jld2/object_reader.hpp"
#include "formats/jld2/value_types.hpp"
#include "libckpt/document.hpp"

namespace ckpt::jld2 {

/// Short words as attributes, everything else as a dict that hangs on the object by a reference.
struct Note {
    std::string kind, type;
    Value more;  ///< a dict, or null

    bool empty() const noexcept { return kind.empty() && type.empty() && more.is_null(); }
};

/// Makes notes; the values in them are those of the document and of `scratch`. Not thread-safe.
class NoteWriter {
public:
    NoteWriter(Pool& scratch, ValueTypes& types, const Cuts& cuts) : scratch_(scratch), types_(types), cuts_(cuts) {}

    /// Looks through the document once: which storages several tensors see.
    void survey(const Value& root);
    Note note_of(const Value& value);

private:
    void add_tensor(const TensorNode& tensor, Note& note);
    void add_attributes(const Node& node, Note& note);
    void add_cuts(const Value& value, Note& note);
    void add_recipe(const Recipe& recipe, Note& note);
    Value& more(Note& note);
    void put(Note& note, std::string_view key, Value value);
    Value integers(const std::vector<std::int64_t>& numbers);

    Pool& scratch_;
    ValueTypes& types_;
    const Cuts& cuts_;
    std::unordered_map<const Storage*, std::size_t> storages_;  ///< uses
    std::unordered_map<const Storage*, std::size_t> numbers_;
};

/// Makes of the values that were read what their notes say they are. Throws Error (kDamaged) where a note contradicts
/// itself, naming the path.
void apply_notes(Document& document, const std::vector<ObjectReader::Noted>& noted);

}  // namespace ckpt::jld2
