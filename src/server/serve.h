#pragma once

#include "server/console.h"
#include "server/serve_flags.h"

namespace fathom {

// `fathom serve`: checks the checkpoint, takes the port, prints the plan, loads, serves until
// SIGTERM or Ctrl-C, lets running requests end within --shutdown-timeout. Blocks. Errors are those
// of the start, one sentence each; after "ready" it returns a value.
Status serve(const ServeFlags& flags, const Console& console);

}  // namespace fathom
