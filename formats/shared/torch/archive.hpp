// A torch.save archive: which members it has and what they say (formats/torch/README.md: "Records").
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "formats/shared/torch/storages.hpp"
#include "formats/shared/zip/zip_reader.hpp"
#include "libckpt/context.hpp"
#include "libckpt/document.hpp"

namespace ckpt {

enum class ByteOrder : std::uint8_t { kLittle, kBig };

/// Whose archive it is: torch.save's, TorchScript's, torch.package's or torch.export's.
enum class ArchiveKind : std::uint8_t { kSave, kScript, kPackage, kExport };

class TorchArchive final : public StorageSource {
public:
    /// Checks prefix, version, byte order and alignment. Throws Error: kNotCheckpoint for a zip of something else,
    /// kDamaged where a record contradicts itself.
    static TorchArchive open(const std::shared_ptr<const File>& file, const Context& context);
    /// The same of an archive anywhere; `file` is what errors of decoding name.
    static TorchArchive open(BlobPtr bytes, std::string file, const Context& context);

    const ZipDirectory& zip() const noexcept { return zip_; }
    const std::string& prefix() const noexcept { return prefix_; }
    ByteOrder byte_order() const noexcept { return byte_order_; }
    ArchiveKind kind() const noexcept { return kind_; }

    /// The member of a record ("data/0"), or nullptr.
    const ZipMember* record(std::string_view name) const { return zip_.find(prefix_ + "/" + std::string(name)); }
    /// The bytes of data.pkl.
    std::string pickle(const Context& context) const;
    /// The decoded bytes of a member that holds a pickle.
    std::string pickle_bytes(const ZipMember& member, const Context& context) const;

    /// Members `data/KEY`.
    BlobPtr storage_bytes(const StorageId& id, const Context& context) const override;
    std::string_view place() const noexcept override { return "data/"; }

    /// What a rewrite needs to give the same file: prefix, alignment, absent checksums, order of records ("torch:..."
    /// attributes).
    void describe(Document& document) const;

private:
    ZipDirectory zip_;
    std::string prefix_;
    ByteOrder byte_order_ = ByteOrder::kLittle;
    ArchiveKind kind_ = ArchiveKind::kSave;
};

}  // namespace ckpt
