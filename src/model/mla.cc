#include "model/mla.h"

#include "model/rope.h"
#include "ops/head_matmul/head_matmul.h"
#include "ops/linear/linear.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/rotary/rotary.h"
#include "ops/sparse_attention/sparse_attention.h"
#include "ops/store_latent/store_latent.h"

namespace fathom {
namespace {

constexpr Rope kRope = Rope::interleaved;

}  // namespace

MLA::MLA(const ModelArgs& args, int layer, const Weights& weights)
    : args_(args),
      layer_(layer),
      softmax_scale_(softmax_scale(args)),
      w_(weights),
      indexer_(args, layer, weights.indexer) {}

// MLA.forward in inference/model.py, flattened from [bsz, seqlen] to T tokens. Only its absorbed
// branch ("MHA decode") is used, for prompts too: the indexer leaves index_topk keys per token.
void MLA::forward(const Forward& f, Tensor out, Tensor x) const {
    Stream& s = f.stream;
    ArenaScope scope(*s.arena);
    const int64_t T = f.T(), H = args_.n_heads, C = args_.kv_lora_rank, R = args_.qk_rope_head_dim;

    // What quantized activations are calibrated with: the inputs of wq_a and wkv_a, wq_b, wo.
    f.see("attention_input", layer_, x);
    Tensor qr = f.tmp(f.dtype, T, args_.q_lora_rank);
    ops::linear(s, qr, x, w_.wq_a);
    ops::rms_norm(s, qr, qr, w_.q_norm, args_.norm_eps);
    f.see("q_b_input", layer_, qr);
    Tensor q = f.tmp(f.dtype, T, H * args_.qk_head_dim());
    ops::linear(s, q, qr, w_.wq_b);
    auto [q_nope, q_pe] = q.split_heads(H).split_last(args_.qk_nope_head_dim, R);
    ops::rotary(s, q_pe, f.freqs_cis, kRope);

    Tensor kv_and_pe = f.tmp(f.dtype, T, C + R);
    ops::linear(s, kv_and_pe, x, w_.wkv_a);
    auto [kv, k_pe] = kv_and_pe.split_last(C, R);
    ops::rms_norm(s, kv, kv, w_.kv_norm, args_.norm_eps);
    ops::rotary(s, k_pe.split_heads(1), f.freqs_cis, kRope);
    ops::store_latent(s, f.kv.latent(layer_), kv, k_pe, f.slots, f.kv.layout().latent);

    Tensor topk_indices = indexer_.forward(f, x, qr);

    // Queries move into the latent space, attend there, and come back per head.
    Tensor q_latent = f.tmp(f.dtype, T, H, C);
    ops::head_matmul(s, q_latent, q_nope, w_.wkv_b_nope);
    Tensor o_latent = f.tmp(f.dtype, T, H, C);
    ops::sparse_attention(s, o_latent, /*lse=*/Tensor{}, q_latent, q_pe, f.kv.latent(layer_), f.at,
                          topk_indices, f.kv.layout().latent, softmax_scale_);
    Tensor o = f.tmp(f.dtype, T, H, args_.v_head_dim);
    ops::head_matmul(s, o, o_latent, w_.wkv_b_v);

    f.see("o_input", layer_, o.flatten(1));
    ops::linear(s, out, o.flatten(1), w_.wo);
    f.see("attention", layer_, out);
}

}  // namespace fathom
