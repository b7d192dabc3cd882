// Five pickles, then the storages one behind the other.
#include "formats/torch/legacy.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

#include "formats/shared/pickle/dangerous.hpp"
#include "formats/shared/pickle/extent.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/torch/object.hpp"
#include "formats/shared/torch/rebuild.hpp"
#include "formats/torch/remains.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kMagicNumber = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
constexpr std::string_view kMagicDigits = "L119547037146038801333356L\n.";
constexpr std::string_view kMagicText = "119547037146038801333356";
constexpr std::int64_t kVersion = 1001;

/// The first pickle of a stream, by protocol.
std::vector<std::string> magic_pickles() {
    std::vector<std::string> all;
    for (const char protocol : {'\2', '\3'}) all.push_back(std::string("\x80") + protocol + std::string(kMagicNumber));
    for (const char protocol : {'\4', '\5'}) {
        std::string bytes = std::string("\x80") + protocol + '\x95';
        bytes += static_cast<char>(kMagicNumber.size());
        bytes.append(7, '\0');
        all.push_back(bytes + std::string(kMagicNumber));
    }
    all.emplace_back(kMagicDigits);  // protocols 0 and 1
    return all;
}
const std::vector<std::string>& magics() {
    static const std::vector<std::string> kAll = magic_pickles();
    return kAll;
}

/// Where a storage's bytes lie.
struct Place {
    std::uint64_t offset = 0, size_bytes = 0;
};

/// The storages of a stream of which a part is missing.
class LegacyRemains final : public Remains {
public:
    explicit LegacyRemains(std::shared_ptr<const File> file) : file_(std::move(file)) {}
    void set(const std::string& key, Place place) { places_[key] = place; }
    void set_wrong(const std::string& key, std::string why) { wrong_[key] = std::move(why); }
    bool has(const std::string& key) const { return places_.count(key) != 0; }
    std::string_view place() const noexcept override { return ""; }

private:
    BlobPtr part_of(const StorageId& id, StoragePart& part) const override {
        const auto wrong = wrong_.find(id.key);
        if (wrong != wrong_.end()) part.why = wrong->second;
        if (wrong != wrong_.end()) return nullptr;
        const auto found = places_.find(id.key);
        if (found == places_.end()) {
            part.why = fmt::format("storage '{}' has no place in the file", id.key);
            return nullptr;
        }
        const std::uint64_t offset = std::min(found->second.offset, file_->size_bytes());
        part.whole_bytes = std::min(id.size_bytes, file_->size_bytes() - offset);
        if (part.whole_bytes < id.size_bytes) {
            part.why = fmt::format("storage '{}' has {} of its {} bytes, which begin at byte {}", id.key,
                                   part.whole_bytes, id.size_bytes, found->second.offset);
        }
        return file_blob({file_, offset, part.whole_bytes});
    }

    std::shared_ptr<const File> file_;
    std::unordered_map<std::string, Place> places_;
    std::unordered_map<std::string, std::string> wrong_;
};

class LegacyStorages final : public StorageSource {
public:
    explicit LegacyStorages(std::shared_ptr<const File> file) : file_(std::move(file)) {}
    void set(const std::string& key, Place place) { places_[key] = place; }
    bool has(const std::string& key) const { return places_.count(key) != 0; }

    BlobPtr storage_bytes(const StorageId& id, const Context&) const override {
        const auto found = places_.find(id.key);
        if (found == places_.end()) throw_damaged("storage '{}' is not in the list of storages", id.key);
        if (found->second.size_bytes != id.size_bytes) {
            throw_damaged("storage '{}' has {} bytes, its {} needs {}", id.key, found->second.size_bytes, id.cls.name,
                          id.size_bytes);
        }
        return file_blob({file_, found->second.offset, id.size_bytes});
    }
    std::string_view place() const noexcept override { return ""; }

private:
    std::shared_ptr<const File> file_;
    std::unordered_map<std::string, Place> places_;
};

/// What a persistent id is: a storage, or a class with its source text.
enum class IdKind : bool { kStorage, kClass };
IdKind kind_of(const Value& id) {
    if (!id.is(Kind::kTuple)) throw_damaged("a persistent id is a {}, not a tuple", kind_name(id.kind()));
    const auto& items = id.sequence().items;
    const std::string_view kind = !items.empty() && items[0].is(Kind::kString) ? items[0].as_string() : "";
    if (kind == "storage" && items.size() == 6) return IdKind::kStorage;
    if (kind == "module" && items.size() == 4) return IdKind::kClass;
    throw_damaged("a persistent id of kind '{}' has {} items", kind, items.size());
}

