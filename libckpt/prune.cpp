// Looking, deciding, and taking away.
#include "libckpt/prune.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <limits>
#include <map>
#include <span>

#include <fmt/format.h>

#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/parallel.hpp"
#include "libckpt/removal.hpp"
#include "libckpt/select.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;
using Action = PruneSubject::Action;

std::optional<FileIdentity> identity_of(const std::string& path) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    return FileIdentity{status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec,
                        status.st_mtim.tv_nsec};
}

std::string parent_of(const std::string& path) {
    return fs::path(path).parent_path().string();
}

double now_seconds() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double last_element(const TensorNode& tensor, std::uint64_t count) {
    const BlobPtr elements = logical_blob(tensor);
    const std::uint64_t width = elements->size_bytes() / count;
    std::array<std::byte, 16> bytes = {};
    if (width == 0 || width > bytes.size()) return std::numeric_limits<double>::quiet_NaN();
    elements->read((count - 1) * width, std::span(bytes.data(), static_cast<std::size_t>(width)));
    return element_as_double(tensor.dtype, bytes.data());
}

/// The last element of what has several: of a log, the value at the time of the checkpoint.
std::optional<double> number_in(const Value& value) {
    if (value.is(Kind::kFloat)) return value.as_double();
    if (value.is(Kind::kInt)) {
        if (const auto small = value.as_int64()) return static_cast<double>(*small);
        if (const auto large = value.as_uint64()) return static_cast<double>(*large);
        return std::nullopt;
    }
    if ((value.is(Kind::kList) || value.is(Kind::kTuple)) && !value.sequence().items.empty()) {
        const Value& last = value.sequence().items.back();
        return last.is(Kind::kFloat) || last.is(Kind::kInt) ? number_in(last) : std::nullopt;
    }
    if (value.is(Kind::kTensor)) {
        const TensorNode& tensor = value.tensor();
        const auto count = tensor.element_count();
        if (tensor.storage == nullptr || !count || *count == 0 || tensor.shape.size() > 1) return std::nullopt;
        return last_element(tensor, *count);
    }
    return std::nullopt;
}

/// Readers on several threads tell nothing on their way.
Context silent(Context context) {
    context.on_progress = nullptr;
    context.on_warning = nullptr;
    context.on_note = nullptr;
    return context;
}

}  // namespace

PrunePlan::PrunePlan(const Registry& registry, RunFolder folder, PruneOptions options, const Context& context)
    : registry_(registry), options_(std::move(options)), context_(context) {
    folder.stat();
    take(folder);
    protect_targets();
    check_all();
    if (options_.rules.best) find_metrics();
    decide();
    if (!options_.stripped.empty()) spare_stripped();
}

void PrunePlan::take(const RunFolder& folder) {
    const double now = now_seconds();
    for (const CheckpointEntry& entry : folder.checkpoints()) {
        if (entry.match.is_alias) continue;
        PruneSubject subject;
        subject.entry = entry;
        subject.identity = identity_of(entry.path);
        RetentionItem& item = subject.item;
        item.name = entry.name();
        item.series = parent_of(entry.path) + '\0' + entry.match.series.str();
        if (options_.axis.empty()) item.index = entry.match.index;
        if (!options_.axis.empty() && options_.axis != "time") item.index = entry.match.on_axis(options_.axis);
        item.time_seconds = entry.mtime_seconds;
        item.bytes = entry.bytes;
        for (const std::string& alias : entry.aliases) item.protections.push_back(fmt::format("{} leads here", alias));
        if (now - entry.mtime_seconds < options_.min_age_seconds)
            item.protections.push_back(fmt::format("is younger than {}", options_.min_age_text));
        subjects_.push_back(std::move(subject));
    }
    for (const SkippedEntry& skipped : folder.skipped()) {
        struct stat status = {};
        if (!options_.removes_leftovers || !skipped.why.starts_with("leftover")) continue;
        if (::lstat(skipped.path.c_str(), &status) != 0) continue;
        if (now - static_cast<double>(status.st_mtim.tv_sec) >= options_.min_age_seconds)
            leftovers_.push_back(skipped.path);
    }
}

