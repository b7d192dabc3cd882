// Reads every sample, and as many seeded variants of them as asked: in several processes, under a watch.
//
// An input's number says all about it: `--only NUMBER --save FILE` makes it again.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <optional>
#include <string_view>

#include "tests/fuzz/guard.hpp"
#include "tests/fuzz/mutator.hpp"
#include "tests/fuzz/read_target.hpp"

namespace {

using namespace ckpt_fuzz;
using Clock = std::chrono::steady_clock;

constexpr std::uintmax_t kMaxSampleBytes = 1U << 20;
constexpr int kFindingExit = 9;

struct Options {
    std::uint64_t count = 1000;
    std::uint64_t seed = 1;
    unsigned jobs = 1;
    std::string layout;  ///< only samples that this layout's mutator knows: hdf5, or jld2 for those of Julia among them
    std::optional<std::uint64_t> only;
    std::string save;
    std::vector<std::filesystem::path> inputs;
};

[[noreturn]] void usage() {
    std::fputs(
        "usage: fuzz_replay [--count N] [--seed S] [--jobs J] [--layout NAME] [--only NUMBER] [--save FILE] SAMPLE...\n"
        "  reads the samples and N variants of them; --only reads one of the variants, --save keeps its bytes\n",
        stderr);
    std::exit(2);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : (usage(), ""); };
        const auto number = [&] { return std::strtoull(value().c_str(), nullptr, 10); };
        if (argument == "--count") {
            options.count = number();
        } else if (argument == "--seed") {
            options.seed = number();
        } else if (argument == "--jobs") {
            options.jobs = static_cast<unsigned>(std::max<unsigned long long>(1, number()));
        } else if (argument == "--layout") {
            options.layout = value();
        } else if (argument == "--only") {
            options.only = number();
        } else if (argument == "--save") {
            options.save = value();
        } else if (argument.starts_with("--")) {
            usage();
        } else if (std::filesystem::is_directory(argument)) {
            for (const auto& entry : std::filesystem::recursive_directory_iterator(argument)) {
                if (entry.is_regular_file() && entry.file_size() <= kMaxSampleBytes)
                    options.inputs.push_back(entry.path());
            }
        } else {
            options.inputs.emplace_back(argument);
        }
    }
    std::sort(options.inputs.begin(), options.inputs.end());
    return options;
}

/// All samples, and which mutators may be let loose on each.
class Inputs {
public:
    explicit Inputs(const Options& options) : seed_(options.seed), mutators_(all_mutators()) {
        samples_.reserve(options.inputs.size());
        for (const auto& path : options.inputs) {
            std::ifstream in(path, std::ios::binary);
            Sample sample{path.string(), Bytes(std::istreambuf_iterator<char>(in), {})};
            const bool is_wanted =
                options.layout.empty() || std::any_of(mutators_.begin(), mutators_.end(), [&](const auto& mutator) {
                    return is_of(options.layout, *mutator, sample.bytes) && mutator->knows(sample.bytes);
                });
            if (is_wanted) samples_.push_back(std::move(sample));
        }
        for (const Sample& sample : samples_) {
            std::vector<Mutator*>& fitting = fitting_.emplace_back();
            for (const auto& mutator : mutators_) {
                if (!mutator->knows(sample.bytes)) continue;
                mutator->learn(sample);
                fitting.push_back(mutator.get());
            }
        }
    }

    std::size_t sample_count() const { return samples_.size(); }

    /// The first inputs are the samples as they are.
    Bytes make(std::uint64_t number) const {
        if (number < samples_.size()) return samples_[static_cast<std::size_t>(number)].bytes;
        Random random(seed_ * 0x2545f4914f6cdd1dU + number);
        const Sample& sample = samples_[sample_of(number)];
        const auto& fitting = fitting_[sample_of(number)];
        // What knows the layout has three turns of four.
        const bool is_blind = fitting.size() == 1 || random.one_in(4);
        const std::size_t which = is_blind ? 0 : 1 + random.below(fitting.size() - 1);
        return fitting[which]->variant(sample, random);
    }
    std::string describe(std::uint64_t number) const {
        return (number < samples_.size() ? "" : "a variant of ") + samples_[sample_of(number)].name;
    }

private:
    /// Julia's files are HDF5 with a header of their own.
    static bool is_of(const std::string& layout, const Mutator& mutator, const Bytes& bytes) {
        if (layout != "jld2") return mutator.layout() == layout;
        const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                                    std::min<std::size_t>(bytes.size(), 64));
        return mutator.layout() == "hdf5" && head.find("Julia") != std::string_view::npos;
    }
    std::size_t sample_of(std::uint64_t number) const { return static_cast<std::size_t>(number % samples_.size()); }

    std::uint64_t seed_;
    std::vector<std::unique_ptr<Mutator>> mutators_;
    std::vector<Sample> samples_;
    std::vector<std::vector<Mutator*>> fitting_;
};

/// What a process tells the one that watches it.
struct Slot {
    std::atomic<std::uint64_t> number;  ///< that it is at
    std::atomic<std::int64_t> since;    ///< nanoseconds of the steady clock
    std::atomic<std::uint64_t> readable;
    std::atomic<std::int64_t> slowest;  ///< nanoseconds
    std::atomic<std::uint64_t> slowest_number;
};

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

