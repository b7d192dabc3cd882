// A walk over the objects of a file, each once.
#include "formats/hdf5/verify_data.hpp"

#include <unordered_set>
#include <utility>

#include "formats/hdf5/text.hpp"
#include "libckpt/check.hpp"
#include "libckpt/error.hpp"
#include "libckpt/path.hpp"

namespace ckpt::hdf5 {
namespace {

class DataVerifier {
public:
    DataVerifier(const h5::H5File& file, const Context& context) : file_(file), context_(context) {}

    std::vector<Finding> run() {
        meet("", file_.root_address());
        while (!groups_.empty()) {
            const auto [path, group] = std::move(groups_.back());
            groups_.pop_back();
            for (const h5::Link& link : group->links().links) {
                if (link.kind != h5::Link::Kind::kHard) continue;
                meet(path + (path.empty() ? "" : "/") + escape_key(name_to_text(link.name)), link.address);
            }
        }
        return std::move(findings_);
    }

private:
    void meet(const std::string& path, std::uint64_t address) {
        if (!met_.insert(address).second) return;
        context_.check_cancelled();
        try {
            const auto object = file_.object(address);
            if (object->kind() == h5::ObjectKind::kGroup) groups_.emplace_back(path, object);
            if (object->kind() == h5::ObjectKind::kDataset) file_.check_data(object->dataset(), context_);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled || error.code() == ErrorCode::kInternal) throw;
            findings_.push_back(finding_of(error, path));
        }
    }

    const h5::H5File& file_;
    const Context& context_;
    std::unordered_set<std::uint64_t> met_;
    std::vector<std::pair<std::string, std::shared_ptr<const h5::Object>>> groups_;
    std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> verify_data(const h5::H5File& file, const Context& context) {
    return DataVerifier(file, context).run();
}

}  // namespace ckpt::hdf5
