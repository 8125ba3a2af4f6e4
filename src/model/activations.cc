#include "model/activations.h"

#include <algorithm>

#include "model/draw_tokens.h"
#include "ops/linear/linear.h"

namespace fathom {
namespace {

constexpr int64_t kIndexLogitsBytes = int64_t{64} << 20;
// Each temporary is rounded up to 64 bytes; far fewer than this many live at once.
constexpr int64_t kRounding = 64 * 64;

int64_t indexer_bytes(const ModelArgs& args, int64_t T, int64_t P, DType dtype,
                      IndexFormat format) {
    const int64_t H = args.index_n_heads, D = args.index_head_dim, width = size_of(dtype);
    const int64_t codes = format == IndexFormat::fp8 ? T * H * (D + 4) : 0;
    const int64_t scores = index_logits_rows(T, P) * P * 4 + T * 64;
    const int64_t inputs = linear_input_bytes(T, std::max(args.dim, args.q_lora_rank), dtype);
    return T * (1 + H) * D * width + T * H * 4 + std::max(codes + scores, inputs);
}

// ops::sparse_attention cuts the keys of a few tokens into runs of 512, each with its own sums.
int64_t attention_runs_bytes(const ModelArgs& args, int64_t T, int threads) {
    const int64_t tokens = std::min<int64_t>(T, 2 * int64_t{threads});
    const int64_t runs = (args.index_topk + 511) / 512;
    const int64_t H = (args.n_heads + 15) / 16 * 16, C = args.kv_lora_rank;
    return tokens * (runs * (H * (C + 2) * 4 + 64) + H * (C + args.qk_rope_head_dim) * 4 +
                     args.index_topk * 4 + 64);
}

int64_t attention_bytes(const ModelArgs& args, int64_t T, int64_t P, DType dtype,
                        IndexFormat format, int threads) {
    const int64_t H = args.n_heads, width = size_of(dtype);
    const int64_t queries =
        args.q_lora_rank + H * args.qk_head_dim() + args.kv_lora_rank + args.qk_rope_head_dim;
    const int64_t latents = T * H * (2 * args.kv_lora_rank + args.v_head_dim) * width;
    const int64_t attending = latents + std::max(linear_input_bytes(T, H * args.v_head_dim, dtype),
                                                 attention_runs_bytes(args, T, threads));
    return T * queries * width + T * args.index_topk * 4 +
           std::max(indexer_bytes(args, T, P, dtype, format), attending);
}

int64_t mlp_bytes(int64_t T, int64_t dim, int64_t inter, DType dtype) {
    return T * 2 * inter * size_of(dtype) + linear_input_bytes(T, std::max(dim, inter), dtype);
}

int64_t moe_bytes(const ModelArgs& args, int64_t T, DType dtype) {
    const int64_t width = size_of(dtype);
    const int64_t R = T * args.n_activated_experts, inter = args.moe_inter_dim;
    const int64_t choice = R * 8, rows = R * args.dim * width + R * 4 + args.n_routed_experts * 4;
    const int64_t gate = T * args.n_routed_experts * 4 + linear_input_bytes(T, args.dim, dtype);
    const int64_t experts =
        R * 2 * inter * width +
        std::max({linear_input_bytes(R, std::max(args.dim, args.moe_inter_dim), dtype) +
                      args.n_routed_experts * 8,
                  mlp_bytes(T, args.dim, args.n_shared_experts * inter, dtype), R * 8 + T * 4});
    return choice + std::max(gate, rows + experts);
}

}  // namespace

int64_t index_logits_rows(int64_t T, int64_t P) {
    return std::clamp<int64_t>(kIndexLogitsBytes / (4 * std::max<int64_t>(P, 1)), 1,
                               std::max<int64_t>(T, 1));
}

int64_t activation_bytes(const ModelArgs& args, const Limits& limits, DType dtype,
                         IndexFormat index, int threads) {
    const int64_t T = limits.batch_tokens_max, R = limits.logits_rows_max;
    const int64_t P = limits.sequence_tokens_max, width = size_of(dtype), dim = args.dim;
    const int64_t logits = R * args.vocab_size * 4;
    const int64_t step = T * 2 * dim * width + T * args.qk_rope_head_dim * 4;
    const int64_t layer =
        T * dim * width +
        std::max({attention_bytes(args, T, P, dtype, index, threads),
                  mlp_bytes(T, dim, args.inter_dim, dtype), moe_bytes(args, T, dtype)});
    // The head sees the rows of logits only. Drawing begins when all but the logits is given back.
    const int64_t head = R * 2 * dim * width + linear_input_bytes(R, dim, dtype);
    const int64_t draw = draw_tokens_bytes(limits.batch_sequences_max, args.vocab_size);
    return logits + std::max(step + std::max(layer, head), draw) + kRounding;
}

}  // namespace fathom
