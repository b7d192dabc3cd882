// What the names and opcodes of a stream tell by themselves.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "libckpt/value.hpp"

namespace ckpt {

/// Functions that make an instance of the class that is their first argument.
bool makes_its_first_argument(std::string_view callable) noexcept;
/// The name of a class or function that stands as a value; empty for anything else.
std::string global_name_of(const Value& value);
/// The dotted name of a class or function value; nested classes are pickled as getattr(Outer, 'Inner') at low
/// protocols.
std::string callee_name(const Value& callee);
/// The class of what a call makes: functions that make an instance of their first argument are known by name.
std::string class_made_by(const Recipe& recipe);
/// Puts values in place of nodes, and of what these are replaced by, wherever `root` refers to them.
void replace_nodes(Value& root, const std::unordered_map<const Node*, Value>& replaced);
/// The least protocol that has an opcode: 0, 1 or 2.
int least_protocol(unsigned char opcode) noexcept;

}  // namespace ckpt