/// Looks for storages only: where each lies follows from the sizes of all before it.
class Survey final : public PickleReaderHooks {
public:
    Value persistent_load(Pool&, Value id) override {
        const auto& items = id.is(Kind::kTuple) ? id.sequence().items : none_;
        if (kind_of(id) == IdKind::kClass) return items[1];
        const StorageId storage = parse_storage_id(items, "");
        ids_.try_emplace(storage.key, storage);
        return {};
    }
    const StorageId* find(const std::string& key) const {
        const auto found = ids_.find(key);
        return found == ids_.end() ? nullptr : &found->second;
    }
    const std::map<std::string, StorageId>& ids() const { return ids_; }

private:
    std::vector<Value> none_;
    std::map<std::string, StorageId> ids_;
};

class LegacyRebuilder final : public TorchRebuilder {
public:
    LegacyRebuilder(const StorageSource& storages, const Context& context, const Remains* remains = nullptr)
        : TorchRebuilder(storages, context), remains_(remains) {}

    bool is_done_with_arguments() const override { return false; }

    Value persistent_load(Pool& pool, Value id) override {
        const IdKind kind = kind_of(id);
        const auto& items = id.sequence().items;
        if (kind == IdKind::kClass) {
            keep_source(pool, items);
            return items[1];
        }
        const StorageId storage = parse_storage_id(items, "");
        const Value whole = storage_value(pool, storage);
        return items[5].is_null() ? whole : view_of(pool, storage.cls, whole, items[5]);
    }
    /// Class names and the text of their modules, where the file has it; or null.
    Value sources() const { return sources_; }

private:
    void keep_source(Pool& pool, const std::vector<Value>& items) {
        const bool is_text = items[3].is(Kind::kString) && !items[3].as_string().empty();
        const bool is_class = items[1].is(Kind::kObject) && items[1].node()->recipe;
        if (!is_text || !is_class) return;
        if (sources_.is_null()) sources_ = pool.dict();
        const std::string name = items[1].node()->recipe->callable;
        if (sources_.dict().find(name) == nullptr) sources_.dict().entries.emplace_back(pool.string(name), items[3]);
    }

    /// Part of a storage, as torch before 0.4 named it: its key, the first element and how many.
    Value view_of(Pool& pool, const StorageClass& cls, const Value& whole, const Value& view) {
        const auto& items = view.is(Kind::kTuple) ? view.sequence().items : none_;
        const auto from = items.size() == 3 ? items[1].as_uint64() : std::nullopt;
        const auto count = items.size() == 3 ? items[2].as_uint64() : std::nullopt;
        if (!from || !count) throw_damaged("a view of a storage is no (key, offset, size)");
        const TensorNode& storage = whole.tensor();
        const auto all = static_cast<std::uint64_t>(storage.shape.front());
        if (*from > all || *count > all - *from)
            throw_damaged("a view of elements {} to {} in a storage of {}", *from, *from + *count, all);
        if (*count == all) return whole;
        Value& known = views_[{whole.node(), *from, *count}];
        if (!known.is_null()) return known;
        const std::uint64_t width = storage.storage->blob->size_bytes() / all;
        auto part = std::make_shared<Storage>();
        part->blob = slice_blob(storage.storage->blob, *from * width, *count * width);
        if (remains_ != nullptr) remains_->add_view(*part->blob, *storage.storage->blob, *from * width, *count * width);
        part->location = storage.storage->location;
        known = Value::of(make_storage(pool, cls, std::move(part), *count));
        return known;
    }

    const Remains* remains_;
    std::vector<Value> none_;
    Value sources_;
    std::map<std::tuple<const Node*, std::uint64_t, std::uint64_t>, Value> views_;
};

/// The stream, part by part.
class LegacyReader {
public:
    LegacyReader(const Source& source, const Context& context)
        : file_(source.file), context_(context), storages_(source.file) {}

    Document run() {
        const Object object = read_object();
        find_storages(object.survey);
        Document document;
        document.format = "torch-legacy";
        document.producer = "torch.save before torch 1.6, or its old form";
        LegacyRebuilder rebuilder(storages_, context_);
        document.root = parse(object.pickle, object.at, kObject, document.pool(), rebuilder, nullptr);
        if (object.facts.protocol != 2)
            document.set_attribute("torch:pickle_protocol", Value::integer(object.facts.protocol));
        if (!rebuilder.sources().is_null()) document.set_attribute("torch:sources", rebuilder.sources());
        settle_torch_values(document.root, context_);
        rebuilder.check_all_bounds();
        return document;
    }

