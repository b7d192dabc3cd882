// What is lost, what changes, and the plan.
#include "formats/jld2/write_document.hpp"

#include "formats/jld2/document_writer.hpp"
#include "formats/jld2/names.hpp"
#include "libckpt/walk.hpp"

namespace ckpt::jld2 {

std::vector<Loss> losses(const Document& document) {
    std::vector<Loss> losses;
    JuliaTypes types;
    walk(document.root, [&](const Visit& visit) {
        if (visit.same_as != nullptr || !visit.value.is(Kind::kObject)) return WalkStep::kInto;
        if (visit.value.type() == kDamagedType) {
            losses.push_back({visit.path, "could not be read"});
        } else if (is_julia_object(visit.value) && visit.value.type() != kFunctionType &&
                   visit.value.type() != kUndefType) {
            const std::string& callable = visit.value.node()->recipe->callable;
            const TypePtr type = types.parse(callable);
            if (type == nullptr) {
                losses.push_back({visit.path, "is of a type that cannot be made out: " + callable.substr(0, 80)});
            } else if (!is_writable(type)) {
                losses.push_back({visit.path, "is of a type with a parameter that only Julia could write"});
            }
        }
        return WalkStep::kInto;
    });
    return losses;
}

/// A Dict or Set at several places, in the form that JLD2.jl loads as one for each.
bool DocumentWriter::is_copied(const Value& value) {
    const Node& node = *value.node();
    if (cuts_.uses(&node) < 2 || dict_form(node) == DictForm::kShared) return false;
    return !value_types_.type_of(value)->is(kNamedTupleType) && node.attribute(kGroupAttribute) == nullptr;
}

/// What Julia gets to see is not quite what the document holds; said once for each kind of difference.
void DocumentWriter::say_what_changes() {
    std::vector<std::string> classes;
    std::size_t narrowed = 0;
    std::size_t copied = 0;
    std::size_t long_tuples = 0;
    std::string first_narrowed;
    std::string first_copied;
    walk(document_.root, [&](const Visit& visit) {
        if (visit.same_as != nullptr) return WalkStep::kInto;
        if (visit.value.is(Kind::kTensor) && visit.value.tensor().dtype == DType::kBFloat16 && ++narrowed == 1)
            first_narrowed = visit.path;
        if (visit.value.is(Kind::kTuple) && !value_types_.is_tuple(visit.value)) ++long_tuples;
        const bool is_dict = visit.value.is(Kind::kDict) || visit.value.is(Kind::kSet);
        if (is_dict && is_copied(visit.value) && ++copied == 1) first_copied = visit.path;
        if (visit.value.is(Kind::kObject) && !is_julia_object(visit.value)) {
            const std::string type(visit.value.type());
            if (std::find(classes.begin(), classes.end(), type) == classes.end()) classes.push_back(type);
        }
        return WalkStep::kInto;
    });
    if (narrowed > 0) {
        context_.note(fmt::format("Julia has no bfloat16: {} are written as Float32, which holds them exactly",
                                  narrowed == 1 ? fmt::format("the elements of '{}'", first_narrowed)
                                                : fmt::format("those of {} tensors", narrowed)));
    }
    if (copied > 0) {
        context_.note(fmt::format("JLD2.jl makes a new Dict at each place where it meets one: {} equal copies for it",
                                  copied == 1 ? fmt::format("'{}', which stands at several, is", first_copied)
                                              : fmt::format("{} that stand at several are", copied)));
    }
    if (long_tuples > 0) {
        context_.note(fmt::format(
            "{} of more than {} items, or nested too deep for Julia's compiler, written as Vector{{Any}}, and restored "
            "on "
            "the way back",
            long_tuples == 1 ? "a tuple is" : fmt::format("{} tuples are", long_tuples), ValueTypes::kMostTupleItems));
    }
    for (const std::string& type : classes) {
        context_.note(fmt::format(
            "Julia has no class '{}': such values are written as NamedTuples with __type__, and restored on "
            "the way back",
            type));
    }
    if (!cuts_.empty())
        context_.note(
            "rings of lists and dicts, which JLD2.jl cannot load, are cut for it, and restored on the way back");
}

WritePlan plan_document(const Document& document, const WriteOptions& options, const Context& context) {
    return DocumentWriter(document, options, context).plan();
}

}  // namespace ckpt::jld2
