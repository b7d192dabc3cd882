// The SQLite kind: one row of one table. The database is read from memory, so nothing can lock it or be written to it.
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <unordered_map>

#include <fmt/format.h>

#include "formats/blackit/blackit_format.hpp"
#include "formats/blackit/calibration.hpp"
#include "formats/blackit/json_text.hpp"
#include "formats/blackit/nested.hpp"
#include "formats/shared/gzip/gzip.hpp"
#include "formats/shared/npy/npy.hpp"
#include "libckpt/error.hpp"
#include "libckpt/foreign_attributes.hpp"

namespace ckpt {
namespace {

constexpr std::string_view kDatabase = "checkpoint.sqlite";
constexpr std::string_view kSignature{"SQLite format 3\0", 16};
constexpr int kSchemaVersion = 3;

/// The columns in the order of the table, with the names that the JSON file of a saving folder has for them.
struct Column {
    std::string_view name;
    std::string_view in_json;
    std::string_view type;
};
constexpr std::array<Column, 20> kColumns = {{
    {"parameters_bounds", "parameters_bounds", "NDARRAY"},
    {"parameters_precision", "parameters_precision", "NDARRAY"},
    {"real_data", "real_data", "NDARRAY"},
    {"ensemble_size", "ensemble_size", "INTEGER"},
    {"N", "N", "INTEGER"},
    {"D", "D", "INTEGER"},
    {"convergence_precision", "convergence_precision", "DOUBLE"},
    {"verbose", "verbose", "INTEGER"},
    {"saving_folder", "saving_file", "TEXT"},
    {"initial_random_seed", "initial_random_seed", "INTEGER"},
    {"random_generator_state_json", "random_generator_state", "TEXT"},
    {"model_name", "model_name", "TEXT"},
    {"scheduler_pickled", "", "BLOB"},
    {"loss_function_pickled", "", "BLOB"},
    {"current_batch_index", "current_batch_index", "INTEGER"},
    {"params_samp", "", "NDARRAY"},
    {"losses_samp", "", "NDARRAY"},
    {"series_samp", "", "GZ_NDARRAY"},
    {"batch_num_samp", "", "NDARRAY"},
    {"method_samp", "", "NDARRAY"},
}};

struct CloseDatabase {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
};
struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

Database open_in_memory() {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(":memory:", &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    Database database(raw);
    if (code != SQLITE_OK) throw Error(ErrorCode::kInternal, "SQLite cannot be set up");
    return database;
}

/// A statement that reads; what SQLite says against the file is damage.
Statement prepare(sqlite3* database, const std::string& sql) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(database, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK)
        throw_damaged("{}", sqlite3_errmsg(database));
    return Statement(raw);
}

/// Steps to the next row; false at the end.
bool step(sqlite3* database, const Statement& statement) {
    const int code = sqlite3_step(statement.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) throw_damaged("{}", sqlite3_errmsg(database));
    return code == SQLITE_ROW;
}

void execute_sql(sqlite3* database, const std::string& sql) {
    if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        throw Error(ErrorCode::kInternal, sqlite3_errmsg(database));
}

std::string bytes_of(const Statement& row, int column) {
    const void* data = sqlite3_column_blob(row.get(), column);
    const int size = sqlite3_column_bytes(row.get(), column);
    return data == nullptr ? std::string()
                           : std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

Value scalar_of(Pool& pool, const Statement& row, int column) {
    switch (sqlite3_column_type(row.get(), column)) {
        case SQLITE_INTEGER:
            return Value::integer(sqlite3_column_int64(row.get(), column));
        case SQLITE_FLOAT: {
            // convergence_precision counts decimals, and the package fails on 4.0; it is its column that makes it one.
            const double number = sqlite3_column_double(row.get(), column);
            if (number == std::floor(number) && std::abs(number) < 1e9)
                return Value::integer(static_cast<std::int64_t>(number));
            return Value::real(number);
        }
        case SQLITE_TEXT:
            return pool.string(bytes_of(row, column));
        case SQLITE_BLOB:
            return pool.bytes(bytes_of(row, column));
        default:
            return Value::null();
    }
}

class SqliteReader {
public:
    SqliteReader(const Context& context, Document& document) : context_(context), document_(document) {}

    void run(std::string bytes) {
        const Database database = open_in_memory();
        sqlite3_limit(database.get(), SQLITE_LIMIT_LENGTH, 1 << 30);
        const auto size = static_cast<sqlite3_int64>(bytes.size());
        auto* image = reinterpret_cast<unsigned char*>(bytes.data());
        if (sqlite3_deserialize(database.get(), "main", image, size, size, SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
            throw_damaged("{}", sqlite3_errmsg(database.get()));
        const auto columns = column_names(database.get());
        const Statement version = prepare(database.get(), "PRAGMA user_version");
        if (step(database.get(), version) && sqlite3_column_int(version.get(), 0) != kSchemaVersion)
            context_.warn(fmt::format("{}: user_version is {}, black-it reads {} only", kDatabase,
                                      sqlite3_column_int(version.get(), 0), kSchemaVersion));
        const Statement row = prepare(database.get(), "SELECT * FROM checkpoint");
        if (!step(database.get(), row)) throw Error(ErrorCode::kDamaged, "table 'checkpoint' has no row");
        CalibrationParts parts;
        parts.params = document_.pool().dict();
        for (const auto& column : kColumns) read_column(row, columns, column, parts);
        if (step(database.get(), row))
            context_.warn(fmt::format("{}: has more than one row; the first counts", kDatabase));
        assemble(document_, parts);
        hooks_.settle(document_);
        document_.producer =
            columns.count("samplers_pickled") != 0 ? "black-it before 0.3.2, SQLite" : "black-it 0.3, SQLite";
        document_.set_attribute("blackit:sqlite", Value::boolean(true));
        if (columns.count("samplers_pickled") != 0)
            document_.set_attribute("blackit:samplers_column", Value::boolean(true));
    }

private:
    using Columns = std::unordered_map<std::string, int>;

    static Columns column_names(sqlite3* database) {
        const Statement info = prepare(database, "SELECT name FROM pragma_table_info('checkpoint')");
        Columns columns;
        while (step(database, info)) columns.emplace(bytes_of(info, 0), static_cast<int>(columns.size()));
        if (columns.empty())
            throw Error(ErrorCode::kNotCheckpoint, "is a SQLite database without a table 'checkpoint'");
        return columns;
    }

    Value array(const std::string& bytes, std::string_view place) {
        return read_npy(document_.pool(), memory_blob(bytes), place, context_);
    }

    void read_column(const Statement& row, const Columns& columns, const Column& column, CalibrationParts& parts) {
        std::string name(column.name);
        if (name == "scheduler_pickled" && columns.count(name) == 0) name = "samplers_pickled";
        const auto found = columns.find(name);
        if (found == columns.end()) throw_damaged("table 'checkpoint' has no column '{}'", name);
        const int number = found->second;
        const std::string place = fmt::format("column '{}'", name);
        if (column.type == "BLOB") {
            const Value value = read_nested_pickle(bytes_of(row, number), place, document_, hooks_, context_);
            (name == "loss_function_pickled" ? parts.loss : parts.plan) = value;
            return;
        }
        Value value;
        if (column.type == "NDARRAY") {
            value = array(bytes_of(row, number), place);
        } else if (column.type == "GZ_NDARRAY") {
            value = in_place(place, [&] {
                const std::string packed = bytes_of(row, number);
                Gunzipped unpacked = gunzip(*memory_blob(packed), context_.limits.max_header_bytes, context_);
                if (!unpacked.problem.empty()) throw_damaged("{}", unpacked.problem);
                return array(unpacked.bytes, "");
            });
        } else if (name == "random_generator_state_json") {
            value = in_place(place, [&] { return parse_json_text(document_.pool(), bytes_of(row, number)); });
        } else {
            value = scalar_of(document_.pool(), row, number);
        }
        if (name == "verbose" && value.is(Kind::kInt)) value = Value::boolean(value.as_int64() != 0);
        if (name == "params_samp") parts.results.params = value;
        if (name == "losses_samp") parts.results.losses = value;
        if (name == "batch_num_samp") parts.results.batches = value;
        if (name == "method_samp") parts.results.methods = value;
        if (name == "series_samp") parts.series = value;
        if (!column.in_json.empty())
            parts.params.dict().entries.emplace_back(document_.pool().string(std::string(column.in_json)), value);
    }

    const Context& context_;
    Document& document_;
    ArrayReader hooks_;
};

std::string npy_bytes(const Value& value) {
    std::string bytes;
    for (const auto& extent : npy_extents(value)) {
        if (const auto* literal = std::get_if<LiteralExtent>(&extent.content)) bytes += literal->bytes;
        if (const auto* blob = std::get_if<BlobExtent>(&extent.content))
            bytes += read_all(*blob->blob, std::uint64_t{1} << 30);
    }
    return bytes;
}

class BlackitSqliteFormat final : public Format {
public:
    std::string_view name() const noexcept override { return "blackit-sqlite"; }
    std::vector<std::string_view> extensions() const override { return {}; }
    Capabilities capabilities() const override {
        return {true, true, "black-it's saving folder with checkpoint.sqlite", "calibrations", {}, {}};
    }

    Evidence probe(const Source& source) const noexcept override {
        if (!source.is_folder) {
            const bool is_database = source.head.starts_with(kSignature);
            return is_database && source.name.ends_with(".sqlite") ? Evidence::kCertain
                   : is_database                                   ? Evidence::kLikely
                                                                   : Evidence::kNo;
        }
        const auto has = [&](std::string_view name) {
            return std::find(source.entries.begin(), source.entries.end(), name) != source.entries.end();
        };
        if (!has(kDatabase)) return Evidence::kNo;
        return has("calibration_params.json") ? Evidence::kLikely : Evidence::kCertain;
    }

    Document read(const Source& source, const Context& context) const override {
        Document document;
        document.format = name();
        const auto load = [&](const std::shared_ptr<const File>& file) {
            const BlobPtr blob = File::blob(file);
            std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(blob->size_bytes(), kSignature.size())),
                             '\0');
            blob->read(0, std::as_writable_bytes(std::span(head.data(), head.size())));
            if (head != kSignature) {
                if (kSignature.starts_with(head)) throw_damaged("ends inside its signature, at byte {}", head.size());
                throw Error(ErrorCode::kDamaged, "is no SQLite database");
            }
            SqliteReader(context, document).run(read_all(*blob, context.limits.max_header_bytes));
        };
        if (source.is_folder) {
            if (std::find(source.entries.begin(), source.entries.end(), kDatabase) == source.entries.end())
                throw_damaged("{}: is missing in the saving folder", kDatabase);
            in_place(kDatabase, [&] {
                load(File::open(source.path + "/" + std::string(kDatabase), context));
                return 0;
            });
        } else {
            load(source.file);
        }
        for (const auto& finding : check_counts(document.root))
            context.warn(finding.path.empty() ? finding.what : finding.path + " " + finding.what);
        return document;
    }

    std::vector<Loss> preflight(const Document& document, const WriteOptions&) const override {
        std::vector<Loss> losses = calibration_losses(document.root);
        if (!losses.empty()) return losses;
        losses = kept_apart_losses(document, Keeper::kDatabase);
        const DictNode& root = document.root.dict();
        for (const auto& [key, value] : root.entries) add_column_losses(key, value, losses);
        const Value* jobs = root.find("n_jobs");
        if (jobs != nullptr && jobs->as_int64() != 1)
            losses.push_back({"n_jobs", fmt::format("is {}; the SQLite kind does not keep it", jobs->integer_text())});
        const Value* sampled = root.find("n_sampled_params");
        if (sampled != nullptr && sampled->as_int64() != root.find("losses_samp")->tensor().shape[0])
            losses.push_back({"n_sampled_params", "is not the number of rows; the SQLite kind does not keep it"});
        return losses;
    }

    WritePlan plan(const Document& document, const WriteOptions& options, const Context& context) const override {
        for (const auto& loss : calibration_losses(document.root))
            throw_error(ErrorCode::kRefused, "cannot be written as checkpoint.sqlite: '{}' {}", loss.path, loss.what);
        if (!options.allow_loss) refuse_losses(preflight(document, options), "checkpoint.sqlite");
        note_dropped_facts(document, {"blackit:"}, "checkpoint.sqlite", context);
        WritePlan plan;
        plan.is_folder = true;
        PlannedFile file;
        file.name = kDatabase;
        file.extents.push_back({LiteralExtent{database_bytes(document)}});
        plan.files.push_back(std::move(file));
        return plan;
    }

    std::vector<Finding> verify(const Source& source, VerifyLevel level, const Context& context) const override {
        try {
            std::vector<Finding> checksums;
            Context listening = context;
            listening.on_warning = [&](std::string_view text) {
                if (level == VerifyLevel::kFull && text.find("the gzip checksum") != std::string_view::npos)
                    checksums.push_back({Finding::Severity::kDamage, "", std::string(text)});
            };
            std::vector<Finding> findings = check_counts(read(source, listening).root);
            findings.insert(findings.end(), checksums.begin(), checksums.end());
            return findings;
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDamaged) throw;
            return {Finding{Finding::Severity::kDamage, "", error.message()}};
        }
    }

private:
    /// What has no column, or comes back from one as something else.
    static void add_column_losses(const Value& key, const Value& value, std::vector<Loss>& losses) {
        const std::string name = key.is(Kind::kString) ? std::string(key.as_string()) : std::string();
        static constexpr std::string_view kElsewhere[] = {"random_state",    "random_generator_state", "scheduler",
                                                          "samplers",        "loss_function",          "n_jobs",
                                                          "n_sampled_params"};
        const bool has_column =
            std::any_of(kColumns.begin(), kColumns.end(), [&](const Column& column) { return column.name == name; }) ||
            std::find(std::begin(kElsewhere), std::end(kElsewhere), name) != std::end(kElsewhere);
        if (!has_column) losses.push_back({name, "has no column in the SQLite kind"});
        if (value.is(Kind::kInt) && !value.as_int64())
            losses.push_back({name, fmt::format("is {}, a column takes 64 bits", value.integer_text())});
        if (name == "verbose" && value.is(Kind::kInt)) losses.push_back({name, "is an int, and comes back as a bool"});
        if (name == "convergence_precision" && value.is(Kind::kFloat) &&
            value.as_double() == std::floor(value.as_double()))
            losses.push_back({name, "is a float without decimals, and comes back as an int"});
    }

    static std::string database_bytes(const Document& document) {
        Pool scratch;
        const CalibrationParts parts = take_apart(scratch, document.root);
        const bool is_old = document.attribute("blackit:samplers_column") != nullptr || parts.plan.is(Kind::kList) ||
                            parts.plan.is(Kind::kTuple);
        const Database database = open_in_memory();
        execute_sql(database.get(), fmt::format("PRAGMA user_version={}", kSchemaVersion));
        std::string table = "CREATE TABLE checkpoint (";
        std::string places;
        for (const auto& column : kColumns) {
            const bool is_plan = column.name == "scheduler_pickled" && is_old;
            table += fmt::format("{}{} {}", places.empty() ? "" : ", ", is_plan ? "samplers_pickled" : column.name,
                                 column.type);
            places += places.empty() ? "?" : ", ?";
        }
        execute_sql(database.get(), table + ")");
        const Statement insert = prepare(database.get(), "INSERT INTO checkpoint VALUES (" + places + ")");
        int number = 0;
        for (const auto& column : kColumns) bind(insert, ++number, column, document, parts);
        if (sqlite3_step(insert.get()) != SQLITE_DONE)
            throw Error(ErrorCode::kInternal, sqlite3_errmsg(database.get()));
        sqlite3_int64 size = 0;
        const std::unique_ptr<unsigned char, void (*)(void*)> bytes(sqlite3_serialize(database.get(), "main", &size, 0),
                                                                    sqlite3_free);
        if (!bytes) throw Error(ErrorCode::kInternal, "SQLite gave no database");
        return std::string(reinterpret_cast<const char*>(bytes.get()), static_cast<std::size_t>(size));
    }

    static void bind(const Statement& insert, int number, const Column& column, const Document& document,
                     const CalibrationParts& parts) {
        const auto bind_blob = [&](const std::string& bytes) {
            sqlite3_bind_blob64(insert.get(), number, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
        };
        const auto bind_text = [&](std::string_view text) {
            sqlite3_bind_text64(insert.get(), number, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
        };
        if (column.name == "scheduler_pickled") return bind_blob(write_nested_pickle(document, parts.plan));
        if (column.name == "loss_function_pickled") return bind_blob(write_nested_pickle(document, parts.loss));
        if (column.name == "params_samp") return bind_blob(npy_bytes(parts.results.params));
        if (column.name == "losses_samp") return bind_blob(npy_bytes(parts.results.losses));
        if (column.name == "batch_num_samp") return bind_blob(npy_bytes(parts.results.batches));
        if (column.name == "method_samp") return bind_blob(npy_bytes(parts.results.methods));
        if (column.name == "series_samp") return bind_blob(gzip(npy_bytes(parts.series)));
        const Value* value = parts.params.dict().find(column.in_json);
        if (value == nullptr || value->is_null()) return;
        if (column.type == "NDARRAY") return bind_blob(npy_bytes(*value));
        if (column.name == "random_generator_state_json") return bind_text(json_text(*value));
        if (value->is(Kind::kString)) return bind_text(value->as_string());
        if (value->is(Kind::kFloat)) {
            sqlite3_bind_double(insert.get(), number, value->as_double());
        } else {
            const std::int64_t whole =
                value->is(Kind::kBool) ? std::int64_t{value->as_bool()} : value->as_int64().value_or(0);
            sqlite3_bind_int64(insert.get(), number, whole);
        }
    }
};

}  // namespace

std::unique_ptr<Format> make_blackit_sqlite_format() {
    return std::make_unique<BlackitSqliteFormat>();
}

}  // namespace ckpt
