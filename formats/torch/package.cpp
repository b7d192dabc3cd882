// torch.package: a folder of resources in a zip archive; storages of all pickles lie together.
#include <algorithm>

#include "formats/shared/pickle/dangerous.hpp"
#include "formats/shared/pickle/pickle.hpp"
#include "formats/shared/pickle/pickle_file.hpp"
#include "formats/shared/torch/object.hpp"
#include "formats/shared/torch/rebuild.hpp"
#include "formats/torch/read_zip.hpp"
#include "libckpt/error.hpp"
#include "libckpt/utf8.hpp"

namespace ckpt {
namespace {

/// Members `.data/KEY.storage`.
class PackageStorages final : public StorageSource {
public:
    explicit PackageStorages(const TorchArchive& archive) : archive_(archive) {}

    BlobPtr storage_bytes(const StorageId& id, const Context& context) const override {
        const ZipMember* member = archive_.record(".data/" + id.key + ".storage");
        if (member == nullptr) throw_damaged("storage '.data/{}.storage' is missing", id.key);
        if (member->size_bytes != id.size_bytes) {
            throw_damaged("storage '.data/{}.storage' holds {} bytes, its {} needs {}", id.key, member->size_bytes,
                          id.cls.name, id.size_bytes);
        }
        const BlobPtr blob = archive_.zip().blob(*member, context.limits.max_inline_bytes);
        return archive_.byte_order() == ByteOrder::kBig ? byte_swapped_blob(blob, id.cls.swap_width()) : blob;
    }
    std::string_view place() const noexcept override { return ".data/"; }

private:
    const TorchArchive& archive_;
};

/// Persistent ids of other kinds (a ScriptModule, ...) stay the call that the importer would make.
class PackageRebuilder final : public TorchRebuilder {
public:
    using TorchRebuilder::TorchRebuilder;

    bool is_done_with_arguments() const override { return false; }
    Value persistent_load(Pool& pool, Value id) override {
        const bool is_other = id.is(Kind::kTuple) && !id.sequence().items.empty() &&
                              id.sequence().items[0].is(Kind::kString) &&
                              id.sequence().items[0].as_string() != "storage";
        if (!is_other) return TorchRebuilder::persistent_load(pool, id);
        auto* node = pool.make<ObjectNode>();
        node->type = "torch.package.PackageImporter.persistent_load";
        node->recipe = std::make_unique<Recipe>();
        node->recipe->callable = node->type;
        node->recipe->args = pool.tuple({id});
        return Value::of(node);
    }
};

enum class Resource : std::uint8_t { kPickle, kOther, kNone };

/// The package's own records and its source files are no resources.
Resource resource_kind(std::string_view path, const Blob& bytes) {
    if (path.starts_with(".data/") || path == "byteorder" || path.ends_with(".py") || path.ends_with("/"))
        return Resource::kNone;
    std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size_bytes(), 16)), '\0');
    bytes.read(0, std::as_writable_bytes(std::span(head.data(), head.size())));
    return begins_like_pickle(head) ? Resource::kPickle : Resource::kOther;
}

/// Whether bytes read as text. torch does not say which of the two it was given.
bool reads_as_text(std::string_view bytes) {
    const auto is_control = [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return (u < 0x20 && u != '\n' && u != '\r' && u != '\t' && u != '\f') || u == 0x7f;
    };
    return is_strict_utf8(bytes) && std::none_of(bytes.begin(), bytes.end(), is_control);
}

class PackageReader {
public:
    PackageReader(const TorchArchive& archive, const Context& context, Document& document)
        : archive_(archive),
          context_(context),
          document_(document),
          storages_(archive),
          rebuilder_(storages_, context) {}

    void run() {
        document_.root = document_.pool().dict();
        const std::size_t prefix = archive_.prefix().size() + 1;
        for (const Resource wanted : {Resource::kPickle, Resource::kOther}) {
            for (const auto& member : archive_.zip().members()) {
                const std::string path = member.name.substr(prefix);
                const BlobPtr bytes = archive_.zip().blob(member, context_.limits.max_inline_bytes);
                const Resource kind = resource_kind(path, *bytes);
                if (kind == Resource::kNone && wanted == Resource::kPickle && path.ends_with(".py")) ++sources_;
                if (kind != wanted) continue;
                const Value value = kind == Resource::kPickle ? pickle(member, *bytes) : plain(*bytes);
                document_.root.dict().entries.emplace_back(document_.pool().string(path), value);
            }
        }
        settle_torch_values(document_.root, context_);
        rebuilder_.check_all_bounds();
        if (sources_ > 0) document_.set_attribute("torch:source_files", Value::integer(sources_));
    }

private:
    Value pickle(const ZipMember& member, const Blob& blob) {
        const std::string bytes = read_all(blob, context_.limits.max_header_bytes);
        PickleFacts facts;
        try {
            const Value value = read_pickle(bytes, document_.pool(), rebuilder_, context_, &facts);
            warn_of_globals(facts.globals, context_);
            return value;
        } catch (const Error& error) {
            warn_of_globals(facts.globals, context_);
            if (error.code() != ErrorCode::kDamaged) throw;
            throw_damaged("member '{}': {}", member.name, error.message());
        }
    }
    Value plain(const Blob& blob) {
        std::string bytes = read_all(blob, context_.limits.max_inline_bytes);
        return reads_as_text(bytes) ? document_.pool().string(std::move(bytes))
                                    : document_.pool().bytes(std::move(bytes));
    }

    const TorchArchive& archive_;
    const Context& context_;
    Document& document_;
    PackageStorages storages_;
    PackageRebuilder rebuilder_;
    std::int64_t sources_ = 0;
};

}  // namespace

void read_package(const TorchArchive& archive, const Context& context, Document& document) {
    document.producer = "torch.package";
    PackageReader(archive, context, document).run();
}

}  // namespace ckpt
