// The program: fathom COMMAND [arguments].
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/check.h"
#include "base/version.h"

namespace {

struct Command {
    const char* name;
    int (*run)(int argc, char** argv);
    const char* what;
};

constexpr Command kCommands[] = {
    {"serve", fathom::run_serve, "serve a checkpoint over HTTP (OpenAI's API)"},
    {"inspect", fathom::run_inspect, "say what a checkpoint is, and what is wrong with it"},
    {"quantize", fathom::run_quantize, "write a checkpoint in FP8 blocks or Ascend's W8A8"},
    {"tiny", fathom::run_tiny, "write a small random checkpoint of the real architecture"}};

int print_help() {
    std::printf("fathom %s: a server for DeepSeek-V3.2\n\n", fathom::kVersion);
    for (const Command& command : kCommands)
        std::printf("  fathom %-8s %s\n", command.name, command.what);
    std::printf("\nfathom COMMAND --help says more.\n");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc > 1 ? argv[1] : "--help";
    if (name == "--help" || name == "-h" || name == "help") return print_help();
    if (name == "--version") return std::printf("fathom %s\n", fathom::kVersion), 0;
    for (const Command& command : kCommands)
        if (name == command.name) return command.run(argc - 1, argv + 1);
    return fathom::fail_command(
        "fathom", fathom::str("unknown command ", name, "; fathom --help lists them"));
}
