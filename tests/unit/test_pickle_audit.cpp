// What an audit sees of a pickle, and what it does behind an error. (Ways to hide a call: tests/interop/test_scan.py.)
#include <map>

#include "formats/shared/pickle/audit.hpp"
#include "formats/shared/pickle/global_class.hpp"
#include "tests/unit/pickle_streams.hpp"

using namespace ckpt;
using pickle_tests::lit;

namespace {

class Seen final : public AuditSink {
public:
    std::map<std::string, int> names;
    std::vector<std::string> calls;
    std::vector<std::string> storages;
    std::vector<std::string> handed_on;
    int extensions = 0;
    int nested = 0;
    void on_name(const AuditedName& name, std::uint64_t) override { ++names[name.full + (name.is_known ? "" : "?")]; }
    void on_call(const AuditedCall& call, std::uint64_t) override {
        calls.push_back((call.name != nullptr ? call.name->full : "?") + call.shown);
    }
    bool wants_arguments(const AuditedName&) const override { return true; }
    bool is_watched(const AuditedName& name) const override { return is_harmless_by_arguments(name.full); }
    void on_handed_on(const AuditedName& name, std::uint64_t) override { handed_on.push_back(name.full); }
    void on_extension(std::uint64_t, std::uint64_t) override { ++extensions; }
    void on_persistent(std::string_view, bool, std::uint64_t) override {}
    void on_storage(const std::string& cls, const std::string& key, std::uint64_t count) override {
        storages.push_back(cls + " " + key + " " + std::to_string(count));
    }
    void on_bytes(const BlobPtr&, std::uint64_t, std::uint64_t) override { ++nested; }
};

PickleAudit audit(const std::string& bytes, Seen& seen) {
    return audit_pickle(memory_blob(bytes), 0, seen, {});
}

}  // namespace

TEST_CASE("audit: a call is seen with its arguments") {
    Seen seen;
    const auto found = audit(lit("\x80\2cos\nsystem\nX\4\0\0\0trueK\5\x86R."), seen);
    CHECK(found.has_stop);
    CHECK(found.problem.empty());
    CHECK(seen.names.at("os.system") == 1);
    REQUIRE(seen.calls.size() == 1);
    CHECK(seen.calls[0] == "os.system('true', 5)");
    CHECK(found.refusals[3] == "it names os.system at byte 2");
}

TEST_CASE("audit: names come from the memo as the unpickler has it") {
    // MEMOIZE takes the number of entries, not one more than the highest index.
    Seen seen;
    audit(lit("\x80\4\x8c\1xq\x8\x30\x8c\2os\x94\x30\x8c\6system\x94\x30h\1h\2\x93."), seen);
    CHECK(seen.names.count("os.system") == 1);
    Seen computed;
    audit(lit("\x80\4cbuiltins\nstr\n\x8c\2os\x85R\x8c\6system\x93."), computed);
    CHECK(computed.names.count("?.system?") == 1);
}

TEST_CASE("audit: what stands before and behind an error is seen") {
    Seen seen;
    const auto found = audit(lit("\x80\2h\7cos\nsystem\n)R\xff"), seen);
    CHECK_FALSE(found.has_stop);
    CHECK(found.problem == "memo 7 is not there");
    CHECK(found.problem_at == 2);
    CHECK(seen.calls == std::vector<std::string>{"os.system()"});
}

TEST_CASE("audit: lengths that are lies cost nothing") {
    for (const auto& bytes : {lit("X\xff\xff\xff\xff"), lit("\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"),
                              lit("\x96\xff\xff\xff\xff\xff\xff\xff\xff"), lit("\x8b\xff\xff\xff\xff"),
                              lit("T\xff\xff\xff\xff"), lit("cos"), lit("\x95"), lit("K"), lit("G\0"), lit("")}) {
        Seen seen;
        const auto found = audit(bytes, seen);
        CHECK_FALSE(found.has_stop);
        CHECK_FALSE(found.problem.empty());
    }
    Seen seen;
    CHECK(audit(lit("Nr\xff\xff\xff\xff."), seen).has_stop);
}

TEST_CASE("audit: where a name goes that is harmless by its arguments alone") {
    Seen called;
    audit(lit("\x80\3ctorch.storage\n_load_from_bytes\nC\1"
              "a\x85R."),
          called);
    CHECK(called.handed_on.empty());
    // An argument, of a function that calls it; an item; a state; out of the memo.
    for (const std::string& stream :
         {lit("\x80\2cnumpy.random._pickle\n__generator_ctor\nNctorch.storage\n_load_from_bytes\n\x86R."),
          lit("\x80\2](ctorch.storage\n_load_from_bytes\ne."),
          lit("\x80\2}K\1"
              "ctorch.storage\n_load_from_bytes\ns."),
          lit("\x80\2cargparse\nNamespace\n)\x81"
              "ctorch.storage\n_load_from_bytes\nb."),
          lit("\x80\2ctorch.storage\n_load_from_bytes\nq\0"
              "0(h\0l."),
          lit("(ctorch.storage\n_load_from_bytes\nicollections\ndeque\n.")}) {
        Seen seen;
        audit(stream, seen);
        CHECK(seen.handed_on == std::vector<std::string>{"torch.storage._load_from_bytes"});
    }
}

TEST_CASE("audit: storages and extensions") {
    Seen seen;
    const auto found = audit(lit("\x80\2(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0\x30X\3\0\0\0cpuK\6tQ."), seen);
    CHECK(seen.storages == std::vector<std::string>{"torch.FloatStorage 0 6"});
    for (const auto& refusal : found.refusals) CHECK(refusal.empty());
    Seen other;
    audit(lit("\x82\1\x83\1\1\x84\1\1\1\1."), other);
    CHECK(other.extensions == 3);
}

TEST_CASE("names are harmless by a list, dangerous by their modules, else unknown") {
    CHECK(classify_global("torch._utils._rebuild_tensor_v2") == GlobalClass::kHarmless);
    CHECK(classify_global("collections.OrderedDict") == GlobalClass::kHarmless);
    CHECK(classify_global("numpy.float64") == GlobalClass::kHarmless);
    CHECK(classify_global("numpy.dtypes.Float64DType") == GlobalClass::kHarmless);
    CHECK(classify_global("collections.OrderedDict.fromkeys") == GlobalClass::kUnknown);
    CHECK(classify_global("torch.nn.modules.linear.Linear") == GlobalClass::kUnknown);
    CHECK(classify_global("osmium.Reader") == GlobalClass::kUnknown);
    CHECK(classify_global("") == GlobalClass::kUnknown);
    for (const char* name :
         {"os.system", "posix.system", "builtins.eval", "subprocess.Popen", "torch.serialization.load",
          "collections.abc.sys.modules", "a.__globals__", "x.builtins.exec", "importlib.util.find_spec"})
        CHECK(classify_global(name) == GlobalClass::kDangerous);
}
