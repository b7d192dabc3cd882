// Four members: what the machine was, storages, tensors that look into them, and the object.
#include "formats/torch/tar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <unordered_map>

#include "formats/shared/pickle/dangerous.hpp"
#include "formats/shared/pickle/extent.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/torch/object.hpp"
#include "formats/shared/torch/rebuild.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kBlockBytes = 512;
constexpr std::array<std::string_view, 4> kMembers = {"sys_info", "pickle", "storages", "tensors"};
constexpr std::size_t kMostDimensions = 4096;

struct Member {
    std::uint64_t begin = 0, end = 0;
};

std::string_view field(std::string_view block, std::size_t at, std::size_t size) {
    const std::string_view text = block.substr(at, size);
    return text.substr(0, std::min(text.find('\0'), text.size()));
}

/// Octal digits, or a number in base 256 behind a byte 0x80.
std::optional<std::uint64_t> tar_number(std::string_view raw) {
    if (!raw.empty() && static_cast<unsigned char>(raw[0]) == 0x80) {
        std::uint64_t value = 0;
        for (const char c : raw.substr(1)) {
            if (value >> 56 != 0) return std::nullopt;
            value = value << 8 | static_cast<unsigned char>(c);
        }
        return value;
    }
    std::string digits;
    for (const char c : raw) {
        if (c != ' ' && c != '\0') digits += c;
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

/// The sum of a header's bytes, its own field taken for spaces.
bool has_right_checksum(std::string_view block) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < block.size(); ++i)
        sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
    return tar_number(block.substr(148, 8)) == sum;
}

/// "size" of a PAX header: lines "LENGTH KEY=VALUE\n".
std::optional<std::uint64_t> pax_size(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        std::size_t length = 0;
        const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), length);
        if (error != std::errc() || length == 0 || length > text.size() - at) return std::nullopt;
        const std::string_view line = text.substr(at, length);
        const std::size_t key = line.find(" size=");
        std::uint64_t size = 0;
        if (key != std::string_view::npos && key == static_cast<std::size_t>(end - text.data()) - at) {
            const std::string_view digits = line.substr(key + 6);
            if (std::from_chars(digits.data(), digits.data() + digits.size(), size).ec == std::errc()) return size;
        }
        at += length;
    }
    return std::nullopt;
}

/// The places of torch's members.
class TarDirectory {
public:
    TarDirectory(const File& file, const Context& context) {
        std::optional<std::uint64_t> next_size;
        for (std::uint64_t at = 0; file.size_bytes() - at >= kBlockBytes;) {
            context.check_cancelled();
            std::string block(kBlockBytes, '\0');
            file.read(at, std::as_writable_bytes(std::span(block)));
            if (block.find_first_not_of('\0') == std::string::npos) return;
            if (!has_right_checksum(block)) throw_damaged("the tar header at byte {} has a wrong checksum", at);
            const auto size = tar_number(std::string_view(block).substr(124, 12));
            if (!size) throw_damaged("the tar header at byte {} has no size", at);
            const char kind = block[156];
            const bool is_note = kind == 'x' || kind == 'g' || kind == 'L' || kind == 'K';
            const std::uint64_t bytes = !is_note && next_size ? *next_size : *size;
            const std::string name(field(block, 0, 100));
            at += kBlockBytes;
            if (bytes > file.size_bytes() - at) {
                throw_damaged("member '{}' has {} bytes from byte {} on, but the file ends at byte {}", name, bytes, at,
                              file.size_bytes());
            }
            if (kind == 'x') {
                constexpr std::uint64_t kMostNoteBytes = 1u << 16;
                std::string text(static_cast<std::size_t>(std::min(bytes, kMostNoteBytes)), '\0');
                file.read(at, std::as_writable_bytes(std::span(text.data(), text.size())));
                next_size = pax_size(text);
            } else if (!is_note) {
                next_size.reset();
                if ((kind == '0' || kind == '\0') && !members_.try_emplace(name, Member{at, at + bytes}).second)
                    throw_damaged("member '{}' is there twice", name);
                if (++count_ > kMostMembers) throw_damaged("more than {} members", kMostMembers);
            }
            const std::uint64_t padded = (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
            at += std::min(padded, file.size_bytes() - at);
        }
        is_cut_ = true;
    }
    /// Whether the blocks that end an archive are missing; nothing is lost with them.
    bool is_cut() const { return is_cut_; }
    const Member& find(std::string_view name, const File& file) const {
        const auto found = members_.find(std::string(name));
        if (found == members_.end())
            throw_damaged("member '{}' is missing from the tar archive of {} bytes", name, file.size_bytes());
        return found->second;
    }

private:
    static constexpr std::size_t kMostMembers = 4096;
    std::size_t count_ = 0;
    bool is_cut_ = false;
    std::map<std::string, Member> members_;
};

/// A member read from front to back: pickles and numbers.
class MemberReader {
public:
    MemberReader(const File& file, std::string name, const Member& member, const Context& context)
        : file_(file), name_(std::move(name)), at_(member.begin), end_(member.end), context_(context) {}