    /// What is there of a stream that was cut, or in which storages have a wrong count.
    Salvaged salvage() {
        const Object object = read_object();
        LegacyRemains remains(file_);
        place_storages(object.survey, remains);
        Salvaged result;
        result.document.format = "torch-legacy";
        if (at_ > file_->size_bytes()) {
            result.document.damage.emplace_back(
                ErrorCode::kDamaged,
                fmt::format("{} at byte {}, its storages at byte {}", kEndsEarly, file_->size_bytes(), at_));
        }
        LegacyRebuilder rebuilder(remains, context_, &remains);
        result.document.root = parse(object.pickle, object.at, kObject, result.document.pool(), rebuilder, nullptr);
        settle_remains(result, remains, context_);
        return result;
    }

    static constexpr std::string_view kEndsEarly = "the file ends";

private:
    static constexpr std::string_view kObject = "the pickle of the object";

    /// The pickle before the storages, looked through for them.
    struct Object {
        std::uint64_t at = 0;
        std::string pickle;
        Survey survey;
        PickleFacts facts;
    };
    Object read_object() {
        read_head();
        Object object;
        object.at = at_;
        object.pickle = next(kObject);
        Pool scratch;
        parse(object.pickle, object.at, kObject, scratch, object.survey, &object.facts);
        warn_of_globals(object.facts.globals, context_);
        return object;
    }

    /// Where each storage would be, however much of it is there.
    void place_storages(const Survey& survey, LegacyRemains& remains) {
        Pool pool;
        const Value keys = small("the list of storages", pool);
        if (!keys.is(Kind::kList) && !keys.is(Kind::kTuple))
            throw_damaged("has a {} where the list of storages belongs", kind_name(keys.kind()));
        for (const Value& item : keys.sequence().items) {
            const std::string key = storage_key(item);
            const StorageId* id = survey.find(key);
            if (id == nullptr) return;  // of a size that nobody knows: where the others are is not known, either
            std::int64_t count = 0;
            const bool is_there = at_ <= file_->size_bytes() && file_->size_bytes() - at_ >= sizeof count;
            if (is_there) file_->read(at_, std::as_writable_bytes(std::span(&count, 1)));
            if (is_there && (count < 0 || static_cast<std::uint64_t>(count) != id->count)) {
                remains.set_wrong(
                    key, fmt::format("storage '{}' at byte {} has {} elements, the object's pickle says {}", key, at_,
                                     count, id->count));
            }
            at_ += sizeof count;
            remains.set(key, {at_, id->size_bytes});
            if (id->size_bytes > ~at_ >> 1) return;
            at_ += id->size_bytes;
        }
    }
    /// The bytes of the next pickle.
    std::string next(std::string_view what) {
        PickleExtent extent = find_pickle(*file_, at_, file_->size_bytes(), context_.limits.max_header_bytes);
        if (!extent.problem.empty()) {
            Pool scratch;
            Survey survey;
            PickleFacts facts;
            try {
                if (!extent.bytes.empty()) read_pickle(extent.bytes, scratch, survey, context_, &facts);
            } catch (const Error& error) {
                if (error.code() == ErrorCode::kCancelled) throw;
            }
            warn_of_globals(facts.globals, context_);
            throw_damaged("ends within {}: {}", what, extent.problem);
        }
        at_ += extent.bytes.size();
        return std::move(extent.bytes);
    }
    Value parse(const std::string& bytes, std::uint64_t begin, std::string_view what, Pool& pool,
                PickleReaderHooks& hooks, PickleFacts* facts) {
        try {
            return read_pickle(bytes, pool, hooks, context_, facts);
        } catch (const Error& error) {
            if (facts != nullptr) warn_of_globals(facts->globals, context_);
            if (error.code() != ErrorCode::kDamaged) throw;
            throw Error(ErrorCode::kDamaged,
                        fmt::format("{}, which begins at byte {}: {}", what, begin, error.message()))
                .at(begin + error.offset_bytes().value_or(0));
        }
    }
    Value small(std::string_view what, Pool& pool) {
        const std::uint64_t begin = at_;
        const std::string bytes = next(what);
        PickleReaderHooks hooks;
        return parse(bytes, begin, what, pool, hooks, nullptr);
    }

