// fathom serve CHECKPOINT [flags]: the OpenAI API over one checkpoint.
#include "server/serve.h"

#include <unistd.h>

#include <cstdio>

#include "apps/command_line.h"
#include "apps/commands.h"

namespace fathom {
namespace {

Console standard_streams() {
    return {.say =
                [](std::string_view line) {
                    std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
                    std::fflush(stdout);
                },
            .draw =
                [](std::string_view text) {
                    std::fprintf(stderr, "%.*s", static_cast<int>(text.size()), text.data());
                },
            .terminal = isatty(STDERR_FILENO) != 0};
}

}  // namespace

int run_serve(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    Result<ServeCommand> command = parse_serve_flags(words);
    if (!command.ok()) return fail_command("fathom serve", command.error().message);
    if (!command.value().text.empty()) {
        std::fputs(command.value().text.c_str(), stdout);
        return 0;
    }
    const Status status = serve(command.value().flags, standard_streams());
    return status.ok() ? 0 : fail_command("fathom serve", status.error().message);
}

}  // namespace fathom
