// A checkpoint of a run folder as `ls` and `last` show it.
#pragma once

#include <string>

#include "libckpt/check_entry.hpp"
#include "libckpt/inside_index.hpp"
#include "libckpt/pointers.hpp"
#include "libckpt/run_facts.hpp"
#include "libckpt/run_folder.hpp"
#include "tools/session.hpp"

namespace ckpt {

/// What opening a checkpoint (index only) tells; empty fields when it was not opened.
struct CheckpointFacts {
    std::string format;  ///< layout; by extension when the file was not opened
    std::string producer;
    std::string holds;  ///< roles, for a person
    std::uint64_t parameters = 0;
    std::string state = "unchecked";  ///< unchecked, ok, damaged
    std::string why;                  ///< where it is damaged
    InsideIndex inside;               ///< how far the run had come, as the file has it
    std::string target;               ///< of a link, as it stands in it; looked at in aliases and in what is opened
    std::string disagrees;            ///< "holds epoch 12", where the name says another, or that it is the last
    RunFacts run;                     ///< of the training run, by the name, or by the arguments that the file holds
};

/// A folder that is one checkpoint by itself, by what is in it: its layout, or nullptr for any other folder or file.
const Format* layout_of_folder(const Session& session, const std::string& path);
/// Such a folder as a checkpoint, without an index.
CheckpointEntry folder_entry(const std::string& path);
/// Whether folders of a layout are rewritten by every save.
bool is_rolling(const Format& layout);
/// For ScanOptions::rolling: the saving folder of a calibration, whose index is its number of batches (none where it
/// cannot be read). Opens no other folder.
std::optional<NameMatch> rolling_match(const Session& session, const std::string& path);

/// By name only.
CheckpointFacts facts_by_name(const Session& session, const CheckpointEntry& entry);
/// Opens the checkpoint, and looks at the files that belong to it; an unreadable one is a fact, not an error.
CheckpointFacts facts_by_reading(const Session& session, const CheckpointEntry& entry, const EntryChecker& checker);

/// Notes in `disagrees` what calls itself the last (`last.ckpt`) and holds less than a checkpoint beside it has in its
/// name.
void judge_aliases(const std::vector<CheckpointEntry>& entries, std::vector<CheckpointFacts>& facts);

/// One JSON object, the fields of DESIGN's `ls`; indented by `indent` spaces, or on one line for -1.
std::string record_json(const CheckpointEntry& entry, const CheckpointFacts& facts, int indent);
/// The whole answer of `ls --json`.
std::string list_json(const std::vector<CheckpointEntry>& entries, const std::vector<CheckpointFacts>& facts,
                      const std::vector<SkippedEntry>& skipped, const std::vector<JudgedPointer>& pointers);
/// "latest names step-30; the newest is step-40"; empty for one that names the newest.
std::string pointer_text(const JudgedPointer& pointer);

}  // namespace ckpt
