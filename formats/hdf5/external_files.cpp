// Names of other files, confined to a folder.
#include "formats/hdf5/external_files.hpp"

#include <algorithm>
#include <filesystem>

#include "libckpt/error.hpp"
#include "libckpt/file.hpp"

namespace ckpt::hdf5 {
namespace {

namespace fs = std::filesystem;

bool lies_in(const fs::path& file, const fs::path& folder) {
    const auto [in_folder, in_file] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
    return in_folder == folder.end() && in_file != file.end();
}

}  // namespace

h5::SiblingOpener sibling_opener(const std::string& file_path, const Context& context) {
    if (context.external_folder.empty()) return {};
    const fs::path given(file_path);
    const fs::path base = given.has_parent_path() ? given.parent_path() : fs::path(".");
    const fs::path allowed = context.external_folder == "." ? base : fs::path(context.external_folder);
    return [base, allowed, context](const std::string& name) -> BlobPtr {
        std::error_code error;
        const fs::path folder = fs::canonical(allowed, error);
        const bool is_name = !error && name.find('\0') == std::string::npos && !name.empty();
        // An absolute name stays what it is.
        const fs::path wanted = is_name ? fs::weakly_canonical(base / name, error) : fs::path();
        if (!is_name || error || !lies_in(wanted, folder)) {
            throw_error(ErrorCode::kRefused, "file '{}' is not read: it lies outside of the folder '{}'", name,
                        folder.string());
        }
        if (!fs::exists(wanted, error)) return nullptr;
        if (!fs::is_regular_file(wanted, error)) throw_error(ErrorCode::kRefused, "'{}' is no file", name);
        return File::blob(File::open(wanted.string(), context));
    };
}

}  // namespace ckpt::hdf5
