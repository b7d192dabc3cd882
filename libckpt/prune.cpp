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
#include <set>
#include <span>
#include <tuple>

#include <fmt/format.h>

#include "libckpt/check_entry.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/parallel.hpp"
#include "libckpt/referrers.hpp"
#include "libckpt/removal.hpp"
#include "libckpt/select.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;
using Action = PruneSubject::Action;

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

/// A number in a name: of `checkpoint.best_loss_3.25.pt` the word before it says what it is.
std::optional<double> metric_in_name(const CheckpointEntry& entry, const std::string& metric) {
    for (const NameNumber& number : entry.match.axes) {
        if (number.axis == metric) return number.value;
        if (number.axis == "metric" && entry.name().substr(0, number.begin).ends_with("_" + metric + "_"))
            return number.value;
    }
    return std::nullopt;
}

/// There may be several of them, each with a number.
bool calls_itself_best(const CheckpointEntry& entry) {
    const std::string_view scheme = entry.match.scheme;
    return scheme == "fairseq-best-metric" || scheme == "mmengine-best" ||
           (scheme == "sample-factory" && entry.name().starts_with("best_"));
}

/// `epoch-3.pt` of `.epoch-3.pt.ckpt-tmp-0123abcd`, which a removal made of it; empty for any other name.
std::string name_before_removal(std::string_view leftover) {
    constexpr std::string_view kMark = ".ckpt-tmp-";
    const std::size_t mark = leftover.rfind(kMark);
    if (!leftover.starts_with('.') || mark == std::string_view::npos || mark == 0) return {};
    const std::string_view digits = leftover.substr(mark + kMark.size());
    const bool is_ours = digits.size() == 8 && digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    return is_ours ? std::string(leftover.substr(1, mark - 1)) : std::string();
}

bool is_same_set(const NameMatch& a, const NameMatch& b) {
    const auto is_equal = [](const NameNumber& m, const NameNumber& n) {
        return m.axis == n.axis && m.value == n.value;
    };
    return a.is_part && b.is_part && a.series.str() == b.series.str() &&
           std::equal(a.axes.begin(), a.axes.end(), b.axes.begin(), b.axes.end(), is_equal);
}

/// Files of a folder that have the name of a checkpoint, with or without its extension, and more behind a dot.
std::vector<std::string> files_of_stem(const std::string& folder, const std::string& name, const NameNumber& last,
                                       const std::set<std::string>& taken) {
    const std::size_t dot = name.find('.', last.begin + last.length);
    const std::string stem = name.substr(0, dot) + ".";
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator it(folder.empty() ? "." : folder, error), end; !error && it != end;
         it.increment(error)) {
        std::error_code ignored;
        const std::string other = it->path().filename().string();
        const std::string path = folder.empty() ? other : it->path().string();
        if (other.starts_with(stem) && it->is_regular_file(ignored) && !it->is_symlink(ignored) &&
            !taken.contains(path) && !NameTable::why_not(other))
            files.push_back(path);
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// The files of a checkpoint that a document can be read from: a folder is one document, each part of a set is one.
std::vector<std::string> files_with_content(const CheckpointEntry& entry) {
    std::vector<std::string> files = {entry.path};
    if (!entry.match.is_part) return files;
    const NameTable table;
    for (const std::string& other : entry.others) {
        const auto match = table.classify(fs::path(other).filename().string(), EntryKind::kFile);
        if (match && match->is_part) files.push_back(other);
    }
    return files;
}

/// Names in a folder, by what they are but for their digits.
std::map<std::string, std::string> shapes_in(const std::string& folder) {
    std::map<std::string, std::string> shapes;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        std::string shape;
        for (const char c : name) {
            const bool is_digit = c >= '0' && c <= '9';
            if (!is_digit || !shape.ends_with('#')) shape += is_digit ? '#' : c;
        }
        if (!name.starts_with('.')) shapes.emplace(std::move(shape), name);
    }
    return shapes;
}

