// The executor: extents become file ranges, file ranges become jobs, jobs run on threads.
#include "libckpt/execute.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>

#include "libckpt/atomic_output.hpp"
#include "libckpt/crc32.hpp"
#include "libckpt/error.hpp"
#include "libckpt/file.hpp"
#include "libckpt/ordered_writer.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{4} << 20;    // of a large blob, one job
constexpr std::uint64_t kGatherBytes = std::uint64_t{1} << 20;   // small neighbours written at once
constexpr std::uint64_t kSmallBytes = std::uint64_t{128} << 10;  // what counts as small

class Descriptor {
public:
    explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
    ~Descriptor() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

void write_at(int descriptor, std::span<const std::byte> bytes, std::uint64_t offset_bytes, IoCounters& io) {
    while (!bytes.empty()) {
        const ssize_t count = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset_bytes));
        if (count < 0) {
            if (errno == EINTR) continue;
            throw_output_error(fmt::format("cannot be written at byte {}", offset_bytes), errno);
        }
        io.bytes_written.fetch_add(static_cast<std::uint64_t>(count), std::memory_order_relaxed);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        offset_bytes += static_cast<std::uint64_t>(count);
    }
}

std::span<const std::byte> as_bytes(const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// Runs jobs 0 .. count-1 on threads. Progress and cancellation stay on the calling thread; the first failure stops the
/// rest.
class Workers {
public:
    Workers(const Context& context, std::uint64_t total_bytes) : context_(context), total_bytes_(total_bytes) {}

    void run(std::size_t count, const std::function<void(std::size_t)>& job) {
        const auto threads = static_cast<std::size_t>(std::min<std::uint64_t>(context_.thread_count(), count));
        next_ = 0;
        stopped_ = false;
        const auto work = [&] {
            while (!stopped_) {
                const std::size_t mine = next_.fetch_add(1);
                if (mine >= count) break;
                try {
                    job(mine);
                } catch (...) {
                    const std::lock_guard lock(mutex_);
                    if (!failure_) failure_ = std::current_exception();
                    stopped_ = true;
                }
            }
            const std::lock_guard lock(mutex_);
            --running_;
            changed_.notify_all();
        };
        std::vector<std::thread> pool;
        running_ = threads;
        for (std::size_t i = 0; i < threads; ++i) pool.emplace_back(work);
        bool cancelled = false;
        {
            std::unique_lock lock(mutex_);
            while (running_ > 0) {
                changed_.wait_for(lock, std::chrono::milliseconds(50));
                lock.unlock();
                if (context_.cancel != nullptr && context_.cancel->load()) {
                    cancelled = true;
                    stopped_ = true;
                }
                context_.progress(done_bytes_, total_bytes_);
                lock.lock();
            }
        }
        for (auto& thread : pool) thread.join();
        if (failure_) std::rethrow_exception(failure_);
        if (cancelled) context_.check_cancelled();
    }

    /// On the calling thread.
    void report() const { context_.progress(done_bytes_, total_bytes_); }
    void add_done(std::uint64_t bytes) { done_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
    bool stopped() const noexcept { return stopped_; }

private:
    const Context& context_;
    std::uint64_t total_bytes_;
    std::atomic<std::uint64_t> done_bytes_{0};
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> stopped_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t running_ = 0;
    std::exception_ptr failure_;
};

/// Writes a file all places of which are known to an open descriptor, many places at once.
class FileWriter {
public:
    FileWriter(const PlannedFile& file, int descriptor, const Context& context, Workers& workers)
        : extents_(file.extents),
          results_(file.extents.size()),
          descriptor_(descriptor),
          context_(context),
          workers_(workers) {}

    /// How many jobs there are; each may run on any thread, then `finish` writes what follows from them.
    std::size_t prepare() {
        place();
        make_jobs();
        return jobs_.size();
    }
    void run_job(std::size_t number) {
        Job& job = jobs_[number];
        if (job.is_piece) {
            copy_piece(job);
        } else {
            write_small(job);
        }
    }
    void finish() {
        join_checksums();
        write_late();
    }

private:
    /// Either a run of small neighbouring extents, or a piece of one large blob.
    struct Job {
        std::size_t first = 0;
        std::size_t last = 0;  // past the end
        BlobPtr blob;          // of a piece: that of its extent, or one that it consists of
        std::uint64_t blob_offset = 0;
        std::uint64_t piece_offset = 0;  // in the extent
        std::uint64_t piece_size = 0;
        std::uint32_t crc = 0;  // of a piece
        bool is_piece = false;
    };

    void place() {
        std::uint64_t offset = 0;
        for (std::size_t i = 0; i < extents_.size(); ++i) {
            results_[i].offset_bytes = offset;
            results_[i].size_bytes = planned_bytes(extents_[i]);
            offset += results_[i].size_bytes;
        }
    }

    bool is_plain(std::size_t i) const {
        return std::holds_alternative<LiteralExtent>(extents_[i].content) ||
               std::holds_alternative<BlobExtent>(extents_[i].content);
    }

    void make_jobs() {
        for (std::size_t i = 0; i < extents_.size();) {
            if (!is_plain(i)) {
                ++i;
                continue;
            }
            const std::uint64_t size = results_[i].size_bytes;
            if (size > kSmallBytes && std::holds_alternative<BlobExtent>(extents_[i].content)) {
                const BlobPtr& blob = std::get<BlobExtent>(extents_[i].content).blob;
                // Ranges of files are copied by the system, or read in steps that stay in the cache.
                const auto parts = blob->pieces();
                std::uint64_t begin = 0;
                for (const BlobPtr& part : parts) {
                    add_pieces(i, part, begin);
                    begin += part->size_bytes();
                }
                if (parts.empty()) add_pieces(i, blob, 0);
                ++i;
                continue;
            }
            Job job{i, i, nullptr, 0, 0, 0, 0, false};
            std::uint64_t gathered = 0;
            while (
                i < extents_.size() && is_plain(i) &&
                (gathered == 0 || gathered + results_[i].size_bytes <= kGatherBytes) &&
                (results_[i].size_bytes <= kSmallBytes || std::holds_alternative<LiteralExtent>(extents_[i].content))) {
                gathered += results_[i].size_bytes;
                ++i;
            }
            job.last = i;
            jobs_.push_back(job);
        }
    }

    /// Jobs for a blob that lies at `begin` in an extent.
    void add_pieces(std::size_t extent, const BlobPtr& blob, std::uint64_t begin) {
        const std::uint64_t best = blob->best_read_bytes();
        const std::uint64_t piece = best != 0 ? best : kPieceBytes;
        const std::uint64_t size = blob->size_bytes();
        for (std::uint64_t done = 0; done < size; done += piece)
            jobs_.push_back({extent, extent + 1, blob, done, begin + done, std::min(piece, size - done), 0, true});
    }

    void write_small(const Job& job) {
        thread_local std::vector<std::byte> buffer;
        const std::uint64_t start = results_[job.first].offset_bytes;
        const auto& end = results_[job.last - 1];
        buffer.resize(static_cast<std::size_t>(end.offset_bytes + end.size_bytes - start));
        for (std::size_t i = job.first; i < job.last; ++i) {
            const auto target = std::span(buffer).subspan(static_cast<std::size_t>(results_[i].offset_bytes - start),
                                                          static_cast<std::size_t>(results_[i].size_bytes));
            if (const auto* literal = std::get_if<LiteralExtent>(&extents_[i].content)) {
                std::copy_n(as_bytes(literal->bytes).begin(), target.size(), target.begin());
            } else {
                std::get<BlobExtent>(extents_[i].content).blob->read(0, target);
            }
            if (extents_[i].want_crc32) results_[i].crc32 = crc32(0, target);
        }
        write_at(descriptor_, buffer, start, *context_.io);
        workers_.add_done(buffer.size());
    }

    void copy_piece(Job& job) {
        const Blob& blob = *job.blob;
        const std::uint64_t target = results_[job.first].offset_bytes + job.piece_offset;
        const bool want_crc = extents_[job.first].want_crc32;
        if (want_crc || !copy_in_kernel(blob, job, target)) {
            thread_local std::vector<std::byte> buffer;
            // Half-megabyte steps keep a file's bytes in the cache between reading, checksum and writing; blobs that
            // compute want it all at once.
            const std::uint64_t step_bytes = blob.file_range() ? std::uint64_t{512} << 10 : job.piece_size;
            for (std::uint64_t done = 0; done < job.piece_size && !workers_.stopped();) {
                buffer.resize(static_cast<std::size_t>(std::min(step_bytes, job.piece_size - done)));
                blob.read(job.blob_offset + done, buffer);
                if (want_crc) job.crc = crc32(job.crc, buffer);
                write_at(descriptor_, buffer, target + done, *context_.io);
                done += buffer.size();
            }
        }
        // Starts write-back now, so that the final sync finds little left to do.
        ::sync_file_range(descriptor_, static_cast<off_t>(target), static_cast<off_t>(job.piece_size),
                          SYNC_FILE_RANGE_WRITE);
        workers_.add_done(job.piece_size);
    }

    /// False when the blob is no file range, or the system cannot copy between these two files.
    bool copy_in_kernel(const Blob& blob, const Job& job, std::uint64_t target) {
        const auto range = blob.file_range();
        if (!range || no_kernel_copy_) return false;
        auto from = static_cast<off64_t>(range->offset_bytes + job.blob_offset);
        auto to = static_cast<off64_t>(target);
        std::uint64_t rest = job.piece_size;
        while (rest > 0) {
            const ssize_t count = ::copy_file_range(range->file->descriptor(), &from, descriptor_, &to,
                                                    static_cast<std::size_t>(rest), 0);
            if (count > 0) {
                rest -= static_cast<std::uint64_t>(count);
                context_.io->bytes_read.fetch_add(static_cast<std::uint64_t>(count), std::memory_order_relaxed);
                context_.io->bytes_written.fetch_add(static_cast<std::uint64_t>(count), std::memory_order_relaxed);
                continue;
            }
            if (count < 0 && errno == EINTR) continue;
            if (count < 0 && (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)) {
                throw_output_error(fmt::format("cannot be written at byte {}", to), errno);
            }
            if (count < 0) no_kernel_copy_ = true;
            return false;  // the plain way reads it again and says what is wrong, if something is
        }
        return true;
    }

    void join_checksums() {
        for (const Job& job : jobs_) {
            if (!job.is_piece || !extents_[job.first].want_crc32) continue;
            auto& crc = results_[job.first].crc32;
            crc = job.piece_offset == 0 ? job.crc : crc32_combine(crc, job.crc, job.piece_size);
        }
    }

    void write_late() {
        for (std::size_t i = 0; i < extents_.size(); ++i) {
            const auto* late = std::get_if<LateExtent>(&extents_[i].content);
            if (late == nullptr) continue;
            const std::string bytes = late->make(results_);
            if (late->size_bytes == LateExtent::kUnknownSize) {
                results_[i].size_bytes = bytes.size();
                for (std::size_t j = i + 1; j < extents_.size(); ++j) {
                    results_[j].offset_bytes = results_[j - 1].offset_bytes + results_[j - 1].size_bytes;
                }
            } else if (bytes.size() != late->size_bytes) {
                throw_error(ErrorCode::kInternal, "a late extent has {} bytes, planned were {}", bytes.size(),
                            late->size_bytes);
            }
            if (extents_[i].want_crc32) results_[i].crc32 = crc32(0, as_bytes(bytes));
            write_at(descriptor_, as_bytes(bytes), results_[i].offset_bytes, *context_.io);
        }
    }

    const std::vector<Extent>& extents_;
    std::vector<ExtentResult> results_;
    std::vector<Job> jobs_;
    int descriptor_;
    const Context& context_;
    Workers& workers_;
    std::atomic<bool> no_kernel_copy_{false};
};

/// Says "disk full" before a byte is written, where the numbers are known and clear.
void check_free_space(const WritePlan& plan, const std::string& temporary) {
    std::uint64_t needed = 0;
    for (const auto& file : plan.files) {
        for (const auto& extent : file.extents) {
            if (std::holds_alternative<EncodedExtent>(extent.content)) continue;
            if (__builtin_add_overflow(needed, planned_bytes(extent), &needed)) needed = ~std::uint64_t{0};
        }
    }
    struct statvfs status = {};
    if (::statvfs(std::filesystem::path(temporary).parent_path().empty()
                      ? "."
                      : std::filesystem::path(temporary).parent_path().c_str(),
                  &status) != 0)
        return;
    const std::uint64_t free_bytes = std::uint64_t{status.f_bavail} * status.f_frsize;
    if (status.f_blocks != 0 && needed > free_bytes) {
        throw_error(ErrorCode::kOutput, "needs {} bytes, but the device has {} free", needed, free_bytes);
    }
}

bool has_encoded(const PlannedFile& file) {
    return std::any_of(file.extents.begin(), file.extents.end(),
                       [](const Extent& extent) { return std::holds_alternative<EncodedExtent>(extent.content); });
}

/// Front to back, then what follows from later parts.
void write_ordered(const PlannedFile& file, int descriptor, const Context& context, Workers& workers) {
    std::vector<ExtentResult> results;
    std::uint64_t offset = 0;
    const auto sink = [&](std::span<const std::byte> bytes) {
        write_at(descriptor, bytes, offset, *context.io);
        offset += bytes.size();
    };
    const auto done = [&](std::uint64_t raw_bytes) {
        workers.add_done(raw_bytes);
        workers.report();
    };
    write_in_order(file, results, sink, done, context);
    for (std::size_t i = 0; i < file.extents.size(); ++i) {
        const auto* late = std::get_if<LateExtent>(&file.extents[i].content);
        if (late == nullptr || !late->needs_later) continue;
        const std::string bytes = late->make(results);
        if (bytes.size() != late->size_bytes) {
            throw_error(ErrorCode::kInternal, "a late extent has {} bytes, planned were {}", bytes.size(),
                        late->size_bytes);
        }
        write_at(descriptor, as_bytes(bytes), results[i].offset_bytes, *context.io);
    }
}

constexpr std::size_t kMostOpenFiles = 64;

void sync(int descriptor) {
    if (::fsync(descriptor) != 0) throw_output_error("cannot be synced to disk", errno);
}

std::unique_ptr<Descriptor> open_output(const std::string& path) {
    auto descriptor = std::make_unique<Descriptor>(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    if (descriptor->get() < 0) throw_output_error("cannot be written", errno);
    return descriptor;
}

/// Several files at once: their pieces are one list of jobs, and so are their syncs.
void write_together(std::span<const PlannedFile* const> files,
                    const std::function<std::string(const PlannedFile&)>& path, const Context& context,
                    Workers& workers) {
    std::vector<std::unique_ptr<Descriptor>> descriptors;
    std::vector<std::unique_ptr<FileWriter>> writers;
    std::vector<std::size_t> ends;  // of the jobs of each
    for (const PlannedFile* file : files) {
        descriptors.push_back(open_output(path(*file)));
        writers.push_back(std::make_unique<FileWriter>(*file, descriptors.back()->get(), context, workers));
        ends.push_back((ends.empty() ? 0 : ends.back()) + writers.back()->prepare());
    }
    if (ends.empty()) return;
    workers.run(ends.back(), [&](std::size_t job) {
        const auto file = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), job) - ends.begin());
        writers[file]->run_job(job - (file == 0 ? 0 : ends[file - 1]));
    });
    for (const auto& writer : writers) writer->finish();
    context.check_cancelled();
    workers.run(descriptors.size(), [&](std::size_t i) { sync(descriptors[i]->get()); });
}

