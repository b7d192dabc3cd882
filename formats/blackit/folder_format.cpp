// A saving folder: JSON, CSV, two pickles and the series.
#include <algorithm>

#include <fmt/format.h>

#include "formats/blackit/blackit_format.hpp"
#include "formats/blackit/calibration.hpp"
#include "formats/blackit/json_text.hpp"
#include "formats/blackit/nested.hpp"
#include "formats/shared/gzip/gzip.hpp"
#include "formats/shared/h5/dtypes.hpp"
#include "formats/shared/h5/h5.hpp"
#include "formats/shared/h5/write.hpp"
#include "formats/shared/npy/npy.hpp"
#include "libckpt/check.hpp"
#include "libckpt/elements.hpp"
#include "libckpt/error.hpp"
#include "libckpt/foreign_attributes.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kParams = "calibration_params.json";
constexpr std::string_view kResults = "calibration_results.csv";
constexpr std::string_view kScheduler = "scheduler_pickled.pickle";
constexpr std::string_view kSamplers = "samplers_pickled.pickle";
constexpr std::string_view kLoss = "loss_function_pickled.pickle";
constexpr std::string_view kSeriesH5 = "series_samp.h5";
constexpr std::string_view kSeriesNpy = "series_samp.npy.gz";
constexpr std::string_view kDatabase = "checkpoint.sqlite";

bool has(const Source& source, std::string_view name) {
    return std::find(source.entries.begin(), source.entries.end(), name) != source.entries.end();
}

std::string missing(std::string_view name) {
    return fmt::format("{}: is missing in the saving folder", name);
}

BlobPtr open_part(const Source& source, std::string_view name, const Context& context) {
    if (!has(source, name)) throw Error(ErrorCode::kDamaged, missing(name));
    return File::blob(File::open(source.path + "/" + std::string(name), context));
}

std::string read_part(const Source& source, std::string_view name, const Context& context) {
    return read_all(*open_part(source, name, context), context.limits.max_header_bytes);
}

/// The dataset `data` of series_samp.h5.
Value read_series_h5(Document& document, const BlobPtr& blob, const Context& context) {
    if (blob->size_bytes() == 0) throw_damaged("is empty");
    Context silent = context;  // PyTables leaves a file open while it grows
    silent.on_warning = nullptr;
    const auto file = h5::H5File::open(blob, silent);
    const auto address = file->resolve(file->root_address(), "data");
    if (!address) throw_damaged("has no dataset 'data'");
    const auto object = file->object(*address);
    if (object->kind() != h5::ObjectKind::kDataset) throw_damaged("'data' is no dataset");
    const h5::Dataset dataset = object->dataset();
    const auto dtype = h5::dtype_of(*dataset.type);
    if (!dtype || dataset.space.dims.empty()) throw_damaged("'data' is no array of numbers");
    BlobPtr elements = file->data(dataset);
    if (const unsigned swapped = h5::swapped_width(*dataset.type)) elements = byte_swapped_blob(elements, swapped);
    auto storage = std::make_shared<Storage>();
    storage->blob = std::move(elements);
    auto* node = document.pool().make<TensorNode>();
    node->dtype = *dtype;
    node->shape.assign(dataset.space.dims.begin(), dataset.space.dims.end());
    node->stride = contiguous_strides(node->shape);
    node->storage = std::move(storage);
    node->check_bounds("data");
    return Value::of(node);
}

class BlackitFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "blackit"; }
    std::vector<std::string_view> extensions() const override { return {}; }
    Capabilities capabilities() const override {
        return {true, true, "black-it's saving folder: JSON, CSV, pickles, series", "calibrations", {}, {}};
    }

    Evidence probe(const Source& source) const noexcept override {
        if (!source.is_folder) return Evidence::kNo;
        if (has(source, kParams)) return Evidence::kCertain;
        std::size_t there = 0;
        for (const auto name : {kResults, kScheduler, kSamplers, kLoss, kSeriesH5, kSeriesNpy})
            there += has(source, name);
        return there >= 2 ? Evidence::kLikely : Evidence::kNo;
    }

    Document read(const Source& source, const Context& context) const override {
        if (!source.is_folder) throw Error(ErrorCode::kNotCheckpoint, "is no folder; black-it saves into one");
        Document document;
        document.format = name();
        CalibrationParts parts;
        const std::string json = read_part(source, kParams, context);
        parts.params = in_place(kParams, [&] { return parse_json_text(document.pool(), json); });
        const std::size_t parameters = in_place(kParams, [&] { return count_parameters(parts.params); });
        const bool is_old = has(source, kSamplers) && !has(source, kScheduler);
        ArrayReader hooks;
        const std::string_view plan = is_old ? kSamplers : kScheduler;
        const std::string plan_bytes = read_part(source, plan, context);
        parts.plan = read_nested_pickle(plan_bytes, plan, document, hooks, context);
        const std::string loss_bytes = read_part(source, kLoss, context);
        parts.loss = read_nested_pickle(loss_bytes, kLoss, document, hooks, context);
        const std::string csv = read_part(source, kResults, context);
        parts.results = in_place(kResults, [&] { return parse_results(document.pool(), csv, parameters); });
        if (results_text(parts.results) != csv)  // other digits or line ends than ours: as they stand
            document.set_attribute("blackit:csv", document.pool().string(csv));
        const bool is_npy = has(source, kSeriesNpy) && !has(source, kSeriesH5);
        if (is_npy) {
            const BlobPtr blob = open_part(source, kSeriesNpy, context);
            parts.series = in_place(kSeriesNpy, [&] {
                Gunzipped unpacked = gunzip(*blob, context.limits.max_header_bytes, context);
                if (unpacked.end == GzipEnd::kCut || unpacked.end == GzipEnd::kCorrupt)
                    throw_damaged("{}", unpacked.problem);
                if (!unpacked.problem.empty()) context.warn(fmt::format("{}: {}", kSeriesNpy, unpacked.problem));
                return read_npy(document.pool(), memory_blob(std::move(unpacked.bytes)), "", context);
            });
            document.set_attribute("blackit:series", document.pool().string("npy.gz"));
        } else {
            const BlobPtr blob = open_part(source, kSeriesH5, context);
            parts.series = in_place(kSeriesH5, [&] { return read_series_h5(document, blob, context); });
        }
        in_place(kParams, [&] {
            assemble(document, parts);
            return 0;
        });
        hooks.settle(document);
        document.producer = is_npy ? "black-it 0.1" : is_old ? "black-it 0.2" : "black-it 0.3";
        for (const auto& finding : check_counts(document.root))
            context.warn(finding.path.empty() ? finding.what : finding.path + " " + finding.what);
        return document;
    }

    std::vector<Loss> preflight(const Document& document, const WriteOptions&) const override {
        auto losses = calibration_losses(document.root);
        return losses.empty() ? kept_apart_losses(document, Keeper::kFolder) : losses;
    }

    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        for (const auto& loss : calibration_losses(document.root))
            throw_error(ErrorCode::kRefused, "cannot be written as a saving folder: '{}' {}", loss.path, loss.what);
        if (!options.allow_loss) refuse_losses(preflight(document, options), "a saving folder");
        note_dropped_facts(document, {"blackit:"}, "a saving folder", context);
        Pool scratch;
        const CalibrationParts parts = take_apart(scratch, document.root);
        WritePlan plan;
        plan.is_folder = true;
        const auto add = [&](std::string_view file, std::string bytes) {
            PlannedFile planned;
            planned.name = file;
            planned.extents.push_back({LiteralExtent{std::move(bytes)}});
            plan.files.push_back(std::move(planned));
        };
        const bool is_list = parts.plan.is(Kind::kList) || parts.plan.is(Kind::kTuple);
        add(kParams, json_text(parts.params));
        add(is_list ? kSamplers : kScheduler, write_nested_pickle(document, parts.plan));
        add(kLoss, write_nested_pickle(document, parts.loss));
        add(kResults, csv_text(document, parts.results));
        const Value* series = document.attribute("blackit:series");
        if (series != nullptr && series->is(Kind::kString) && series->as_string() == "npy.gz") {
            std::string bytes;
            for (const auto& extent : npy_extents(parts.series)) {
                if (const auto* literal = std::get_if<LiteralExtent>(&extent.content)) bytes += literal->bytes;
                if (const auto* blob = std::get_if<BlobExtent>(&extent.content))
                    bytes += read_all(*blob->blob, std::uint64_t{1} << 32);
            }
            add(kSeriesNpy, gzip(bytes));
        } else {
            plan.files.push_back(series_h5(parts.series.tensor()));
        }
        return plan;
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        Context listening = context;
        std::vector<Finding> findings;
        listening.on_warning = [&](std::string_view text) {
            findings.push_back({Finding::Severity::kWarning, "", std::string(text)});
        };
        try {
            const Document document = read(source, listening);
            std::vector<Finding> counts = check_counts(document.root);
            // They were warned of; here they are findings with a place.
            findings.resize(findings.size() - counts.size());
            findings.insert(findings.end(), counts.begin(), counts.end());
            for (const Error& error : document.damage) findings.push_back(finding_of(error));
            if (level == VerifyLevel::kFull) {
                read_through(document, findings, context);
                for (Finding& finding : findings) {
                    if (finding.what.find("the gzip checksum") != std::string::npos)
                        finding.severity = Finding::Severity::kDamage;
                }
            }
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
            findings.push_back({Finding::Severity::kDamage, "", error.message()});
            if (std::string what = caught_in_first_save(source, context); !what.empty())
                findings.push_back({Finding::Severity::kDamage, "", std::move(what)});
        }
        return findings;
    }

