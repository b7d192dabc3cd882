// What the names and opcodes of a stream tell by themselves.
#pragma once

#include <string>
#include <string_view>

#include "libckpt/value.hpp"

namespace ckpt {

/// Functions that make an instance of the class that is their first argument.
bool makes_its_first_argument(std::string_view callable) noexcept;
/// The name of a class or function that stands as a value; empty for anything else.
std::string global_name_of(const Value& value);
/// The least protocol that has an opcode: 0, 1 or 2.
int least_protocol(unsigned char opcode) noexcept;

}  // namespace ckpt