    Value pickle(Pool& pool, PickleReaderHooks& hooks, PickleFacts* facts = nullptr) {
        const std::uint64_t begin = at_;
        const PickleExtent extent = find_pickle(file_, at_, end_, context_.limits.max_header_bytes);
        if (!extent.problem.empty()) throw_damaged("member '{}' ends too early: {}", name_, extent.problem);
        at_ += extent.bytes.size();
        try {
            return read_pickle(extent.bytes, pool, hooks, context_, facts);
        } catch (const Error& error) {
            if (facts != nullptr) warn_of_globals(facts->globals, context_);
            if (error.code() != ErrorCode::kDamaged) throw;
            throw Error(ErrorCode::kDamaged,
                        fmt::format("member '{}', the pickle at byte {}: {}", name_, begin, error.message()))
                .at(begin + error.offset_bytes().value_or(0));
        }
    }
    template <typename T>
    T number(std::string_view what) {
        if (end_ - at_ < sizeof(T)) throw_damaged("member '{}' ends at byte {}, where {} belongs", name_, end_, what);
        T value = 0;
        file_.read(at_, std::as_writable_bytes(std::span(&value, 1)));
        at_ += sizeof(T);
        return value;
    }
    /// Passes over bytes; gives where they begin.
    std::uint64_t skip(std::uint64_t bytes, std::string_view what) {
        if (bytes > end_ - at_) {
            throw_damaged("member '{}': {} has {} bytes from byte {} on, but the member ends at byte {}", name_, what,
                          bytes, at_, end_);
        }
        const std::uint64_t begin = at_;
        at_ += bytes;
        return begin;
    }
    std::uint64_t at() const { return at_; }
    const std::string& name() const { return name_; }

private:
    const File& file_;
    std::string name_;
    std::uint64_t at_, end_;
    const Context& context_;
};

/// The object's persistent ids are keys of tensors and storages.
class TarHooks final : public TorchRebuilder {
public:
    using TorchRebuilder::TorchRebuilder;

    bool is_done_with_arguments() const override { return false; }
    Value persistent_load(Pool&, Value id) override {
        if (id.is(Kind::kTuple)) {  // a class with its source text
            if (id.sequence().items.empty()) throw_damaged("a persistent id is an empty tuple");
            return id.sequence().items[0];
        }
        const std::string key = storage_key(id);
        const auto found = objects_.find(key);
        if (found == objects_.end()) throw_damaged("the object names '{}', which is neither storage nor tensor", key);
        return found->second;
    }
    void set_storage(Pool& pool, const std::string& key, const StorageClass& cls, StoragePtr storage,
                     std::uint64_t count) {
        objects_[key] = Value::of(make_storage(pool, cls, std::move(storage), count));
    }
    void set_tensor(const std::string& key, TensorNode* tensor) { objects_[key] = Value::of(tensor); }
    using TorchRebuilder::make_tensor;
    const Value* find(const std::string& key) const {
        const auto found = objects_.find(key);
        return found == objects_.end() ? nullptr : &found->second;
    }

private:
    std::unordered_map<std::string, Value> objects_;
};

/// Storages are made from the member that lists them, so none is asked for by name.
class NoStorages final : public StorageSource {
public:
    BlobPtr storage_bytes(const StorageId& id, const Context&) const override {
        throw_damaged("storage '{}' is named by its class, as torch 0.1.1 never does", id.key);
    }
    std::string_view place() const noexcept override { return ""; }
};

class TarReader {
public:
    TarReader(const Source& source, const Context& context)
        : file_(source.file), context_(context), directory_(*file_, context), hooks_(none_, context) {}

    Document run() {
        Document document;
        document.format = "torch-tar";
        document.producer = "torch 0.1.1 or before";
        Pool& pool = document.pool();
        read_storages(pool);
        read_tensors(pool);
        MemberReader member = open("pickle");
        PickleFacts facts;
        document.root = member.pickle(pool, hooks_, &facts);
        warn_of_globals(facts.globals, context_);
        settle_torch_values(document.root, context_);
        hooks_.check_all_bounds();
        if (directory_.is_cut()) {
            context_.warn(fmt::format("the tar archive ends behind its last member, at byte {}, without its end blocks",
                                      file_->size_bytes()));
        }
        return document;
    }

private:
    MemberReader open(std::string_view name) const {
        return {*file_, std::string(name), directory_.find(name, *file_), context_};
    }

    /// The items of a tuple of `size`; `what` is named.
    const std::vector<Value>& tuple(const Value& value, std::size_t size, std::string_view what) const {
        if (!value.is(Kind::kTuple) || value.sequence().items.size() != size)
            throw_damaged("{} is no tuple of {}", what, size);
        return value.sequence().items;
    }
    std::uint64_t count(MemberReader& member, Pool& pool) {
        const auto number = member.pickle(pool, hooks_).as_uint64();
        if (!number) throw_damaged("member '{}' does not begin with a count", member.name());
        return *number;
    }

