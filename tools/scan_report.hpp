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

/// The record of `--json`, on one line.
std::string scan_json(const std::string& path, const ScanReport& report);
/// That of what could not be read: the fields are those of any other.
std::string unread_json(const std::string& path, const std::string& why);

}  // namespace ckpt
