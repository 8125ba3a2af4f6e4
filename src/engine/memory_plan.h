#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/args.h"
#include "config/kv_layout.h"
#include "config/limits.h"
#include "tensor/tensor.h"

namespace fathom {

// What the user asked for; 0 stands for the default.
struct MemoryRequest {
    int max_model_len = 0;           // 0: what config.json allows and the cache holds
    int max_num_batched_tokens = 0;  // 0: 2048
    int max_num_seqs = 0;            // 0: 256
    int block_tokens = 64;
    int waiting_max = 4096;
    int64_t kv_cache_bytes = 0;  // 0: what the sequences need, at most 40 % of free memory
    DType dtype = DType::bf16;
    LatentFormat latent = LatentFormat::fp8;
    IndexFormat index = IndexFormat::fp8;
    int threads = 1;
    int64_t program = 0;  // Bytes that the process holds already (resident_memory()); 0: no line.
};

// The sum that is printed before anything is allocated. Every byte that serving will use, but for
// what requests in flight hold.
struct MemoryPlan {
    struct Line {
        std::string what, why;  // "KV cache", "1,024 blocks of 64 tokens, 48,068 bytes a token"
        int64_t bytes;
    };
    Limits limits;
    KvLayout layout;
    std::vector<Line> lines;
    std::vector<std::string> notes;  // Where a default was made smaller than one may expect.
    int64_t available = 0;           // What this process may hold in all, in bytes.

    int64_t total() const;
    // The lines as a table, and the total; one string per line.
    std::vector<std::string> table() const;
};

// Decides the limits and sums them up. `weights` in bytes, `available` memory of the machine in
// bytes. Errors: the weights alone do not fit; the plan does not fit (with the flags that make it
// smaller, by what they cost); a cache that does not hold one sequence of --max-model-len, a
// --max-model-len beyond config.json's, more sequences than tokens in a step, a --block-size that
// no kernel has.
Result<MemoryPlan> plan_memory(const ModelArgs& args, const MemoryRequest& request, int64_t weights,
                               int64_t available);

}  // namespace fathom
