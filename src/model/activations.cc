#include "model/activations.h"

#include <algorithm>

namespace fathom {
namespace {

constexpr int64_t kIndexLogitsBytes = int64_t{64} << 20;
// Each temporary is rounded up to 64 bytes; far fewer than this many live at once.
constexpr int64_t kRounding = 64 * 64;

int64_t indexer_bytes(const ModelArgs& args, int64_t T, int64_t P, int64_t width,
                      IndexFormat format) {
    const int64_t H = args.index_n_heads, D = args.index_head_dim;
    const int64_t codes = format == IndexFormat::fp8 ? T * H * (D + 4) : 0;
    return T * (1 + H) * D * width + T * H * 4 + codes + index_logits_rows(T, P) * P * 4;
}

int64_t attention_bytes(const ModelArgs& args, int64_t T, int64_t P, int64_t width,
                        IndexFormat format) {
    const int64_t H = args.n_heads;
    const int64_t queries =
        args.q_lora_rank + H * args.qk_head_dim() + args.kv_lora_rank + args.qk_rope_head_dim;
    const int64_t latents = T * H * (2 * args.kv_lora_rank + args.v_head_dim) * width;
    return T * queries * width + T * args.index_topk * 4 +
           std::max(indexer_bytes(args, T, P, width, format), latents);
}

int64_t moe_bytes(const ModelArgs& args, int64_t T, int64_t width) {
    const int64_t R = T * args.n_activated_experts, E = args.n_routed_experts;
    const int64_t shared = T * 2 * args.n_shared_experts * args.moe_inter_dim * width;
    return R * 8 + T * E * 4 + R * (args.dim + 2 * args.moe_inter_dim) * width + R * 4 + E * 4 +
           shared;
}

// What one ops::linear takes for its quantized or packed input: at most four bytes an element, and
// a scale per 128.
int64_t linear_bytes(const ModelArgs& args, int64_t T) {
    const int64_t R = T * args.n_activated_experts;
    const int64_t widest = std::max<int64_t>(
        {T * args.inter_dim, T * args.n_heads * args.v_head_dim, T * 2 * args.dim, R * args.dim});
    return widest * 4 + widest / 32;
}

}  // namespace

int64_t index_logits_rows(int64_t T, int64_t P) {
    return std::clamp<int64_t>(kIndexLogitsBytes / (4 * std::max<int64_t>(P, 1)), 1,
                               std::max<int64_t>(T, 1));
}

int64_t activation_bytes(const ModelArgs& args, const Limits& limits, DType dtype,
                         IndexFormat index) {
    const int64_t T = limits.batch_tokens_max, S = limits.batch_sequences_max;
    const int64_t P = limits.sequence_tokens_max, width = size_of(dtype);
    const int64_t step = T * 2 * args.dim * width + T * args.qk_rope_head_dim * 4 +
                         S * 3 * args.dim * width + S * args.vocab_size * 4 + S * 4;
    const int64_t dense = T * 2 * args.inter_dim * width;
    const int64_t layer =
        T * args.dim * width +
        std::max({attention_bytes(args, T, P, width, index), dense, moe_bytes(args, T, width)});
    return step + layer + linear_bytes(args, T) + kRounding;
}

}  // namespace fathom
