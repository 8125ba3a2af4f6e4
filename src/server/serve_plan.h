#pragma once

#include "checkpoint/checkpoint.h"
#include "engine/memory_plan.h"
#include "server/serve_flags.h"

namespace fathom {

// --threads, or one per core that this process may use.
int thread_count(const ServeFlags& flags);

// The memory that serving a verified checkpoint with these flags will take on this machine, now.
Result<MemoryPlan> plan_serving(const ServeFlags& flags, const ModelArgs& args,
                                const Checkpoint& checkpoint);

}  // namespace fathom
