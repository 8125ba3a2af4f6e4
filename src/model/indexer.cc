#include "model/indexer.h"

#include <algorithm>
#include <cmath>

#include "model/activations.h"
#include "ops/act_quant/act_quant.h"
#include "ops/dense_indices/dense_indices.h"
#include "ops/hadamard/hadamard.h"
#include "ops/index_logits/index_logits.h"
#include "ops/index_weights/index_weights.h"
#include "ops/layer_norm/layer_norm.h"
#include "ops/linear/linear.h"
#include "ops/rotary/rotary.h"
#include "ops/store_index_keys/store_index_keys.h"
#include "ops/topk/topk.h"

namespace fathom {
namespace {

// Not MLA's layout; DeepSeek's first published code had it wrong, and corrected it.
constexpr Rope kRope = Rope::half;
constexpr float kKeyNormEps = 1e-6f;  // Not rms_norm_eps: LayerNorm's own in inference/model.py.

// The rotated part of index heads comes first (of MLA's queries it comes last).
Tensor rotated_part(Tensor heads, const ModelArgs& args) {
    return heads.split_last(args.qk_rope_head_dim, args.index_head_dim - args.qk_rope_head_dim)[0];
}

}  // namespace

Indexer::Indexer(const ModelArgs& args, int layer, const Weights& weights)
    : args_(args), layer_(layer), w_(weights) {}

Tensor Indexer::forward(const Forward& f, Tensor x, Tensor qr) const {
    Tensor topk_indices = f.tmp(DType::i32, f.T(), args_.index_topk);
    ArenaScope scope(*f.stream.arena);
    store_keys(f, x);
    if (f.longest <= args_.index_topk)
        ops::dense_indices(f.stream, topk_indices, f.at.positions);
    else
        choose(f, topk_indices, x, qr);
    f.see("topk_indices", layer_, topk_indices);
    return topk_indices;
}

void Indexer::store_keys(const Forward& f, Tensor x) const {
    Stream& s = f.stream;
    Tensor k = f.tmp(f.dtype, f.T(), args_.index_head_dim);
    ops::linear(s, k, x, w_.wk);
    ops::layer_norm(s, k, k, w_.k_norm, w_.k_norm_bias, kKeyNormEps);
    ops::rotary(s, rotated_part(k.split_heads(1), args_), f.freqs_cis, kRope);
    const IndexFormat format = f.kv.layout().index;
    if (format == IndexFormat::fp8) ops::hadamard(s, k, k);
    ops::store_index_keys(s, f.kv.index_keys(layer_), k, f.slots, f.at.block_tokens, format);
}

void Indexer::choose(const Forward& f, Tensor topk_indices, Tensor x, Tensor qr) const {
    Stream& s = f.stream;
    const int64_t T = f.T(), H = args_.index_n_heads, D = args_.index_head_dim;
    const IndexFormat format = f.kv.layout().index;

    Tensor q = f.tmp(f.dtype, T, H * D);
    ops::linear(s, q, qr, w_.wq_b);
    ops::rotary(s, rotated_part(q.split_heads(H), args_), f.freqs_cis, kRope);
    Tensor weights = f.tmp(DType::f32, T, H);
    ops::linear(s, weights, x, w_.weights_proj);

    Tensor q_scales;
    if (format == IndexFormat::fp8) {  // Each head of a token is one row, and one group of 128.
        Tensor rows = view_of(q.data, f.dtype, {T * H, D});
        ops::hadamard(s, rows, rows);
        Tensor codes = f.tmp(DType::f8e4m3, T * H, D),
               scales = f.tmp(DType::f32, T * H, int64_t{1});
        ops::act_quant(s, codes, scales, rows, ScaleFormat::ue8m0);
        q = view_of(codes.data, DType::f8e4m3, {T, H * D});
        q_scales = view_of(scales.data, DType::f32, {T, H});
    }
    ops::index_weights(s, weights, q_scales, 1.0f / std::sqrt(static_cast<float>(H * D)));

    // Scores of a part of the tokens at a time: a row is as long as the context.
    const int64_t P = f.longest, rows = index_logits_rows(T, P);
    Tensor logits = f.tmp(DType::f32, rows, P);
    for (int64_t begin = 0; begin < T; begin += rows) {
        const int64_t end = std::min(begin + rows, T);
        const PagedTokens at{.positions = f.at.positions.rows(begin, end),
                             .sequences = f.at.sequences.rows(begin, end),
                             .block_tables = f.at.block_tables,
                             .block_tokens = f.at.block_tokens};
        Tensor part = logits.rows(0, end - begin);
        ops::index_logits(s, part, q.rows(begin, end).split_heads(H), weights.rows(begin, end),
                          f.kv.index_keys(layer_), at, format);
        ops::topk(s, topk_indices.rows(begin, end), part, at.positions);
        f.see("index_logits", layer_, part);
    }
}

}  // namespace fathom
