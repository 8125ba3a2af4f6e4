#pragma once

#include <string>

#include "server/console.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11 calls it so.
class App;
}

namespace fathom {

// Parses argv (argv[0] is the command's name). Returns -1 to go on, else the exit code: 0 after
// --help, 2 after a sentence on stderr.
int parse_command_line(CLI::App& app, int argc, char** argv);

// "fathom tiny: MESSAGE" on stderr; returns 2.
int fail_command(const std::string& command, const std::string& message);

// Lines to stdout; what is drawn to stderr.
Console standard_streams();

// "12.3 MB"
std::string readable_bytes(int64_t bytes);

}  // namespace fathom
