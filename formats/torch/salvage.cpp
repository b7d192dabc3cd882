// Records by whatever tells where they are, the pickle over them, and then the tensors whose bytes are not all there.
#include "formats/torch/salvage.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "formats/shared/pickle/tagged.hpp"
#include "formats/shared/torch/object.hpp"
#include "formats/shared/torch/rebuild.hpp"
#include "formats/shared/zip/zip_walk.hpp"
#include "formats/torch/read_zip.hpp"
#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"
#include "libckpt/walk.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kDescriptor = "PK\7\x08";
constexpr std::size_t kDescriptorBytes = 16;
constexpr unsigned kHasDescriptor = 8;
constexpr std::string_view kNoDirectory = "the archive has no directory";

std::string folded(std::string_view name) {
    std::string result(name);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return result;
}

std::uint32_t checksum_of(const Blob& blob, const Context& context) {
    constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
    std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(kPiece, blob.size_bytes())));
    std::uint32_t crc = 0;
    for (std::uint64_t done = 0; done < blob.size_bytes();) {
        const auto piece = std::span(buffer).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), blob.size_bytes() - done)));
        blob.read(done, piece);
        crc = crc32(crc, piece);
        done += piece.size();
        context.check_cancelled();
    }
    return crc;
}

/// The records of an archive, by name without prefix, folded.
class Records {
public:
    Records(const BlobPtr& bytes, const Context& context) : bytes_(bytes), context_(context) {
        std::vector<ZipEntry> entries;
        bool is_sound = false;
        for (ZipArchive& archive : zip_archives_before(*bytes, bytes->size_bytes(), context)) {
            if (archive.begin != 0 || archive.entries.empty()) continue;
            entries = std::move(archive.entries);
            is_sound =
                archive.problems.empty() && std::none_of(entries.begin(), entries.end(), [](const ZipEntry& entry) {
                    return !entry.problem.empty() || entry.local_name != entry.name;
                });
            break;
        }
        has_directory_ = !entries.empty();
        for (ZipEntry& entry : entries) {
            if (entry.problem.empty()) add(std::move(entry));
        }
        if (is_sound) return;
        for (ZipEntry& entry : local_zip_entries(*bytes, 0, bytes->size_bytes(), context)) add(std::move(entry));
    }

    const std::string& prefix() const noexcept { return prefix_; }
    bool has_directory() const noexcept { return has_directory_; }
    const BlobPtr& bytes() const noexcept { return bytes_; }
    const ZipEntry* find(std::string_view record) const {
        const auto found = by_name_.find(folded(prefix_ + std::string(record)));
        return found != by_name_.end() ? &found->second : nullptr;
    }
    /// A small or packed record, as far as it is there.
    std::string content(const ZipEntry& entry) const {
        const Unzipped unzipped = unzip(bytes_, entry, context_.limits.max_header_bytes);
        return unzipped.bytes ? read_all(*unzipped.bytes, context_.limits.max_header_bytes) : std::string();
    }
    bool is_other_kind() const {
        return std::any_of(by_name_.begin(), by_name_.end(), [](const auto& item) {
            return item.first.ends_with("/.data/extern_modules") || item.first.ends_with("/archive_format");
        });
    }

private:
    void add(ZipEntry entry) {
        const auto slash = entry.name.find('/');
        if (prefix_.empty() && slash != std::string::npos) prefix_ = entry.name.substr(0, slash + 1);
        by_name_.try_emplace(folded(entry.name), std::move(entry));
    }

    BlobPtr bytes_;
    const Context& context_;
    std::string prefix_;
    bool has_directory_ = false;
    std::map<std::string, ZipEntry> by_name_;
};

/// How much of a storage is there.
struct Part {
    std::uint64_t whole_bytes = 0;  ///< from its beginning on
    std::string why;                ///< it is not all
};

/// Gives what there is of each storage, zeros behind it, and remembers which are not whole.
class Remains final : public StorageSource {
public:
    Remains(const Records& records, SalvageCheck check, const Context& context)
        : records_(records), check_(check), context_(context) {
        const ZipEntry* order = records.find("byteorder");
        is_big_ = order != nullptr && records.content(*order).starts_with("big");
    }

