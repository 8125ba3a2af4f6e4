// fathom serve CHECKPOINT [flags]: the OpenAI API over one checkpoint.
#include "server/serve.h"

#include <cstdio>

#include "apps/command_line.h"
#include "apps/commands.h"

namespace fathom {
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
