#include "engine/memory_plan.h"

#include <algorithm>
#include <cstdio>

#include "model/activations.h"
#include "model/forward_input.h"
#include "tensor/workers.h"

namespace fathom {
namespace {

constexpr int kBatchTokens = 2048, kSequences = 256;
constexpr double kCacheShare = 0.4;

std::string grouped(int64_t number) {
    std::string text = std::to_string(number);
    for (auto at = std::ssize(text) - 3; at > 0; at -= 3) text.insert(at, ",");
    return text;
}

std::string mebibytes(int64_t bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
    return text;
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
    limits.num_blocks = static_cast<int>(std::min<int64_t>(blocks, 1 << 30));
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
    plan.lines = {{"weights", "packed for the CPU", weights},
                  {"KV cache",
                   str(grouped(blocks), " blocks of ", limits.block_tokens, " tokens, ",
                       grouped(plan.layout.block_bytes() / limits.block_tokens), " bytes a token"),
                   blocks * plan.layout.block_bytes()},
                  {"activations",
                   str("a step of ", limits.batch_tokens_max, " tokens, ",
                       limits.batch_sequences_max, " sequences"),
                   activation_bytes(args, limits, request.dtype, request.index)},
                  {"step input", "positions, slots and block tables", ForwardInput::bytes(limits)},
                  {"threads", str(request.threads, " workers' scratch"),
                   request.threads * static_cast<int64_t>(Workers::kScratchBytes)}};
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
    row("total", total(), "");
    while (rows.back().ends_with(' ')) rows.back().pop_back();
    return rows;
}

Result<MemoryPlan> plan_memory(const ModelArgs& args, const MemoryRequest& request, int64_t weights,
                               int64_t available) {
    MemoryPlan plan;
    Limits& limits = plan.limits;
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
    plan.layout =
        KvLayout(args, request.latent, request.index, args.n_layers, request.block_tokens);
    const int64_t free = std::max<int64_t>(0, available - weights);
    if (Status status = plan_cache(args, request, free, plan); !status.ok())
        return std::move(status).error();
    sum_up(args, request, weights, plan);
    if (plan.total() > available)
        return refuse(str("the plan needs ", mebibytes(plan.total()), " and ", mebibytes(available),
                          " are free; lower --kv-cache-memory-bytes, --max-num-batched-tokens or "
                          "--max-model-len"));
    return plan;
}

}  // namespace fathom
