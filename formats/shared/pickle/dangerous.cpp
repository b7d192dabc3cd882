// The list of modules.
#include "formats/shared/pickle/dangerous.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace ckpt {
namespace {

/// Modules whose functions run commands, open files or load code. A name from one of them in a checkpoint is pointed
/// out; nothing is ever called, whatever its name.
constexpr std::array kDangerousModules = {"os",
                                          "posix",
                                          "nt",
                                          "subprocess",
                                          "sys",
                                          "socket",
                                          "shutil",
                                          "pty",
                                          "runpy",
                                          "importlib",
                                          "pickle",
                                          "marshal",
                                          "ctypes",
                                          "webbrowser",
                                          "builtins.eval",
                                          "builtins.exec",
                                          "builtins.open",
                                          "builtins.compile",
                                          "builtins.getattr",
                                          "builtins.apply",
                                          "builtins.__import__",
                                          "builtins.breakpoint",
                                          "torch.serialization",
                                          "torch.load",
                                          "torch.jit",
                                          "timeit",
                                          "code",
                                          "pdb",
                                          "pip",
                                          "operator.attrgetter",
                                          "operator.methodcaller",
                                          "functools.reduce",
                                          "_posixsubprocess",
                                          "commands",
                                          "platform",
                                          "asyncio",
                                          "requests",
                                          "urllib"};

}  // namespace

bool is_dangerous_global(std::string_view global) {
    if (global == "torch.serialization._get_layout" || global.starts_with("torch.jit._pickle.")) return false;
    return std::any_of(kDangerousModules.begin(), kDangerousModules.end(), [&](std::string_view name) {
        return global == name || (global.starts_with(name) && global[name.size()] == '.');
    });
}

void warn_of_globals(const std::vector<std::string>& globals, const Context& context) {
    for (const auto& global : globals) {
        if (is_dangerous_global(global))
            context.warn(fmt::format(
                "the pickle names '{}', which Python would load and may run; here it is only shown", global));
    }
}

}  // namespace ckpt