/// What a pointer file names is what the next start resumes from.
void PrunePlan::protect_targets() {
    std::map<std::string, std::vector<PruneSubject*>> folders;
    for (PruneSubject& subject : subjects_) folders[parent_of(subject.entry.path)].push_back(&subject);
    for (const auto& [folder, members] : folders) {
        for (const Pointer& pointer : read_pointers(folder.empty() ? "." : folder)) {
            bool is_met = false;
            for (PruneSubject* subject : members) {
                const std::string_view name = subject->entry.name();
                if (name != pointer.target && name != pointer.target + ".index") continue;
                subject->item.protections.push_back(fmt::format("{} names it", pointer.name));
                is_met = true;
            }
            if (!is_met) stale_.push_back(pointer);
        }
    }
}

void PrunePlan::check_all() {
    const Context context = silent(context_);
    for_each_parallel(subjects_.size(), context, [&](std::size_t i) {
        PruneSubject& subject = subjects_[i];
        subject.check = check_checkpoint(registry_, subject.entry.path, options_.level, context);
        if (subject.check.state == CheckResult::State::kValid) return;
        subject.item.why_invalid = subject.check.why;
        // Another program's may be whole all the same.
        if (subject.check.state == CheckResult::State::kUnreadable)
            subject.item.protections.emplace_back("cannot be checked");
    });
}

void PrunePlan::find_metrics() {
    const Context context = silent(context_);
    for_each_parallel(subjects_.size(), context, [&](std::size_t i) {
        PruneSubject& subject = subjects_[i];
        if (!subject.item.why_invalid.empty()) return;
        for (const NameNumber& number : subject.entry.match.axes) {
            if (number.axis == options_.metric) subject.item.metric = number.value;
        }
        if (subject.item.metric) return;
        const Document document = read_document(registry_, subject.entry.path, context);
        Value holder;
        const Value* value = find_path(document.root, options_.metric, holder);
        if (value != nullptr) subject.item.metric = number_in(*value);
    });
    const bool has_any = std::any_of(subjects_.begin(), subjects_.end(),
                                     [](const PruneSubject& subject) { return subject.item.metric.has_value(); });
    if (!has_any && !subjects_.empty()) {
        throw_error(ErrorCode::kRefused, "no checkpoint has a number '{}', in its name or inside; nothing was removed",
                    options_.metric);
    }
}

void PrunePlan::decide() {
    std::vector<RetentionItem> items;
    items.reserve(subjects_.size());
    for (const PruneSubject& subject : subjects_) items.push_back(subject.item);
    auto verdicts = plan_retention(items, options_.rules);
    for (std::size_t i = 0; i < subjects_.size(); ++i) {
        PruneSubject& subject = subjects_[i];
        subject.verdict = std::move(verdicts[i]);
        const bool is_stripped = !options_.stripped.empty() && subject.item.why_invalid.empty();
        subject.action = subject.verdict.is_kept ? Action::kKeep : is_stripped ? Action::kStrip : Action::kRemove;
    }
}

/// What was stripped before stays as it is.
void PrunePlan::spare_stripped() {
    const Context context = silent(context_);
    Selection selection;
    selection.roles = options_.stripped;
    for_each_parallel(subjects_.size(), context, [&](std::size_t i) {
        PruneSubject& subject = subjects_[i];
        if (subject.action != Action::kStrip) return;
        const Document document = read_document(registry_, subject.entry.path, context);
        if (select(document, selection, Side::kTaken).leaves != 0) return;
        subject.action = Action::kKeep;
        subject.verdict = {true, false, {fmt::format("has no {}", role_name(options_.stripped.front()))}};
    });
}

