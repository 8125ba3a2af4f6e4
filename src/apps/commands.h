#pragma once

namespace fathom {

// The commands of the program. Each gets its own arguments as main() does: argv[0] is its name
// ("tiny" of `fathom tiny DIR`). Returns the exit code: 0, or 2 with one sentence on stderr when
// the arguments or the files they name are wrong.
int run_serve(int argc, char** argv);
int run_tiny(int argc, char** argv);
int run_inspect(int argc, char** argv);
int run_quantize(int argc, char** argv);

}  // namespace fathom