    std::string_view place() const noexcept override { return "data/"; }
    BlobPtr storage_bytes(const StorageId& id, const Context&) const override {
        Part part;
        BlobPtr blob = part_of(id, part);
        if (blob == nullptr) blob = memory_blob("");  // of no bytes none can be missing
        if (part.whole_bytes < id.size_bytes) {
            BlobPtr rest = zero_blob(id.size_bytes - part.whole_bytes);
            blob = part.whole_bytes == 0 ? rest : joined_blob({slice_blob(blob, 0, part.whole_bytes), rest});
        }
        if (is_big_) blob = byte_swapped_blob(blob, id.cls.swap_width());
        if (part.whole_bytes < id.size_bytes) parts_.emplace(blob.get(), std::move(part));
        return blob;
    }
    /// nullptr: all of the storage is there.
    const Part* part(const Storage& storage) const {
        const auto found = parts_.find(storage.blob.get());
        return found != parts_.end() ? &found->second : nullptr;
    }

    /// Storages that have no checksum.
    std::uint64_t unchecked() const noexcept { return unchecked_; }

private:
    BlobPtr part_of(const StorageId& id, Part& part) const {
        const ZipEntry* entry = records_.find("data/" + id.key);
        if (entry == nullptr) {
            part.why = fmt::format("storage 'data/{}' is missing", id.key);
            return nullptr;
        }
        if (entry->method != 0) return unpacked(id, *entry, part);
        const std::uint64_t there = std::min(id.size_bytes, records_.bytes()->size_bytes() - entry->data_at);
        if (entry->is_whole && entry->stored_bytes != id.size_bytes) {
            part.why = fmt::format("storage 'data/{}' holds {} bytes, its {} needs {}", id.key, entry->stored_bytes,
                                   id.cls.name, id.size_bytes);
            return nullptr;
        }
        const std::uint64_t reach = entry->is_whole ? there : std::min(there, entry->stored_bytes);
        if (reach < id.size_bytes) {
            part.whole_bytes = reach;
            part.why = fmt::format("storage 'data/{}' has {} of its {} bytes", id.key, reach, id.size_bytes);
            return slice_blob(records_.bytes(), entry->data_at, reach);
        }
        BlobPtr blob = slice_blob(records_.bytes(), entry->data_at, id.size_bytes);
        if (!entry->is_whole && !is_last_of_file(*entry, id.size_bytes)) {
            part.why = fmt::format("storage 'data/{}' does not end as its header says", id.key);
            return nullptr;
        }
        check(id, *entry, blob, part);
        return blob;
    }
    BlobPtr unpacked(const StorageId& id, const ZipEntry& entry, Part& part) const {
        const Unzipped unzipped = unzip(records_.bytes(), entry, context_.limits.max_inline_bytes);
        const std::uint64_t size = unzipped.bytes ? unzipped.bytes->size_bytes() : 0;
        if (!unzipped.problem.empty() || size != id.size_bytes) {
            part.why =
                fmt::format("storage 'data/{}' {}", id.key,
                            unzipped.problem.empty() ? fmt::format("unpacks to {} bytes", size) : unzipped.problem);
            return nullptr;
        }
        check(id, entry, unzipped.bytes, part);
        return unzipped.bytes;
    }
    void check(const StorageId& id, const ZipEntry& entry, const BlobPtr& blob, Part& part) const {
        part.whole_bytes = id.size_bytes;
        // torch writes 0 where it computes none.
        if (check_ == SalvageCheck::kAll && entry.crc32 == 0 && id.size_bytes > 0) ++unchecked_;
        if (check_ == SalvageCheck::kNow || entry.crc32 == 0) return;
        const std::uint32_t crc = checksum_of(*blob, context_);
        if (crc == entry.crc32) return;
        part.whole_bytes = 0;
        part.why =
            fmt::format("storage 'data/{}' has the checksum {:08x}, its bytes give {:08x}", id.key, entry.crc32, crc);
    }
    /// The file ends within what stands behind the bytes of an entry without an end, or where the next entry begins and
    /// no descriptor was promised.
    bool is_last_of_file(const ZipEntry& entry, std::uint64_t size) const {
        const std::uint64_t behind = entry.data_at + size;
        const std::uint64_t left = records_.bytes()->size_bytes() - behind;
        if ((entry.local_flags & kHasDescriptor) == 0) return entry.stored_bytes == size;
        if (left >= kDescriptorBytes) return false;
        std::string rest(static_cast<std::size_t>(left), '\0');
        records_.bytes()->read(behind, std::as_writable_bytes(std::span(rest.data(), rest.size())));
        return kDescriptor.starts_with(std::string_view(rest).substr(0, kDescriptor.size()));
    }

