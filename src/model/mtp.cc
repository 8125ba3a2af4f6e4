#include "model/mtp.h"

#include "ops/add/add.h"
#include "ops/embedding/embedding.h"
#include "ops/linear/linear.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/set_zero/set_zero.h"

namespace fathom {

Mtp::Mtp(const ModelArgs& args, const Weights& weights)
    : args_(args), w_(weights), layer_(args, args.n_layers, weights.layer) {}

void Mtp::forward(const Forward& f, Tensor out, Tensor next_tokens, Tensor hidden) const {
    Stream& s = f.stream;
    ArenaScope scope(*s.arena);
    const int64_t T = f.T();
    Tensor pair = f.tmp(f.dtype, T, 2 * args_.dim);
    auto [e, h] = pair.split_last(args_.dim, args_.dim);
    ops::embedding(s, e, next_tokens, w_.embed);
    ops::rms_norm(s, e, e, w_.enorm, args_.norm_eps);
    ops::rms_norm(s, h, hidden, w_.hnorm, args_.norm_eps);

    Tensor x = f.tmp(f.dtype, T, args_.dim), residual = f.tmp(f.dtype, T, args_.dim);
    ops::linear(s, residual, pair, w_.eh_proj);
    ops::set_zero(s, x);
    layer_.forward(f, x, residual);
    ops::add(s, out, x, residual);
}

void Mtp::logits(const Forward& f, Tensor logits, Tensor out) const {
    Stream& s = f.stream;
    ArenaScope scope(*s.arena);
    Tensor normed = f.tmp(f.dtype, out.dim(0), args_.dim);
    ops::rms_norm(s, normed, out, w_.shared_head_norm, args_.norm_eps);
    ops::linear(s, logits, normed, w_.shared_head);
}

}  // namespace fathom