    void read_storages(Pool& pool) {
        MemberReader member = open("storages");
        const std::uint64_t total = count(member, pool);
        for (std::uint64_t i = 0; i < total; ++i) {
            const auto& items = tuple(member.pickle(pool, hooks_), 3, fmt::format("storage {} of {}", i + 1, total));
            const StorageClass type = parse_storage_class(items[2]);
            const std::string key = storage_key(items[0]);
            const auto elements = member.number<std::int64_t>("a storage's size");
            const auto bytes = elements < 0 ? std::nullopt : type.bytes(static_cast<std::uint64_t>(elements));
            if (!bytes) throw_damaged("storage '{}' has {} elements", key, elements);
            const std::uint64_t begin = member.skip(*bytes, fmt::format("storage '{}'", key));
            auto storage = std::make_shared<Storage>();
            storage->blob = file_blob({file_, begin, *bytes});
            if (items[1].is(Kind::kString)) storage->location = items[1].as_string();
            hooks_.set_storage(pool, key, type, std::move(storage), static_cast<std::uint64_t>(elements));
        }
        read_views(pool, member);
    }

    /// Parts of storages as storages of their own: (key, key of the whole, first element, elements).
    void read_views(Pool& pool, MemberReader& member) {
        const Value views = member.pickle(pool, hooks_);
        if (!views.is(Kind::kList) && !views.is(Kind::kTuple))
            throw_damaged("member 'storages' ends without its views");
        for (const Value& item : views.sequence().items) {
            const auto& items = tuple(item, 4, "a view of a storage");
            const std::string root_key = storage_key(items[1]);
            const Value* root = hooks_.find(root_key);
            const auto from = items[2].as_uint64();
            const auto size = items[3].as_uint64();
            if (root == nullptr || !from || !size)
                throw_damaged("a view of storage '{}', which is not there", root_key);
            const TensorNode& whole = root->tensor();
            const auto all = static_cast<std::uint64_t>(whole.shape.front());
            if (*from > all || *size > all - *from)
                throw_damaged("a view of elements {} to {} of storage '{}', which has {}", *from, *from + *size,
                              root_key, all);
            const std::uint64_t width = all == 0 ? 1 : whole.storage->blob->size_bytes() / all;
            auto storage = std::make_shared<Storage>();
            storage->blob = slice_blob(whole.storage->blob, *from * width, *size * width);
            storage->location = whole.storage->location;
            hooks_.set_storage(pool, storage_key(items[0]), {whole.type.str(), *storage_type(whole.type)},
                               std::move(storage), *size);
        }
    }

    void read_tensors(Pool& pool) {
        MemberReader member = open("tensors");
        const std::uint64_t total = count(member, pool);
        for (std::uint64_t i = 0; i < total; ++i) {
            const auto& items = tuple(member.pickle(pool, hooks_), 3, fmt::format("tensor {} of {}", i + 1, total));
            const std::string key = storage_key(items[0]);
            const Value* storage = hooks_.find(storage_key(items[1]));
            if (storage == nullptr || !storage->is(Kind::kTensor) || !storage->type().ends_with("Storage"))
                throw_damaged("tensor '{}' looks into storage '{}', which is not there", key, storage_key(items[1]));
            const auto rank = member.number<std::uint64_t>("a tensor's rank") & 0xffffffff;  // the upper half is unused
            if (rank > kMostDimensions) throw_damaged("tensor '{}' has {} dimensions", key, rank);
            SizeList shape, stride;
            for (std::uint64_t k = 0; k < rank; ++k) shape.push_back(member.number<std::int64_t>("a tensor's shape"));
            for (std::uint64_t k = 0; k < rank; ++k)
                stride.push_back(member.number<std::int64_t>("a tensor's strides"));
            const auto offset = member.number<std::int64_t>("a tensor's offset");
            TensorNode* node = hooks_.make_tensor(pool);
            node->dtype = storage_type(storage->type())->dtype;
            node->storage = storage->tensor().storage;
            node->offset = offset;
            node->shape = shape;
            node->stride = stride;
            node->check_bounds(fmt::format("tensor '{}'", key));
            hooks_.set_tensor(key, node);
        }
    }

    std::shared_ptr<const File> file_;
    const Context& context_;
    TarDirectory directory_;
    NoStorages none_;
    TarHooks hooks_;
};

}  // namespace

bool begins_like_torch_tar(std::string_view head) noexcept {
    if (head.size() < kBlockBytes || head.substr(257, 5) != "ustar") return false;
    const std::string_view name = field(head, 0, 100);
    return std::find(kMembers.begin(), kMembers.end(), name) != kMembers.end();
}

Document read_torch_tar(const Source& source, const Context& context) {
    return TarReader(source, context).run();
}

}  // namespace ckpt
