#include "model/cost.h"

#include <algorithm>

namespace fathom {
namespace {

using Type = OpCost::Type;

// How a matrix is stored: always bf16, quantized in fp8 only (the indexer), or in both formats.
enum class Stored : uint8_t { plain, fp8_only, quantized };

struct Costs {
    CheckpointFormat format;
    std::vector<OpCost> out;

    double element_bytes(Stored stored) const {
        const bool quantized = (format == CheckpointFormat::fp8 && stored != Stored::plain) ||
                               (format == CheckpointFormat::w8a8 && stored == Stored::quantized);
        return quantized ? 1 : 2;
    }
    // `count` matrices of N x K, of which `read` are touched, times `rows` rows in all.
    void linear(const char* op, Stored stored, double rows, double N, double K, double read = 1) {
        const bool i8 = format == CheckpointFormat::w8a8 && stored == Stored::quantized;
        out.push_back({op, i8 ? Type::i8 : Type::bf16, 2 * rows * N * K,
                       read * N * K * element_bytes(stored)});
    }
};

// Keys that the tokens attend to: every position up to the own one, at most `most`.
double visible_keys(int64_t computed, int64_t T, int64_t most) {
    double keys = 0;
    for (int64_t p = computed; p < computed + T; ++p) keys += std::min(p + 1, most);
    return keys;
}

void add_attention(Costs& c, const ModelArgs& a, const KvLayout& layout, int64_t computed,
                   int64_t T) {
    const double t = T, C = a.kv_lora_rank, R = a.qk_rope_head_dim, H = a.n_heads;
    c.linear("q_a", Stored::quantized, t, a.q_lora_rank, a.dim);
    c.linear("q_b", Stored::quantized, t, H * a.qk_head_dim(), a.q_lora_rank);
    c.linear("kv_a", Stored::quantized, t, C + R, a.dim);
    c.linear("o", Stored::quantized, t, a.dim, H * a.v_head_dim);
    c.linear("kv_b absorbed", Stored::plain, t, H * (a.qk_nope_head_dim + a.v_head_dim), C);
    const double keys = visible_keys(computed, T, a.index_topk);
    const double read = std::min<double>(keys, static_cast<double>(computed + T));
    c.out.push_back({"attention", Type::bf16, 2 * keys * H * (2 * C + R),
                     read * static_cast<double>(layout.latent_bytes())});

    const double D = a.index_head_dim, Hi = a.index_n_heads;
    c.linear("index k", Stored::fp8_only, t, D, a.dim);
    if (computed + T <= a.index_topk) return;  // Nothing to choose.
    c.linear("index q", Stored::fp8_only, t, Hi * D, a.q_lora_rank);
    c.linear("index weights", Stored::plain, t, Hi, a.dim);
    c.out.push_back({"index scores", Type::bf16,
                     2 * visible_keys(computed, T, computed + T) * Hi * D,
                     static_cast<double>((computed + T) * layout.index_bytes())});
}

void add_mlp(Costs& c, const ModelArgs& a, int layer, int64_t T) {
    const double t = T, dim = a.dim, inter = a.moe_inter_dim;
    if (a.is_dense(layer)) {
        c.linear("dense mlp", Stored::quantized, t, 3 * a.inter_dim, dim);
        return;
    }
    const double pairs = t * a.n_activated_experts;
    c.linear("router", Stored::plain, t, a.n_routed_experts, dim);
    c.linear("experts", Stored::quantized, pairs, 3 * inter, dim,
             std::min<double>(pairs, a.n_routed_experts));
    c.linear("shared expert", Stored::quantized, t, 3 * inter * a.n_shared_experts, dim);
}

}  // namespace

std::vector<OpCost> step_costs(const ModelArgs& args, CheckpointFormat format,
                               const KvLayout& layout, int64_t computed, int64_t T) {
    Costs c{.format = format, .out = {}};
    for (int layer = 0; layer < args.n_layers; ++layer) {
        add_attention(c, args, layout, computed, T);
        add_mlp(c, args, layer, T);
    }
    c.linear("head", Stored::plain, 1, args.vocab_size, args.dim);
    return std::move(c.out);
}

}  // namespace fathom