    /// Magic number, version, and what the machine was.
    void read_head() {
        Pool pool;
        const Value magic = small("the pickle of the magic number", pool);
        if (!magic.is(Kind::kInt) || magic.integer_text() != kMagicText) {
            throw_error(ErrorCode::kNotCheckpoint,
                        "begins like a torch.save stream, but with {} in place of the magic number {}",
                        magic.is(Kind::kInt) ? magic.integer_text() : fmt::format("a {}", kind_name(magic.kind())),
                        kMagicText);
        }
        const Value version = small("the pickle of the version", pool);
        if (version.as_int64() != kVersion) {
            throw_damaged("is a stream of version {}; torch knows {} alone",
                          version.is(Kind::kInt) ? version.integer_text() : kind_name(version.kind()), kVersion);
        }
        const Value system = small("the pickle of the system's sizes", pool);
        if (!system.is(Kind::kDict))
            throw_damaged("has a {} where the system's sizes belong", kind_name(system.kind()));
        const Value* order = system.dict().find("little_endian");
        if (order != nullptr && order->is(Kind::kBool) && !order->as_bool())
            context_.warn(
                "says that a big-endian machine wrote it; its numbers are read as little-endian, as torch does");
    }

    /// The list of keys, then a count and the elements of each.
    void find_storages(const Survey& survey) {
        Pool pool;
        const Value keys = small("the list of storages", pool);
        if (!keys.is(Kind::kList) && !keys.is(Kind::kTuple))
            throw_damaged("has a {} where the list of storages belongs", kind_name(keys.kind()));
        const std::size_t total = keys.sequence().items.size();
        for (std::size_t i = 0; i < total; ++i) {
            if ((i & 0xfff) == 0) context_.check_cancelled();
            const Value& item = keys.sequence().items[i];
            const std::string key = storage_key(item);
            const StorageId* id = survey.find(key);
            if (id == nullptr) throw_damaged("the list of storages names '{}', which the object does not use", key);
            if (storages_.has(key))
                context_.warn(fmt::format("storage '{}' is there twice; the last one counts, as in torch", key));
            find_storage(*id, i + 1, total);
        }
        for (const auto& [key, id] : survey.ids()) {
            if (!storages_.has(key)) {
                throw_damaged("storage '{}' of {} bytes is not in the list of storages: its bytes are nowhere", key,
                              id.size_bytes);
            }
        }
        if (at_ < file_->size_bytes()) {
            context_.warn(
                fmt::format("{} bytes after the last storage are ignored, as torch does", file_->size_bytes() - at_));
        }
    }

    void find_storage(const StorageId& id, std::size_t number, std::size_t total) {
        const std::uint64_t left = file_->size_bytes() - at_;
        if (left < sizeof(std::uint64_t)) {
            throw_damaged("ends at byte {}, before storage '{}' ({} of {}), whose header belongs at byte {}",
                          file_->size_bytes(), id.key, number, total, at_);
        }
        std::int64_t count = 0;
        file_->read(at_, std::as_writable_bytes(std::span(&count, 1)));
        if (count < 0 || static_cast<std::uint64_t>(count) != id.count) {
            throw_damaged("storage '{}' at byte {} has {} elements, the object's pickle says {}", id.key, at_, count,
                          id.count);
        }
        at_ += sizeof count;
        if (id.size_bytes > left - sizeof count) {
            throw_damaged("storage '{}' ({} of {}) has {} bytes from byte {} on, but the file ends at byte {}", id.key,
                          number, total, id.size_bytes, at_, file_->size_bytes());
        }
        storages_.set(id.key, {at_, id.size_bytes});
        at_ += id.size_bytes;
    }

    std::shared_ptr<const File> file_;
    const Context& context_;
    LegacyStorages storages_;
    std::uint64_t at_ = 0;
};

}  // namespace

bool begins_like_legacy(std::string_view head) noexcept {
    return std::any_of(magics().begin(), magics().end(), [&](const auto& magic) { return head.starts_with(magic); });
}

bool ends_within_legacy_magic(std::string_view head) noexcept {
    return !head.empty() &&
           std::any_of(magics().begin(), magics().end(), [&](const auto& magic) { return magic.starts_with(head); });
}

bool begins_like_other_magic(std::string_view head) noexcept {
    constexpr std::size_t kBytes = 15;  // PROTO 2, LONG1 of ten bytes, STOP
    return head.size() > kBytes && head.starts_with("\x80\x02\x8a\x0a") && head[kBytes - 1] == '.' &&
           head[kBytes] == '\x80';
}

Document read_legacy(const Source& source, const Context& context) {
    return LegacyReader(source, context).run();
}

Document salvage_legacy(const Source& source, const Context& context) {
    return LegacyReader(source, context).salvage().document;
}

std::vector<Finding> survey_legacy(const Source& source, const Context& context) {
    return findings_of(LegacyReader(source, context).salvage(), LegacyReader::kEndsEarly);
}

}  // namespace ckpt