private:
    /// A save writes JSON, pickles, CSV and series in this order, and the first one happens after the first batch: what
    /// to say where the last of them are not there yet; else empty.
    static std::string caught_in_first_save(const Source& source, const Context& context) {
        const std::string_view plan = has(source, kSamplers) ? kSamplers : kScheduler;
        const std::string_view series = has(source, kSeriesNpy) ? kSeriesNpy : kSeriesH5;
        std::string absent;
        for (const std::string_view name : {kParams, plan, kLoss, kResults, series}) {
            if (!has(source, name)) {
                absent += (absent.empty() ? "" : ", ") + std::string(name);
            } else if (!absent.empty()) {
                return {};  // a later file is there
            }
        }
        if (absent.empty() || !has(source, kParams)) return {};
        try {
            Pool scratch;
            const Value params = parse_json_text(scratch, read_part(source, kParams, context));
            const Value* batches = params.is(Kind::kDict) ? params.dict().find("current_batch_index") : nullptr;
            if (batches == nullptr || batches->as_int64() != 1) return {};
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
            return {};
        }
        return fmt::format("the folder was caught in its first save: not there yet: {}", absent);
    }

    static std::size_t count_parameters(const Value& params) {
        if (!params.is(Kind::kDict)) throw_damaged("is a {}, not an object", kind_name(params.kind()));
        const Value* precision = params.dict().find("parameters_precision");
        if (precision == nullptr) throw_damaged("has no 'parameters_precision'");
        if (!precision->is(Kind::kList))
            throw_damaged("'parameters_precision' is a {}, not a list of numbers", kind_name(precision->kind()));
        return precision->sequence().items.size();
    }

    /// The text that was read, where it still says the same numbers.
    static std::string csv_text(const Document& document, const Results& results) {
        const std::string ours = results_text(results);
        const Value* kept = document.attribute("blackit:csv");
        if (kept == nullptr || !kept->is(Kind::kString)) return ours;
        try {
            Pool scratch;
            const auto width = static_cast<std::size_t>(results.params.tensor().shape[1]);
            const Results there = parse_results(scratch, kept->as_string(), width);
            return results_text(there) == ours ? std::string(kept->as_string()) : ours;
        } catch (const Error&) {
            return ours;
        }
    }

    /// As h5py writes it: chunked, with a first dimension that may grow, because the next save appends.
    static PlannedFile series_h5(const TensorNode& series) {
        constexpr std::uint64_t kChunkBytes = 65536;
        TensorNode numbers;
        numbers.dtype = series.dtype;
        numbers.shape = series.shape;
        numbers.stride = series.stride;
        numbers.offset = series.offset;
        numbers.storage = series.storage;
        std::vector<std::uint64_t> dims(series.shape.begin(), series.shape.end());
        h5::Writer writer;
        const auto root = writer.add_group();
        const auto data = writer.add_dataset(h5::ieee_type(8), h5::simple_space(dims), logical_blob(numbers));
        h5::WriteLayout layout;
        layout.chunk = dims;
        std::uint64_t row_bytes = 8;
        for (std::size_t i = 1; i < dims.size(); ++i) {
            layout.chunk[i] = std::max<std::uint64_t>(dims[i], 1);
            row_bytes *= layout.chunk[i];
        }
        layout.chunk[0] =
            std::max<std::uint64_t>(1, std::min(dims[0], kChunkBytes / std::max<std::uint64_t>(row_bytes, 1)));
        layout.max_dims = dims;
        layout.max_dims[0] = h5::Dataspace::kUnlimited;
        if (!writer.set_layout(data, std::move(layout)))
            throw Error(ErrorCode::kRefused, "the series cannot be stored in chunks");
        writer.link(root, "data", data);
        WritePlan plan = writer.plan(root);
        plan.files.front().name = kSeriesH5;
        return std::move(plan.files.front());
    }
};

}  // namespace

std::unique_ptr<Format> make_blackit_format() {
    return std::make_unique<BlackitFormat>();
}

}  // namespace ckpt
