// Prints the layout of a checkpoint and the kind of its root.
#include <cstdio>

#include <formats/all.hpp>

int main(int, char** argv) {
    const auto registry = ckpt::all_formats();
    const auto document = ckpt::read_document(registry, argv[1], ckpt::Context{});
    std::printf("%s %s\n", document.format.c_str(), std::string(ckpt::kind_name(document.root.kind())).c_str());
}
