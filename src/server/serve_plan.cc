#include "server/serve_plan.h"

#include <sched.h>

#include <algorithm>

#include "base/memory.h"
#include "model/load.h"

namespace fathom {

int thread_count(const ServeFlags& flags) {
    if (flags.threads > 0) return flags.threads;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return std::clamp(CPU_COUNT(&set), 1, 256);
}

Result<MemoryPlan> plan_serving(const ServeFlags& flags, const ModelArgs& args,
                                const Checkpoint& checkpoint) {
    const MemoryRequest request{.max_model_len = flags.max_model_len,
                                .max_num_batched_tokens = flags.max_num_batched_tokens,
                                .max_num_seqs = flags.max_num_seqs,
                                .block_tokens = flags.block_size,
                                .waiting_max = flags.max_waiting_requests,
                                .kv_cache_bytes = flags.kv_cache_memory_bytes,
                                .dtype = flags.dtype,
                                .latent = flags.latent,
                                .index = flags.index,
                                .threads = thread_count(flags),
                                .program = resident_memory()};
    return plan_memory(args, request, weight_bytes(checkpoint, args, /*mtp=*/false),
                       available_memory());
}

}  // namespace fathom
