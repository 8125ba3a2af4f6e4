#pragma once

#include <string>
#include <vector>

#include "checkpoint/format.h"
#include "engine/memory_plan.h"
#include "server/serve_flags.h"
#include "server/served_model.h"

namespace fathom {

// What `fathom serve` says while it starts, line by line.

// What is served and on what; then the flags that do nothing, if any were given.
std::vector<std::string> settings_lines(const ServeFlags& flags, CheckpointFormat format,
                                        int threads);
// The memory as a sum, before anything of it is allocated, and the limits it is made for.
std::vector<std::string> plan_lines(const MemoryPlan& plan);
// Where it listens; the last line is a command that works when pasted on this machine.
std::vector<std::string> ready_lines(const ServeFlags& flags, const ServedModel& model, int port,
                                     double seconds);

}  // namespace fathom