void write_encoded(const PlannedFile& file, const std::string& path, const Context& context, Workers& workers) {
    const auto descriptor = open_output(path);
    write_ordered(file, descriptor->get(), context, workers);
    context.check_cancelled();
    sync(descriptor->get());
}

}  // namespace

void execute(const WritePlan& plan, const std::string& path, Existing existing, const Context& context) {
    try {
        AtomicOutput output(path, existing, plan.is_folder);
        check_free_space(plan, output.temporary());
        Workers workers(context, plan.total_bytes());
        const auto path_of = [&](const PlannedFile& file) {
            return plan.is_folder ? output.temporary() + "/" + file.name : output.temporary();
        };
        std::vector<const PlannedFile*> plain;
        for (const auto& file : plan.files) {
            if (has_encoded(file)) {
                write_encoded(file, path_of(file), context, workers);
            } else {
                plain.push_back(&file);
            }
        }
        for (std::size_t at = 0; at < plain.size(); at += kMostOpenFiles) {
            const std::size_t count = std::min(kMostOpenFiles, plain.size() - at);
            write_together(std::span(plain).subspan(at, count), path_of, context, workers);
        }
        context.check_cancelled();
        output.commit();
    } catch (Error& error) {
        // Only what concerns the output is named after it; a blob that fails to read is the input's business.
        if (error.code() == ErrorCode::kOutput || error.code() == ErrorCode::kRefused) error.in_file(path);
        throw;
    }
}

void execute_to_descriptor(const WritePlan& plan, int descriptor, const Context& context) {
    if (plan.is_folder || plan.files.size() != 1)
        throw Error(ErrorCode::kRefused, "a folder cannot be written to a pipe");
    const PlannedFile& file = plan.files.front();
    for (const Extent& extent : file.extents) {
        const auto* late = std::get_if<LateExtent>(&extent.content);
        if (late != nullptr && late->needs_later)
            throw Error(ErrorCode::kRefused, "this layout cannot be written front to back, so not to a pipe");
    }
    const auto sink = [&](std::span<const std::byte> bytes) {
        context.io->bytes_written.fetch_add(bytes.size(), std::memory_order_relaxed);
        while (!bytes.empty()) {
            const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) throw_output_error("standard output", errno);
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
    };
    const std::uint64_t total = plan.total_bytes();
    std::uint64_t done = 0;
    std::vector<ExtentResult> results;
    write_in_order(
        file, results, sink, [&](std::uint64_t raw_bytes) { context.progress(done += raw_bytes, total); }, context);
}

}  // namespace ckpt
