// The opcodes of pickle streams by what follows them.
#pragma once

#include <cstdint>
#include <string_view>

namespace ckpt {

/// What follows an opcode: bytes of a number, a run of bytes behind its length, lines.
enum class OpcodeArgument : std::uint8_t { kNumber, kRun, kLine, kTwoLines, kNone };
struct OpcodeForm {
    OpcodeArgument argument;
    std::uint8_t width;  ///< of the number or length
};

OpcodeForm opcode_form(unsigned char opcode) noexcept;
/// Whether any protocol up to 5 has the opcode.
bool is_opcode(unsigned char opcode) noexcept;
/// "REDUCE", as Python's pickle module names it; "0x1f" for none is left to the caller: empty.
std::string_view opcode_name(unsigned char opcode) noexcept;

}  // namespace ckpt
