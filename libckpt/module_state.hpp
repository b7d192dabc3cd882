// Modules that were saved whole, as objects: their tensors by the names that their own state dict would give them.
#pragma once

#include <optional>
#include <string_view>

#include "libckpt/document.hpp"

namespace ckpt {

/// Lists of names on an object whose fields do not say which of them are parameters and which are buffers; set by the
/// layout that knows.
inline constexpr std::string_view kModuleParameters = "module:parameters";
inline constexpr std::string_view kModuleBuffers = "module:buffers";

/// An object that holds its tensors and its parts as modules do: in dicts `_parameters`, `_buffers` and `_modules`
/// among its fields, or with the attributes above.
bool is_module(const Value& value);
/// Whether a module or one of its parts has a parameter or buffer: a loss function often has none.
bool has_module_tensors(const Value& value);

/// The state dict of a module, made without its class: parameters and persistent buffers, then those of its parts,
/// their names joined by ".". Each is a plain tensor over the storage that the module's has, so what is tied stays
/// tied, and what stands at several places has as many names. A module that is part of itself is entered once on each
/// way. nullopt for what is no module, or would have more than `kMostModuleTensors` names.
std::optional<Value> module_state_dict(Pool& pool, const Value& value);
inline constexpr std::size_t kMostModuleTensors = std::size_t{1} << 20;

/// Puts their state dicts in place of modules: of the root, and of entries of a root that is a dict. Whether there were
/// any.
bool name_modules(Document& document);

}  // namespace ckpt
