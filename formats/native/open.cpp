// From both ends to the middle.
#include "formats/native/open.hpp"

#include "formats/native/index_read.hpp"
#include "libckpt/error.hpp"
#include "libckpt/format.hpp"
#include "libckpt/walk.hpp"
#include "libckpt/xxh3.hpp"

namespace ckpt::native {
namespace {

constexpr std::uint64_t kDeepestNamed = 1000;

/// Neither end is ours: what is it then?
[[noreturn]] void refuse_stranger(const Source& source) {
    for (const std::string_view known : {"PK\3\4", "\x1f\x8b", "\x89HDF", "\x80\2", "\x80\3", "\x80\4", "\x80\5"}) {
        if (source.head.starts_with(known)) throw Error(ErrorCode::kNotCheckpoint, describe_stranger(source));
    }
    throw Error(ErrorCode::kDamaged, "neither its first nor its last bytes are those of a native checkpoint");
}

std::string read_index(const Source& source, const Footer& footer, const Context& context) {
    const std::uint64_t most = std::min(context.limits.max_header_bytes, most_index_bytes(footer.index_stored_bytes));
    if (footer.index_raw_bytes > most || footer.index_stored_bytes > most) {
        throw_error(ErrorCode::kRefused, "index: {} bytes, stored in {}, are over the limit of {}",
                    footer.index_raw_bytes, footer.index_stored_bytes, most);
    }
    std::string stored(static_cast<std::size_t>(footer.index_stored_bytes), '\0');
    const auto bytes = std::as_writable_bytes(std::span(stored.data(), stored.size()));
    source.file->read(footer.index_offset + kHeaderBytes, bytes);
    if (const std::uint64_t found = xxh3_64(bytes); found != footer.index_xxh3)
        throw_damaged("index: checksum is {:016x}, its bytes give {:016x}", footer.index_xxh3, found);
    // The codec stands in the record's header; a raw index is as large as it is stored.
    if (footer.index_stored_bytes == footer.index_raw_bytes) return stored;
    std::string index(static_cast<std::size_t>(footer.index_raw_bytes), '\0');
    zstd_unframe(bytes, std::as_writable_bytes(std::span(index.data(), index.size())));
    return index;
}

/// Storages have their bytes for themselves, or all of them in common.
void check_places(const ChunkStore& store) {
    if (!store.overlapping().empty())
        throw_damaged("index: storage {} has some of its bytes in common with another one", store.overlapping()[0]);
    for (std::uint64_t i = 0; i < store.storages().size(); ++i) {
        const std::uint64_t like = store.first_like(i);
        if (store.storages()[static_cast<std::size_t>(i)].digest !=
            store.storages()[static_cast<std::size_t>(like)].digest)
            throw_damaged("index: storages {} and {} are the same bytes, but have two digests", like, i);
    }
}

/// Document and chunks; the index itself is gone when this returns.
std::shared_ptr<ChunkStore> read_structure(const Source& source, Opened& opened, LongTexts& long_texts,
                                           const Context& context) {
    const std::string bytes = read_index(source, opened.footer, context);
    IndexReader index(bytes, opened.footer.index_offset);
    auto store =
        std::make_shared<ChunkStore>(source.file, std::move(index.opened().chunks), std::move(index.opened().storages));
    check_places(*store);
    opened.document.format = "native";
    opened.document.producer = index.opened().producer;
    long_texts = index.read_tree(opened.document, store, context);
    return store;
}

}  // namespace

Opened open_native(const Source& source, const Context& context, Texts texts) {
    const std::string_view head = std::string_view(source.head).substr(0, kHeaderBytes);
    if (!head.starts_with(kMagic) && !ends_like_footer(source.tail)) {
        if (head.size() < kMagic.size() && kMagic.starts_with(head))
            throw_damaged("ends inside its signature, at byte {}", head.size());
        refuse_stranger(source);
    }
    check_file_header(head);
    Opened opened;
    opened.footer = parse_footer(source.tail, source.size_bytes);
    LongTexts long_texts;
    const std::shared_ptr<ChunkStore> store = read_structure(source, opened, long_texts, context);
    walk(
        opened.document.root,
        [&](const Visit& visit) {
            const auto text = long_texts.storages.find(visit.value.node());
            if (text != long_texts.storages.end()) store->set_name(text->second, visit.path);
            if (visit.same_as != nullptr || !visit.value.is(Kind::kTensor)) return WalkStep::kInto;
            const StoragePtr& storage = visit.value.tensor().storage;
            if (storage) store->set_name(ChunkStore::number_of(*storage->blob), visit.path);
            return WalkStep::kInto;
        },
        kDeepestNamed);
    if (texts == Texts::kAll && !long_texts.lost.empty()) {
        // Its path was not known when it was read first.
        const auto& [node, error] = long_texts.lost.front();
        read_all(*ChunkStore::blob(store, long_texts.storages.at(node)), context.limits.max_inline_bytes);
        throw error;
    }
    opened.store = store;
    opened.lost_texts = std::move(long_texts.lost);
    return opened;
}

}  // namespace ckpt::native