    const Records& records_;
    SalvageCheck check_;
    const Context& context_;
    bool is_big_ = false;
    mutable std::uint64_t unchecked_ = 0;
    mutable std::unordered_map<const Blob*, Part> parts_;
};

/// Bytes from the beginning of its storage up to the last that a view needs; all for those that are not laid out so.
std::uint64_t reach_of(const TensorNode& tensor) {
    const std::uint64_t all = tensor.storage->blob->size_bytes();
    const std::uint64_t width = dtype_width(tensor.dtype);
    if (width == 0 || !tensor.layout.empty()) return all;
    const auto count = tensor.element_count();
    if (!count) return all;
    if (*count == 0) return 0;
    std::uint64_t last = static_cast<std::uint64_t>(tensor.offset);
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
        last += static_cast<std::uint64_t>(tensor.shape[i] - 1) * static_cast<std::uint64_t>(tensor.stride[i]);
    return std::min(all, (last + 1) * width);
}

/// Why a tensor is not whole; empty where it is.
std::string loss_of(const TensorNode& tensor, const Remains& remains) {
    std::vector<const TensorNode*> todo{&tensor};
    while (!todo.empty()) {
        const TensorNode& part = *todo.back();
        todo.pop_back();
        if (part.storage) {
            try {
                part.check_bounds("");
            } catch (const Error& error) {
                return error.message();
            }
            const Part* there = remains.part(*part.storage);
            if (there != nullptr && reach_of(part) > there->whole_bytes) return there->why;
        }
        for (const auto& [name, value] : part.parts) {
            if (value.is(Kind::kTensor) && todo.size() < 1000) todo.push_back(&value.tensor());
        }
        if (part.quantization) {
            for (const Value* value : {&part.quantization->scales, &part.quantization->zero_points}) {
                if (value->is(Kind::kTensor)) todo.push_back(&value->tensor());
            }
        }
    }
    return {};
}

/// Puts what a pickle had begun where it was to go: containers stand below their items on the stack.
Value put_together(PickleRemains& remains) {
    std::vector<Value>& stack = remains.stack;
    const auto is_begun = [](const Value& value) {  // a class that waits for its arguments
        return value.is(Kind::kObject) && value.node()->recipe && value.node()->recipe->how == Recipe::How::kGlobal;
    };
    while (!remains.marks.empty() || stack.size() > 1) {
        const std::size_t mark = remains.marks.empty() ? 1 : std::min(remains.marks.back(), stack.size());
        if (!remains.marks.empty()) remains.marks.pop_back();
        if (mark == 0) {
            stack.resize(std::min<std::size_t>(stack.size(), 1));
            continue;
        }
        std::vector<Value> items(stack.begin() + static_cast<std::ptrdiff_t>(mark), stack.end());
        items.erase(std::find_if(items.begin(), items.end(), is_begun), items.end());
        stack.resize(mark);
        const Value& target = stack.back();
        if (target.is(Kind::kList)) {
            auto& list = target.sequence().items;
            list.insert(list.end(), items.begin(), items.end());
        } else if (target.is(Kind::kDict)) {
            for (std::size_t i = 0; i + 1 < items.size(); i += 2)
                target.dict().entries.emplace_back(items[i], items[i + 1]);
        } else if (stack.size() > 1) {
            stack.pop_back();
        }
    }
    return stack.empty() ? Value::null() : stack.front();
}

/// Takes tensors that are not whole out of the tree.
void remove_lost(Document& document, const std::unordered_set<const Node*>& lost) {
    const auto is_lost = [&](const Value& value) { return value.node() != nullptr && lost.count(value.node()) != 0; };
    if (is_lost(document.root)) document.root = Value::null();
    walk(document.root, [&](const Visit& visit) {
        Node* node = visit.value.node();
        if (node == nullptr || visit.same_as != nullptr) return WalkStep::kInto;
        if (node->kind == Kind::kDict) {
            std::erase_if(static_cast<DictNode*>(node)->entries,
                          [&](const auto& entry) { return is_lost(entry.first) || is_lost(entry.second); });
        }
        for_each_value(*node, [&](Value& value) {
            if (is_lost(value)) value = Value::null();
        });
        return WalkStep::kInto;
    });
}