/// Reads inputs `first`, `first + step`, ... below `end`; leaves with kFindingExit at one that went out of bounds.
void work(const Inputs& inputs, Slot& slot, std::uint64_t first, std::uint64_t step, std::uint64_t end) {
    watch_opens(input_path());
    peak_memory_mib();
    for (std::uint64_t number = first; number < end; number += step) {
        const Bytes bytes = inputs.make(number);
        const std::int64_t start = now();
        slot.number = number;
        slot.since = start;
        if (read_bytes(bytes.data(), bytes.size())) ++slot.readable;
        const std::int64_t took = now() - start;
        if (took > slot.slowest) {
            slot.slowest = took;
            slot.slowest_number = number;
        }
        if (peak_memory_mib() > memory_limit_mib()) {
            std::fprintf(stderr, "took %llu MiB of memory\n", static_cast<unsigned long long>(peak_memory_mib()));
            std::_Exit(kFindingExit);
        }
        if (const std::string path = escaped_to(); !path.empty()) {
            std::fprintf(stderr, "opened %s\n", path.c_str());
            std::_Exit(kFindingExit);
        }
    }
    slot.since = 0;
}

/// Runs the work in `jobs` processes and looks after them; one that falls is replaced behind the input it fell over.
class Overseer {
public:
    Overseer(const Inputs& inputs, const Options& options)
        : inputs_(inputs), options_(options), end_(inputs.sample_count() + options.count) {
        void* memory =
            ::mmap(nullptr, sizeof(Slot) * options.jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            std::perror("shared memory");
            std::exit(1);
        }
        slots_ = new (memory) Slot[options.jobs]();
    }

    int run() {
        const std::int64_t start = now();
        for (unsigned job = 0; job < options_.jobs; ++job) spawn(job, job);
        std::size_t running = options_.jobs;
        while (running > 0) {
            int status = 0;
            const pid_t pid = ::waitpid(-1, &status, WNOHANG);
            if (pid <= 0) {
                stop_the_slow();
                ::usleep(20000);
                continue;
            }
            const auto job = static_cast<unsigned>(std::find(pids_.begin(), pids_.end(), pid) - pids_.begin());
            const std::uint64_t at = slots_[job].number;
            const bool is_fine = WIFEXITED(status) && WEXITSTATUS(status) == 0;
            if (!is_fine) report(at, status);
            if (is_fine || at + options_.jobs >= end_ || findings_ >= kMaxFindings) {
                --running;
            } else {
                spawn(job, at + options_.jobs);
            }
        }
        return summary(static_cast<double>(now() - start) / 1e9);
    }

private:
    static constexpr std::size_t kMaxFindings = 20;

    void spawn(unsigned job, std::uint64_t first) {
        if (pids_.size() <= job) pids_.resize(job + 1);
        slots_[job].number = first;
        slots_[job].since = now();
        std::fflush(nullptr);
        const pid_t pid = ::fork();
        if (pid == 0) {
            work(inputs_, slots_[job], first, options_.jobs, end_);
            std::_Exit(0);
        }
        pids_[job] = pid;
    }

    void stop_the_slow() {
        for (unsigned job = 0; job < pids_.size(); ++job) {
            const std::int64_t since = slots_[job].since;
            if (since != 0 && static_cast<double>(now() - since) > kMaxSeconds * 1e9) ::kill(pids_[job], SIGKILL);
        }
    }

    void report(std::uint64_t number, int status) {
        ++findings_;
        const std::string how = !WIFSIGNALED(status)          ? "went out of bounds"
                                : WTERMSIG(status) == SIGKILL ? "took too long"
                                                              : ::strsignal(WTERMSIG(status));
        std::printf("FINDING: input %llu (%s): %s\n", static_cast<unsigned long long>(number),
                    inputs_.describe(number).c_str(), how.c_str());
        std::fflush(stdout);
    }

    int summary(double seconds) const {
        std::uint64_t readable = 0;
        const Slot* slowest = slots_;
        for (unsigned job = 0; job < options_.jobs; ++job) {
            readable += slots_[job].readable;
            if (slots_[job].slowest > slowest->slowest) slowest = &slots_[job];
        }
        std::printf(
            "%llu inputs (%zu samples, seed %llu) in %.1f s: %llu could be read whole; the slowest took %.2f s (input "
            "%llu, %s); %zu findings\n",
            static_cast<unsigned long long>(end_), inputs_.sample_count(),
            static_cast<unsigned long long>(options_.seed), seconds, static_cast<unsigned long long>(readable),
            static_cast<double>(slowest->slowest) / 1e9, static_cast<unsigned long long>(slowest->slowest_number),
            inputs_.describe(slowest->slowest_number).c_str(), findings_);
        return findings_ == 0 ? 0 : 1;
    }

    const Inputs& inputs_;
    const Options& options_;
    std::uint64_t end_;
    Slot* slots_ = nullptr;
    std::vector<pid_t> pids_;
    std::size_t findings_ = 0;
};

int read_one(const Inputs& inputs, const Options& options) {
    const Bytes bytes = inputs.make(*options.only);
    if (!options.save.empty()) {
        std::ofstream(options.save, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    std::printf("input %llu: %s, %zu bytes\n", static_cast<unsigned long long>(*options.only),
                inputs.describe(*options.only).c_str(), bytes.size());
    std::fflush(stdout);
    const bool is_readable = read_bytes(bytes.data(), bytes.size());
    std::printf("%s; %llu MiB\n", is_readable ? "could be read whole" : "could not be read whole",
                static_cast<unsigned long long>(peak_memory_mib()));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    const Inputs inputs(options);
    if (inputs.sample_count() == 0) {
        std::fputs("no samples\n", stderr);
        return 1;
    }
    if (options.only) return read_one(inputs, options);
    return Overseer(inputs, options).run();
}
