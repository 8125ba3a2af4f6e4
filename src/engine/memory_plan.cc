#include "engine/memory_plan.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "model/activations.h"
#include "model/forward_input.h"
#include "tensor/workers.h"

namespace fathom {
namespace {

constexpr int kBatchTokens = 2048, kSequences = 256;
constexpr double kCacheShare = 0.4;
constexpr int kBlockSizes[] = {16, 32, 64, 128};

std::string grouped(int64_t number) {
    std::string text = std::to_string(number);
    for (auto at = std::ssize(text) - 3; at > 0; at -= 3) text.insert(at, ",");
    return text;
}

// "12,345.6 MiB": one unit for all, so that the lines can be added by eye.
std::string mebibytes(int64_t bytes) {
    const int64_t tenths = (bytes * 10 + (1 << 19)) / (1 << 20);
    return str(grouped(tenths / 10), ".", tenths % 10, " MiB");
}

Error refuse(std::string message) { return Error{Code::invalid_argument, std::move(message)}; }

// How many blocks, and how long a sequence may be: each bounds the other.
Status plan_cache(const ModelArgs& args, const MemoryRequest& request, int64_t free,
                  MemoryPlan& plan) {
    Limits& limits = plan.limits;
    const int64_t block_bytes = plan.layout.block_bytes();
    if (request.max_model_len > args.max_position)
        return refuse(str("--max-model-len ", request.max_model_len, " is more than the ",
                          args.max_position, " positions that config.json allows; lower it"));
    const bool asked = request.max_model_len > 0;
    limits.sequence_tokens_max = asked ? request.max_model_len : args.max_position;
    const int64_t wanted = int64_t{limits.batch_sequences_max} *
                           limits.blocks_for(limits.sequence_tokens_max) * block_bytes;
    int64_t bytes = request.kv_cache_bytes;
    if (bytes == 0) {
        bytes = std::min(wanted, static_cast<int64_t>(kCacheShare * static_cast<double>(free)));
        if (bytes < wanted)
            plan.notes.push_back(
                str("the cache holds ", bytes / block_bytes * limits.block_tokens, " tokens, not ",
                    limits.batch_sequences_max, " sequences of ", limits.sequence_tokens_max,
                    ": 40 % of free memory; --kv-cache-memory-bytes changes that"));
    }
    const int64_t blocks = bytes / block_bytes;
    if (blocks < 1 || (asked && blocks < limits.blocks_for(limits.sequence_tokens_max)))
        return refuse(
            str("a KV cache of ", mebibytes(bytes), " holds ", blocks * limits.block_tokens,
                " tokens, less than one sequence of --max-model-len ", limits.sequence_tokens_max,
                "; lower it, or raise --kv-cache-memory-bytes"));
    // A slot is an i32.
    constexpr int64_t kSlotsMax = std::numeric_limits<int32_t>::max();
    limits.num_blocks = static_cast<int>(std::min(blocks, kSlotsMax / limits.block_tokens));
    const int64_t held = int64_t{limits.num_blocks} * limits.block_tokens;
    if (held < limits.sequence_tokens_max) {
        plan.notes.push_back(str("--max-model-len is ", held, ": config.json allows ",
                                 args.max_position, ", the cache holds no more"));
        limits.sequence_tokens_max = static_cast<int>(held);
    }
    return Unit{};
}

void sum_up(const ModelArgs& args, const MemoryRequest& request, int64_t weights,
            MemoryPlan& plan) {
    const Limits& limits = plan.limits;
    const int64_t blocks = limits.num_blocks;
    plan.lines = {
        {"weights", "packed for the CPU", weights},
        {"KV cache",
         str(grouped(blocks), " blocks of ", limits.block_tokens, " tokens, ",
             grouped(plan.layout.block_bytes() / limits.block_tokens), " bytes a token"),
         blocks * plan.layout.block_bytes()},
        {"activations",
         str("a step of ", limits.batch_tokens_max, " tokens, ", limits.batch_sequences_max,
             " sequences, ", limits.logits_rows_max, " rows of logits"),
         activation_bytes(args, limits, request.dtype, request.index, request.threads)},
        {"step input", "positions, slots and block tables", ForwardInput::bytes(limits)},
        {"threads", str(request.threads, " workers' scratch"),
         request.threads * static_cast<int64_t>(Workers::kScratchBytes)}};
    if (request.program > 0)
        plan.lines.push_back(
            {"program", "held already: code, tokenizer, sockets", request.program});
}

// What is still to be had fits. The line that can shrink most says which flag to lower.
Status check_sum(const MemoryRequest& request, const MemoryPlan& plan) {
    if (plan.total() <= plan.available) return Unit{};
    const int64_t cache = plan.lines[1].bytes, activations = plan.lines[2].bytes;
    const std::string remedy =
        cache >= activations
            ? str("--kv-cache-memory-bytes or --max-model-len (the KV cache takes ",
                  mebibytes(cache), ")")
            : str("--max-num-batched-tokens (activations take ", mebibytes(activations), ")");
    return refuse(str("the plan needs ", mebibytes(plan.total() - request.program), " and ",
                      mebibytes(plan.available - request.program), " are free; lower ", remedy));
}

}  // namespace

int64_t MemoryPlan::total() const {
    int64_t sum = 0;
    for (const Line& line : lines) sum += line.bytes;
    return sum;
}

std::vector<std::string> MemoryPlan::table() const {
    std::vector<std::string> rows;
    const auto row = [&](const std::string& what, int64_t bytes, const std::string& why) {
        char text[256];
        std::snprintf(text, sizeof text, "  %-12s %14s   %s", what.c_str(),
                      mebibytes(bytes).c_str(), why.c_str());
        rows.emplace_back(text);
    };
    for (const Line& line : lines) row(line.what, line.bytes, line.why);
    row("total", total(), str("of ", mebibytes(available), " that it may hold"));
    return rows;
}

Result<MemoryPlan> plan_memory(const ModelArgs& args, const MemoryRequest& request, int64_t weights,
                               int64_t available) {
    MemoryPlan plan;
    Limits& limits = plan.limits;
    if (std::ranges::find(kBlockSizes, request.block_tokens) == std::end(kBlockSizes))
        return refuse(
            str("--block-size ", request.block_tokens, " is none of 16, 32, 64 and 128; use 64"));
    limits.block_tokens = request.block_tokens;
    limits.waiting_max = request.waiting_max;
    limits.batch_tokens_max =
        request.max_num_batched_tokens > 0 ? request.max_num_batched_tokens : kBatchTokens;
    limits.batch_sequences_max = request.max_num_seqs > 0
                                     ? request.max_num_seqs
                                     : std::min(kSequences, limits.batch_tokens_max);
    if (limits.batch_tokens_max < limits.batch_sequences_max)
        return refuse(str("--max-num-seqs ", limits.batch_sequences_max,
                          " is more than --max-num-batched-tokens ", limits.batch_tokens_max,
                          ": every running sequence needs a token of each step"));
    limits.logits_rows_max =
        Limits::logits_rows_for(limits.batch_sequences_max, limits.batch_tokens_max);
    plan.layout =
        KvLayout(args, request.latent, request.index, args.n_layers, request.block_tokens);
    plan.available = available + request.program;
    if (weights >= available)
        return refuse(str("the weights need ", mebibytes(weights), " and ", mebibytes(available),
                          " are free; this checkpoint needs a machine with more memory"));
    const int64_t free = available - weights;
    if (Status status = plan_cache(args, request, free, plan); !status.ok())
        return std::move(status).error();
    sum_up(args, request, weights, plan);
    if (Status status = check_sum(request, plan); !status.ok()) return std::move(status).error();
    return plan;
}

}  // namespace fathom