struct Salvaged {
    Document document;
    std::vector<std::pair<std::string, std::uint64_t>> whole;  ///< paths and bytes of tensors
    std::uint64_t whole_bytes = 0;
    std::uint64_t lost = 0;
    std::string note;
};

Salvaged salvage(const Source& source, SalvageCheck check, const Context& context) {
    Salvaged result;
    Document& document = result.document;
    document.format = "torch";
    const Records records(File::blob(source.file), context);
    if (records.is_other_kind())
        throw Error(ErrorCode::kUnsupported,
                    "is an archive of torch.package or torch.export, of which no part is taken");
    const ZipEntry* entry = records.find("data.pkl");
    if (entry == nullptr) throw_damaged("the record data.pkl, which names the tensors, is not there");
    if (!records.has_directory()) {
        document.damage.emplace_back(
            ErrorCode::kDamaged,
            fmt::format("{}: the file ends at byte {}, probably too early", kNoDirectory, source.size_bytes));
    }
    const std::string pickle = records.content(*entry);
    const Remains remains(records, check, context);
    TorchRebuilder rebuilder(remains, context);
    PickleRemains read = read_pickle_remains(pickle, document.pool(), rebuilder, context);
    const std::uint32_t crc = crc32(0, std::as_bytes(std::span(pickle.data(), pickle.size())));
    if (!read.error && check == SalvageCheck::kAll && entry->crc32 != 0 && crc != entry->crc32) {
        document.damage.emplace_back(
            ErrorCode::kDamaged,
            fmt::format(
                "data.pkl has the checksum {:08x}, its bytes give {:08x}: names, shapes and values may be wrong",
                entry->crc32, crc));
    }
    if (read.error) {
        document.damage.emplace_back(
            ErrorCode::kDamaged,
            fmt::format("data.pkl: {}; what it names from there on is lost", read.error->message()));
        document.root = put_together(read);
    } else {
        document.root = read.stack.front();
    }
    if (pickle.find("__kind__") != std::string::npos) restore_tagged_values(document);
    document.set_attribute("torch:prefix", document.pool().string(records.prefix().substr(
                                               0, records.prefix().empty() ? 0 : records.prefix().size() - 1)));
    std::unordered_set<const Node*> lost;
    walk(document.root, [&](const Visit& visit) {
        if (!visit.value.is(Kind::kTensor) || visit.same_as != nullptr) return WalkStep::kInto;
        const TensorNode& tensor = visit.value.tensor();
        const std::string why = loss_of(tensor, remains);
        if (why.empty()) {
            const std::uint64_t bytes = tensor.logical_bytes().value_or(0);
            result.whole_bytes += bytes;
            result.whole.emplace_back(visit.path, bytes);
            return WalkStep::kInto;
        }
        lost.insert(&tensor);
        ++result.lost;
        document.damage.emplace_back(ErrorCode::kDamaged, fmt::format("'{}' is lost: {}", visit.path, why));
        return WalkStep::kOver;
    });
    if (!lost.empty()) remove_lost(document, lost);
    settle_torch_values(document.root, context);
    if (remains.unchecked() > 0) {
        result.note = fmt::format("{} storages have no checksum: whether they hold what was saved is not to be told",
                                  remains.unchecked());
    }
    return result;
}

}  // namespace

Document salvage_torch_zip(const Source& source, SalvageCheck check, const Context& context) {
    Salvaged found = salvage(source, check, context);
    if (!found.note.empty()) context.note(found.note);
    return std::move(found.document);
}

std::vector<Finding> survey_torch_zip(const Source& source, SalvageCheck check, const Context& context) {
    const Salvaged found = salvage(source, check, context);
    std::vector<Finding> findings;
    for (const Error& error : found.document.damage) {
        if (!error.message().starts_with(kNoDirectory))  // who asks has met that already
            findings.push_back({Finding::Severity::kDamage, "", error.message()});
    }
    for (const auto& [path, bytes] : found.whole)
        findings.push_back({Finding::Severity::kNote, path, fmt::format("is whole, {} bytes", bytes)});
    if (!found.note.empty()) findings.push_back({Finding::Severity::kNote, "", found.note});
    findings.push_back({Finding::Severity::kNote, "",
                        fmt::format("{} of {} tensors that are named are whole, {} bytes{}", found.whole.size(),
                                    found.whole.size() + found.lost, found.whole_bytes,
                                    found.whole.empty() ? "" : "; `ckpt extract --salvage` gets them out")});
    return findings;
}

}  // namespace ckpt
