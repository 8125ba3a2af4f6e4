#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "config/kv_layout.h"
#include "server/api_flags.h"
#include "server/http_flags.h"
#include "tensor/tensor.h"

namespace fathom {

// The command line of `fathom serve`. Names, meanings and defaults are vLLM's where vLLM has the
// flag; what the value 0 or an absent one stands for is decided when the checkpoint and the machine
// are known (server/serve_plan.h).
struct ServeFlags {
    std::string model;
    HttpFlags http;
    ApiFlags api;
    std::vector<std::string>
        served_model_names;  // Empty: the path, its last part, and usual names.

    int max_model_len = 0;           // 0: what config.json allows and the cache holds
    int max_num_batched_tokens = 0;  // 0: 2048
    int max_num_seqs = 0;            // 0: 256
    int block_size = 64;
    int64_t kv_cache_memory_bytes = 0;  // 0: what the sequences need, at most 40 % of free memory
    bool enable_prefix_caching = true;
    int max_waiting_requests = 4096;

    DType dtype = DType::bf16;                // --dtype: activations
    LatentFormat latent = LatentFormat::fp8;  // --kv-cache-dtype, and f32 with --dtype float32
    IndexFormat index = IndexFormat::fp8;
    std::string quantization;  // "": whatever the checkpoint is
    uint64_t seed = 0;
    int threads = 0;  // 0: one per core that the process may use

    int shutdown_timeout_s = 30;
    log::Level log_level = log::Level::info;

    // Flags that were given and do nothing: "--async-scheduling". The two start-up lines.
    std::vector<std::string> no_meaning, not_built;
};

// Either flags, or a text to print (--help, --version) and leave with exit code 0.
struct ServeCommand {
    ServeFlags flags;
    std::string text;
};

// words: what follows `fathom serve`. Errors: one sentence with the flag, its value and what to do.
Result<ServeCommand> parse_serve_flags(std::span<const std::string> words);

}  // namespace fathom
