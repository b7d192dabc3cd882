// The HDF5 layout: engine, reader and writer put together.
#include "formats/hdf5/hdf5_format.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>

#include <fmt/format.h>

#include "formats/hdf5/external_files.hpp"
#include "formats/hdf5/keras_names.hpp"
#include "formats/hdf5/read_document.hpp"
#include "formats/hdf5/verify_data.hpp"
#include "formats/hdf5/write_document.hpp"
#include "formats/shared/h5/h5.hpp"
#include "formats/shared/zip/zip_reader.hpp"
#include "libckpt/check.hpp"
#include "libckpt/error.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
constexpr std::array<std::string_view, 2> kJld2Headers = {"HDF5-based Julia Data Format, version ",
                                                          "Julia data file (HDF5), version 0.2."};

/// Whether the signature stands at 0, 512, 1024, ... within what was read of the file.
bool has_signature(std::string_view head) noexcept {
    for (std::size_t at = 0; at + kSignature.size() <= head.size(); at = at == 0 ? 512 : at * 2) {
        if (head.substr(at, kSignature.size()) == kSignature) return true;
    }
    return false;
}

constexpr std::string_view kZipSignature = "PK\x03\x04";
constexpr std::string_view kKerasWeights = "model.weights.h5";

/// A `.keras` file: a zip archive of metadata.json, config.json and the weights as HDF5.
bool is_keras_archive(const Source& source) noexcept {
    constexpr std::size_t kNameAt = 30;  // in the header of the first member
    const std::string_view head = source.head;
    if (source.is_folder || !head.starts_with(kZipSignature)) return false;
    const auto first_is = [head](std::string_view name) {
        return head.size() > kNameAt && head.substr(kNameAt).starts_with(name);
    };
    const bool is_known = first_is("metadata.json") || first_is("config.json") || first_is(kKerasWeights);
    return is_known && (source.name.ends_with(".keras") || head.find("keras_version") != std::string_view::npos);
}

BlobPtr keras_member(const ZipDirectory& archive, std::string_view name, const Context& context) {
    const ZipMember* member = archive.find(name);
    return member == nullptr ? nullptr : archive.blob(*member, context.limits.max_inline_bytes);
}

std::shared_ptr<const h5::H5File> open_keras(const Source& source, const Context& context) {
    const ZipDirectory archive = ZipDirectory::read(source.file, context);
    const BlobPtr weights = keras_member(archive, kKerasWeights, context);
    if (!weights) {
        throw_error(ErrorCode::kUnsupported, "is a Keras archive without '{}': weights in several files are not read",
                    kKerasWeights);
    }
    return h5::H5File::open(weights, context);
}

