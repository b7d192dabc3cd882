// What `ckpt scan` says of a file, as lines.
#pragma once

#include <string>
#include <string_view>

#include "formats/shared/scan/scan.hpp"

namespace ckpt {

std::string_view class_text(ScanFinding::Class cls);
std::string_view class_text(GlobalClass cls);

/// Lines; `all`: harmless names and each pickle as well.
std::string scan_text(const std::string& path, const ScanReport& report, bool all);

}  // namespace ckpt
