#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "base/result.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/input_range.h"
#include "config/args.h"

namespace fathom {

// A checkpoint to be written in another format.
struct Quantization {
    std::filesystem::path in, out;
    CheckpointFormat format = CheckpointFormat::fp8;  // fp8 or w8a8.
    bool overwrite = false;                           // Of what is in `out`.
    int threads = 1;
    int64_t file_bytes_max = int64_t{4} << 30;  // Of one *.safetensors, as msmodelslim cuts them.
    // w8a8: one for every module of static_modules().
    std::vector<InputRange> ranges;
    // Told now and then, on the calling thread, how many of the weights are written.
    std::function<void(int64_t done, int64_t total)> progress;
};

// The linears of a w8a8 checkpoint whose activations have a static range: q_a_proj,
// kv_a_proj_with_mqa, q_b_proj and o_proj of every layer, the MTP layer's too.
std::vector<std::string> static_modules(const ModelArgs& args);

// What can be known before the work begins. Errors, one sentence each: `from` is neither bf16 nor,
// for w8a8, fp8; `out` is `in`, or holds something and is not to be overwritten.
Status check_quantization(const Quantization& job, CheckpointFormat from);

// Writes weights, index, description, the files beside the weights (tokenizer*, chat templates,
// generation_config.json, LICENSE*), and config.json last. Returns the bytes of the weights. What
// is not quantized is copied bit for bit; what the model does not need is left out. Memory: some
// megabytes per thread. Errors: as check_quantization(); a weight that is not finite; no space.
// REQUIRES: verify() found nothing wrong with `checkpoint`, which is job.in, and `args` is its.
Result<int64_t> quantize(const Quantization& job, const Checkpoint& checkpoint,
                         const ModelArgs& args);

}  // namespace fathom