std::shared_ptr<const h5::H5File> open_file(const Source& source, const Context& context) {
    if (source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is a folder, not an HDF5 file");
    if (is_keras_archive(source)) return open_keras(source, context);
    try {
        return h5::H5File::open(file_blob({source.file, 0, source.size_bytes}), context, h5::Dialect::kHdf5,
                                hdf5::sibling_opener(source.path, context));
    } catch (const Error& error) {
        if (error.code() == ErrorCode::kNotCheckpoint) throw Error(error.code(), describe_stranger(source));
        throw;
    }
}

/// Behind a user block that is longer than the head: at a power of two. A few bytes each are read.
bool has_late_signature(const Source& source) noexcept {
    if (source.file == nullptr) return false;
    try {
        std::array<std::byte, kSignature.size()> bytes;
        std::uint64_t at = 512;
        while (at < source.head.size()) at *= 2;
        for (; at < source.size_bytes && source.size_bytes - at >= bytes.size(); at *= 2) {
            source.file->read(at, bytes);
            if (std::memcmp(bytes.data(), kSignature.data(), bytes.size()) == 0) return true;
        }
    } catch (const std::exception&) {  // who reads it will say so
    }
    return false;
}

/// MATLAB says at the file's beginning, in a user block, that it wrote it.
hdf5::AxisOrder axes_of(const Source& source) noexcept {
    const bool is_matlab = source.head.starts_with("MATLAB 7.3 MAT-file");
    return is_matlab ? hdf5::AxisOrder::kReversed : hdf5::AxisOrder::kStored;
}

/// What else the archive has: how the model is built, and by which version.
void add_keras_texts(const Source& source, const Context& context, Document& document) {
    const ZipDirectory archive = ZipDirectory::read(source.file, context);
    document.producer = "Keras";
    for (const std::string_view name : {"metadata.json", "config.json"}) {
        const BlobPtr text = keras_member(archive, name, context);
        if (!text) continue;
        const std::string attribute = fmt::format("hdf5:{}", name);
        document.set_attribute(attribute, document.pool().string(read_all(*text, context.limits.max_inline_bytes)));
    }
}

class Hdf5Format final : public Format {
public:
    std::string_view name() const noexcept override { return "hdf5"; }
    std::vector<std::string_view> extensions() const override { return {"h5", "hdf5"}; }
    Capabilities capabilities() const override {
        return {true, false, "HDF5, as h5py, Keras and others write it", "everything", {"gzip", "zstd"}, {},
                true, true};
    }

    Evidence probe(const Source& source) const noexcept override {
        if (source.is_folder) return Evidence::kNo;
        // JLD2 is HDF5 behind a user block that says so; it has a layout of its own.
        for (const std::string_view header : kJld2Headers) {
            if (source.head.starts_with(header)) return Evidence::kByName;
        }
        if (has_signature(source.head) || is_keras_archive(source)) return Evidence::kCertain;
        if (!source.head.empty() && source.head.size() < kSignature.size() && kSignature.starts_with(source.head))
            return Evidence::kLikely;
        // A user block may be longer than what was read of the file.
        for (const std::string_view extension : {".h5", ".hdf5", ".he5", ".h5ad", ".nc", ".mat"}) {
            if (source.name.ends_with(extension)) return Evidence::kByName;
        }
        return has_late_signature(source) ? Evidence::kLikely : Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        Document document = hdf5::read_document(open_file(source, context), source.path, axes_of(source), context);
        if (is_keras_archive(source)) add_keras_texts(source, context, document);
        return document;
    }

    void name_model(Document& document) const override { hdf5::name_keras_model(document); }

    std::vector<Loss> preflight(const Document&, const WriteOptions&) const override { return {}; }

    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        h5::Codec codec = h5::Codec::kNone;
        if (options.compress == "gzip") {
            codec = h5::Codec::kGzip;
        } else if (options.compress == "zstd") {
            codec = h5::Codec::kZstd;
        } else if (!options.compress.empty()) {
            throw_error(ErrorCode::kRefused, "HDF5 files are compressed by gzip or zstd, not by '{}'",
                        options.compress);
        }
        return hdf5::plan_document(document, codec, options.keep_layout ? hdf5::Layouts::kKept : hdf5::Layouts::kChosen,
                                   options.max_output_bytes, context);
    }

    /// Quick: the structure. Full: everything that is stored of all datasets, through filters and checksums.
    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        auto findings = Format::verify(source, VerifyLevel::kQuick, context);
        if (level == VerifyLevel::kQuick) return findings;
        std::vector<Finding> data;
        try {
            data = hdf5::verify_data(*open_file(source, context), context);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged || findings.empty()) throw;
            return findings;
        }
        // What both met is said with its place.
        for (const Finding& found : data) {
            std::erase_if(findings, [&](const Finding& other) {
                return other.path.empty() && other.what == fmt::format("'{}': {}", found.path, found.what);
            });
        }
        findings.insert(findings.end(), data.begin(), data.end());
        return findings;
    }
};

}  // namespace

std::unique_ptr<Format> make_hdf5_format() {
    return std::make_unique<Hdf5Format>();
}

}  // namespace ckpt