/// What holds nothing but the state of the optimizer: `optimizer.pt` in a folder, `optimizer_3.pth` beside
/// `model_3.pth`.
std::vector<std::string> optimizer_files(const CheckpointEntry& entry) {
    const auto is_optimizer = [](const fs::path& path) { return path.filename().string().starts_with("optimizer"); };
    std::vector<std::string> files;
    for (const std::string& other : entry.others) {
        if (is_optimizer(other)) files.push_back(other);
    }
    std::error_code error;
    if (!entry.is_folder) return files;
    for (fs::directory_iterator it(entry.path, error), end; !error && it != end; it.increment(error)) {
        if (is_optimizer(it->path())) files.push_back(it->path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
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
    if (options_.removes_leftovers) {
        take_leftovers(folder);
        finish_removals();
    }
    choose_axes();
    protect_targets();
    check_all(folder);
    doubt_unfinished();
    if (options_.rules.best) find_metrics();
    decide();
    if (!options_.stripped.empty()) spare_stripped();
}

void PrunePlan::take(const RunFolder& folder) {
    const double now = now_seconds();
    for (const CheckpointEntry& entry : folder.checkpoints()) {
        if (entry.match.is_alias || is_in_trash(entry.path)) continue;
        PruneSubject subject;
        subject.entry = entry;
        subject.identity = identity_of(entry.path, entry.others);
        RetentionItem& item = subject.item;
        item.name = entry.name();
        item.path = fs::path(entry.path).lexically_relative(options_.root).string();
        item.series = parent_of(entry.path) + '\0' + entry.match.series.str();
        item.time_seconds = entry.mtime_seconds;
        item.bytes = entry.bytes;
        double newest = entry.mtime_seconds;
        std::error_code error;
        // The time of a link is not that of what it leads to.
        if (subject.identity && !fs::is_symlink(entry.path, error))
            newest = std::max(newest, static_cast<double>(subject.identity->newest_nanoseconds) * 1e-9);
        subject.is_young = now - newest < options_.min_age_seconds;
        if (subject.is_young) item.protections.push_back(fmt::format("is younger than {}", options_.min_age_text));
        const bool is_ranked = options_.rules.best && metric_in_name(entry, options_.metric);
        if (calls_itself_best(entry) && !is_ranked) item.protections.emplace_back("calls itself the best");
        subjects_.push_back(std::move(subject));
    }
}

void PrunePlan::take_leftovers(const RunFolder& folder) {
    const double now = now_seconds();
    const auto take = [&](const std::string& path, const std::string& why) {
        const auto identity = identity_of(path);
        if (!identity) return;
        if (now - static_cast<double>(identity->newest_nanoseconds) * 1e-9 >= options_.min_age_seconds)
            leftovers_.push_back({path, identity->bytes, why});
    };
    for (const SkippedEntry& skipped : folder.skipped()) {
        if (skipped.why.starts_with("leftover") && !is_in_trash(skipped.path)) take(skipped.path, skipped.why);
    }
    // What was to be stripped of a folder.
    for (const PruneSubject& subject : subjects_) {
        std::error_code error;
        if (!subject.entry.is_folder) continue;
        for (fs::directory_iterator it(subject.entry.path, error), end; !error && it != end; it.increment(error)) {
            if (!name_before_removal(it->path().filename().string()).empty())
                take(it->path().string(), "leftover of an interrupted removal");
        }
    }
}

/// Where a removal was interrupted, one file of a checkpoint is a leftover already, and the others have their names.
void PrunePlan::finish_removals() {
    const NameTable table;
    const std::size_t count = leftovers_.size();
    for (std::size_t i = 0; i < count; ++i) {
        const fs::path leftover = leftovers_[i].path;
        const std::string name = name_before_removal(leftover.filename().string());
        const auto match = name.empty() ? std::nullopt : table.classify(name, EntryKind::kFile);
        if (!match || !match->index) continue;
        const std::string folder = leftover.parent_path().string();
        std::set<std::string> taken;  // paths of checkpoints
        bool is_back = false;
        for (auto subject = subjects_.begin(); subject != subjects_.end(); ++subject) {
            const CheckpointEntry& entry = subject->entry;
            if (parent_of(entry.path) != folder) continue;
            std::vector<std::string> files = {entry.path};
            files.insert(files.end(), entry.others.begin(), entry.others.end());
            is_back = is_back || std::any_of(files.begin(), files.end(), [&](const std::string& file) {
                          return fs::path(file).filename() == name;
                      });
            taken.insert(files.begin(), files.end());
        }
        if (is_back) continue;
        const auto rest = std::find_if(subjects_.begin(), subjects_.end(), [&](const PruneSubject& subject) {
            return match->is_part && is_same_set(subject.entry.match, *match) &&
                   parent_of(subject.entry.path) == folder && subject.item.protections.empty();
        });
        std::vector<std::string> files;
        if (rest != subjects_.end()) {
            files = {rest->entry.path};
            files.insert(files.end(), rest->entry.others.begin(), rest->entry.others.end());
            subjects_.erase(rest);
        } else {
            files = files_of_stem(folder, name, match->axes.back(), taken);
        }
        for (const std::string& file : files) {
            const auto identity = identity_of(file);
            leftovers_.push_back({file, identity ? identity->bytes : 0, "the rest of what was removed"});
        }
    }
}

/// What orders the checkpoints: the axis asked for, where what has no number can be neither older nor newer; else the
/// one that the name of each is counted on. Those of a series that are counted on different ones are not compared.
void PrunePlan::choose_axes() {
    options_.rules.by_time = options_.axis == "time";
    bool has_any = subjects_.empty() || options_.rules.by_time;
    for (PruneSubject& subject : subjects_) {
        const NameMatch& match = subject.entry.match;
        RetentionItem& item = subject.item;
        if (options_.axis.empty() || options_.rules.by_time) {
            if (match.axis == "metric") continue;  // says nothing of the order
            item.index = match.index;
            if (!options_.rules.by_time) item.series += '\0' + match.axis.str();
            continue;
        }
        item.index = match.on_axis(options_.axis);
        if (!item.index) item.protections.push_back(fmt::format("has no number '{}'", options_.axis));
        has_any = has_any || item.index;
    }
    if (!options_.axis.empty() && !has_any)
        throw_error(ErrorCode::kRefused, "no checkpoint has a number '{}' in its name; nothing was removed",
                    options_.axis);
}

void PrunePlan::protect_targets() {
    Referrers referrers = find_referrers(entries(), options_.root);
    for (std::size_t i = 0; i < subjects_.size(); ++i) {
        auto& protections = subjects_[i].item.protections;
        protections.insert(protections.begin(), referrers.reasons[i].begin(), referrers.reasons[i].end());
    }
    stale_ = std::move(referrers.stale);
}

void PrunePlan::check_all(const RunFolder& folder) {
    const Context context = silent(context_);
    const EntryChecker checker(registry_, folder.checkpoints());
    for_each_parallel(subjects_.size(), context, [&](std::size_t i) {
        PruneSubject& subject = subjects_[i];
        subject.check = checker.check(subject.entry, options_.level, context);
        if (subject.check.state == CheckResult::State::kValid) return;
        subject.item.why_invalid = subject.check.why;
        // Another program's may be whole all the same.
        if (subject.check.state == CheckResult::State::kUnreadable)
            subject.item.protections.emplace_back("cannot be checked");
    });
}

/// A folder is filled file by file: the model may be whole while the optimizer is not there yet, and then the one
/// before must not go.
void PrunePlan::doubt_unfinished() {
    const auto is_before = [](const PruneSubject& a, const PruneSubject& b) {
        return std::tie(a.item.index, a.item.time_seconds) < std::tie(b.item.index, b.item.time_seconds);
    };
    std::vector<const PruneSubject*> settled;
    for (const PruneSubject& subject : subjects_) {
        if (!subject.is_young && subject.entry.is_folder && subject.item.why_invalid.empty())
            settled.push_back(&subject);
    }
    for (PruneSubject& subject : subjects_) {
        if (!subject.is_young || !subject.entry.is_folder || !subject.item.why_invalid.empty()) continue;
        const PruneSubject* before = nullptr;
        for (const PruneSubject* other : settled) {
            if (other->item.series == subject.item.series && is_before(*other, subject) &&
                (before == nullptr || is_before(*before, *other)))
                before = other;
        }
        if (before == nullptr) continue;
        const auto there = shapes_in(subject.entry.path);
        for (const auto& [shape, name] : shapes_in(before->entry.path)) {
            if (there.contains(shape)) continue;
            subject.item.why_invalid =
                fmt::format("may not be finished: has no {}, which {} has", name, before->entry.name());
            subject.check = {CheckResult::State::kDamaged, subject.check.layout, subject.item.why_invalid};
            break;
        }
    }
}

void PrunePlan::find_metrics() {
    const Context context = silent(context_);
    for_each_parallel(subjects_.size(), context, [&](std::size_t i) {
        PruneSubject& subject = subjects_[i];
        if (!subject.item.why_invalid.empty()) return;
        subject.item.metric = metric_in_name(subject.entry, options_.metric);
        if (subject.item.metric) return;
        try {
            const Document document = read_document(registry_, subject.entry.path, context);
            Value holder;
            const Value* value = find_path(document.root, options_.metric, holder);
            if (value != nullptr) subject.item.metric = number_in(*value);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
        }
        if (!subject.item.metric && options_.metric_beside)
            subject.item.metric = options_.metric_beside(subject.entry, options_.metric);
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
        // Nobody knows whether it is.
        if (subject.check.state == CheckResult::State::kUnreadable)
            std::erase_if(subject.verdict.reasons, [](const auto& reason) { return reason.starts_with("damaged"); });
        const bool is_stripped = !options_.stripped.empty() && subject.item.why_invalid.empty();
        subject.action = subject.verdict.is_kept ? Action::kKeep : is_stripped ? Action::kStrip : Action::kRemove;
    }
}

/// What was stripped before, and what cannot be written anew, stays as it is.
void PrunePlan::spare_stripped() {
    const Context context = silent(context_);
    for_each_parallel(subjects_.size(), context, [&](std::size_t i) {
        PruneSubject& subject = subjects_[i];
        if (subject.action != Action::kStrip) return;
        const std::string why = why_not_stripped(subject, context);
        if (why.empty()) return;
        subject.action = Action::kKeep;
        subject.verdict = {true, false, {why}};
    });
}

std::string PrunePlan::why_not_stripped(PruneSubject& subject, const Context& context) const {
    const CheckpointEntry& entry = subject.entry;
    std::error_code ignored;
    if (fs::is_symlink(entry.path, ignored)) return "is a link, and what it leads to is not of this folder";
    Selection selection;
    selection.roles = options_.stripped;
    if (std::find(options_.stripped.begin(), options_.stripped.end(), Role::kOptimizer) != options_.stripped.end())
        subject.dropped = optimizer_files(entry);
    bool has_inside = false;
    try {
        for (const std::string& path : files_with_content(entry)) {
            const Document document = read_document(registry_, path, context);
            const Format* format = registry_.by_name(document.format);
            const bool has_more = format != nullptr && format->capabilities().has_more;  // than what was read
            if (!has_more && select(document, selection, Side::kTaken).leaves == 0) continue;
            has_inside = true;
            if (entry.is_folder) return "is a checkpoint of several files, which cannot be written without a part";
            if (format == nullptr || !format->capabilities().can_write)
                return fmt::format("its layout, {}, can only be read", document.format);
        }
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kCancelled) throw;
        if (!subject.dropped.empty()) return {};  // a folder of another program's
        return fmt::format("cannot be read: {}", error.message());
    }
    return has_inside || !subject.dropped.empty() ? "" : fmt::format("has no {}", role_name(options_.stripped.front()));
}

std::vector<const CheckpointEntry*> PrunePlan::entries() const {
    std::vector<const CheckpointEntry*> all;
    for (const PruneSubject& subject : subjects_) all.push_back(&subject.entry);
    return all;
}

bool PrunePlan::is_in_trash(const std::string& path) const {
    if (options_.trash.empty()) return false;
    std::error_code error;
    const fs::path trash = fs::weakly_canonical(options_.trash, error);
    for (fs::path at =
             fs::weakly_canonical(parent_of(path).empty() ? "." : parent_of(path), error) / fs::path(path).filename();
         at.has_relative_path(); at = at.parent_path()) {
        if (at == trash) return true;
    }
    return false;
}

std::vector<std::string> PrunePlan::emptied_folders() const {
    std::map<std::string, bool> is_emptied;
    for (const PruneSubject& subject : subjects_) {
        const auto [held, is_new] = is_emptied.try_emplace(parent_of(subject.entry.path), true);
        held->second = held->second && subject.action == Action::kRemove;
    }
    std::vector<std::string> folders;
    for (const auto& [folder, all] : is_emptied) {
        if (all) folders.push_back(folder.empty() ? "." : folder);
    }
    return folders;
}

std::size_t PrunePlan::count(Action action) const {
    return static_cast<std::size_t>(std::count_if(subjects_.begin(), subjects_.end(),
                                                  [action](const auto& subject) { return subject.action == action; }));
}

std::uint64_t PrunePlan::removed_bytes() const {
    std::vector<std::string> paths;
    for (const PruneSubject& subject : subjects_) {
        if (subject.action != Action::kRemove) continue;
        paths.push_back(subject.entry.path);
        paths.insert(paths.end(), subject.entry.others.begin(), subject.entry.others.end());
    }
    return freed_by(paths);
}

std::uint64_t PrunePlan::leftover_bytes() const {
    std::vector<std::string> paths;
    for (const Leftover& leftover : leftovers_) paths.push_back(leftover.path);
    return freed_by(paths);
}

/// By removing them, or by moving them to another file system.
std::uint64_t PrunePlan::freed_by(const std::vector<std::string>& paths) const {
    struct stat trash = {};
    struct stat here = {};
    fs::path place = options_.trash;
    while (!options_.trash.empty() && ::stat(place.empty() ? "." : place.c_str(), &trash) != 0 && !place.empty())
        place = place.parent_path();  // it is made when it is needed
    if (!options_.trash.empty() && ::stat(options_.root.c_str(), &here) == 0 && here.st_dev == trash.st_dev) return 0;
    return freed_by_removing(paths);
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
    // Somebody may have thought about the plan for hours.
    const Referrers referrers = find_referrers(entries(), options_.root);
    std::vector<std::size_t> removed;
    for (std::size_t i = 0; i < subjects_.size(); ++i) {
        if (subjects_[i].action != Action::kKeep) removed.push_back(i);
    }
    std::stable_sort(removed.begin(), removed.end(), [&](std::size_t a, std::size_t b) {
        const RetentionItem& x = subjects_[a].item;
        const RetentionItem& y = subjects_[b].item;
        if (x.series != y.series && !options_.rules.by_time) return x.series < y.series;
        return is_older(x, y, options_.rules.by_time);
    });
    for (const std::size_t i : removed) {
        const PruneSubject& subject = subjects_[i];
        attempt(subject.entry.path, [&] {
            if (!referrers.reasons[i].empty() && subject.action == Action::kRemove) {
                throw_error(ErrorCode::kOutput, "{}: is left alone: since the plan was made, {}", subject.entry.path,
                            referrers.reasons[i].front());
            }
            remove(subject, rewrite, done);
        });
    }
    for (const Leftover& leftover : leftovers_) {
        attempt(leftover.path, [&] {
            if (!identity_of(leftover.path)) return;  // writing anew clears away what it finds of itself
            done.freed_bytes += take_away({leftover.path});
        });
    }
    return done;
}

/// Returns how many bytes that freed.
std::uint64_t PrunePlan::take_away(const std::vector<std::string>& paths) const {
    const std::uint64_t freed = freed_by(paths);
    if (options_.trash.empty()) {
        remove_unit(paths);
        return freed;
    }
    // Folders of a tree have checkpoints of the same names.
    const fs::path below = fs::path(parent_of(paths.front())).lexically_relative(options_.root);
    const fs::path folder = below.empty() || *below.begin() == ".." ? fs::path(options_.trash) : options_.trash / below;
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw_error(ErrorCode::kOutput, "{}: cannot be made: {}", folder.string(), error.message());
    move_unit(paths, folder.lexically_normal().string());
    return freed;
}

void PrunePlan::remove(const PruneSubject& subject, const Rewrite& rewrite, Done& done) {
    const std::string& path = subject.entry.path;
    if (identity_of(path, subject.entry.others) != subject.identity)
        throw_error(ErrorCode::kOutput, "{}: has changed since the plan was made; it is left alone", path);
    const PruneSubject* newest = newest_valid_of(subject);
    if (newest != nullptr && identity_of(newest->entry.path, newest->entry.others) != newest->identity)
        throw_error(ErrorCode::kOutput, "{}: is left alone: {} is no longer what it was", path, newest->entry.path);
    if (subject.action == Action::kStrip) return strip(subject, rewrite, done);
    std::vector<std::string> paths = {path};
    paths.insert(paths.end(), subject.entry.others.begin(), subject.entry.others.end());
    done.freed_bytes += take_away(paths);
}

const PruneSubject* PrunePlan::newest_valid_of(const PruneSubject& subject) const {
    const auto found = std::find_if(subjects_.begin(), subjects_.end(), [&](const PruneSubject& other) {
        return other.verdict.is_newest_valid && other.item.series == subject.item.series;
    });
    return found != subjects_.end() ? &*found : nullptr;
}

/// Its time stays: that of the training, not of the tidying up.
void PrunePlan::strip(const PruneSubject& subject, const Rewrite& rewrite, Done& done) const {
    Selection selection;
    selection.roles = options_.stripped;
    const auto files = subject.entry.is_folder ? std::vector<std::string>() : files_with_content(subject.entry);
    for (const std::string& path : files) {
        const Document document = read_document(registry_, path, context_);
        if (select(document, selection, Side::kTaken).leaves == 0) continue;
        struct stat before = {};
        const bool has_time = ::stat(path.c_str(), &before) == 0;
        rewrite(select(document, selection, Side::kRest).document, path);
        struct stat after = {};
        if (!has_time || ::stat(path.c_str(), &after) != 0) continue;
        const struct timespec times[2] = {before.st_atim, before.st_mtim};
        (void)::utimensat(AT_FDCWD, path.c_str(), times, 0);
        if (after.st_size < before.st_size)
            done.freed_bytes += static_cast<std::uint64_t>(before.st_size - after.st_size);
    }
    for (const std::string& path : subject.dropped) done.freed_bytes += take_away({path});
}

}  // namespace ckpt
