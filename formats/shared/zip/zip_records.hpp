// Sizes of the records of a zip archive without what varies in them, and the greatest numbers of their fields (APPNOTE
// 4.3). For the readers of this folder.
#pragma once

#include <cstdint>

namespace ckpt::zip_records {

inline constexpr std::uint64_t kEndBytes = 22;      ///< end of central directory
inline constexpr std::uint64_t kLocatorBytes = 20;  ///< of the zip64 end record
inline constexpr std::uint64_t kEnd64Bytes = 56;
inline constexpr std::uint64_t kCentralBytes = 46;
inline constexpr std::uint64_t kLocalBytes = 30;
inline constexpr std::uint64_t kMost16 = 0xffff;  ///< as a value: it stands in the zip64 record
inline constexpr std::uint64_t kMost32 = 0xffffffff;

}  // namespace ckpt::zip_records