std::size_t PrunePlan::count(Action action) const {
    return static_cast<std::size_t>(std::count_if(subjects_.begin(), subjects_.end(),
                                                  [action](const auto& subject) { return subject.action == action; }));
}

std::uint64_t PrunePlan::removed_bytes() const {
    std::uint64_t bytes = 0;
    for (const PruneSubject& subject : subjects_) bytes += subject.action == Action::kRemove ? subject.item.bytes : 0;
    return bytes;
}

PrunePlan::Done PrunePlan::carry_out(const Rewrite& rewrite) {
    if (!options_.trash.empty()) {
        std::error_code error;
        fs::create_directories(options_.trash, error);
        if (error) throw_error(ErrorCode::kOutput, "{}: cannot be made: {}", options_.trash, error.message());
    }
    Done done;
    const auto attempt = [&](const std::string& path, const auto& work) {
        context_.check_cancelled();
        try {
            work();
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            done.failures.emplace_back(path, error.what());
        }
    };
    std::vector<const PruneSubject*> removed;
    for (const PruneSubject& subject : subjects_) {
        if (subject.action != Action::kKeep) removed.push_back(&subject);
    }
    std::stable_sort(removed.begin(), removed.end(), [](const PruneSubject* a, const PruneSubject* b) {
        return a->item.time_seconds < b->item.time_seconds;
    });
    for (const PruneSubject* subject : removed) attempt(subject->entry.path, [&] { remove(*subject, rewrite, done); });
    for (const std::string& path : leftovers_) attempt(path, [&] { take_away({path}); });
    return done;
}

void PrunePlan::take_away(const std::vector<std::string>& paths) const {
    if (options_.trash.empty()) {
        remove_unit(paths);
    } else {
        move_unit(paths, options_.trash);
    }
}

void PrunePlan::remove(const PruneSubject& subject, const Rewrite& rewrite, Done& done) {
    const std::string& path = subject.entry.path;
    if (identity_of(path) != subject.identity)
        throw_error(ErrorCode::kOutput, "{}: has changed since the plan was made; it is left alone", path);
    const PruneSubject* newest = newest_valid_of(subject);
    if (newest != nullptr && identity_of(newest->entry.path) != newest->identity)
        throw_error(ErrorCode::kOutput, "{}: is left alone: {} is no longer what it was", path, newest->entry.path);
    if (subject.action == Action::kStrip) return strip(subject, rewrite, done);
    std::vector<std::string> paths = {path};
    paths.insert(paths.end(), subject.entry.others.begin(), subject.entry.others.end());
    take_away(paths);
    done.freed_bytes += subject.item.bytes;
}

const PruneSubject* PrunePlan::newest_valid_of(const PruneSubject& subject) const {
    const auto found = std::find_if(subjects_.begin(), subjects_.end(), [&](const PruneSubject& other) {
        return other.verdict.is_newest_valid && other.item.series == subject.item.series;
    });
    return found != subjects_.end() ? &*found : nullptr;
}

/// Its time stays: that of the training, not of the tidying up.
void PrunePlan::strip(const PruneSubject& subject, const Rewrite& rewrite, Done& done) const {
    const std::string& path = subject.entry.path;
    if (subject.entry.is_folder)
        throw_error(ErrorCode::kUnsupported, "{}: a checkpoint of several files cannot be stripped", path);
    const Document document = read_document(registry_, path, context_);
    Selection selection;
    selection.roles = options_.stripped;
    struct stat before = {};
    const bool has_time = ::stat(path.c_str(), &before) == 0;
    rewrite(select(document, selection, Side::kRest).document, path);
    struct stat after = {};
    if (!has_time || ::stat(path.c_str(), &after) != 0) return;
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    (void)::utimensat(AT_FDCWD, path.c_str(), times, 0);
    if (after.st_size < before.st_size) done.freed_bytes += static_cast<std::uint64_t>(before.st_size - after.st_size);
}

}  // namespace ckpt
