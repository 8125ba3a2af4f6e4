#include "model/block.h"

#include "ops/add_rms_norm/add_rms_norm.h"

namespace fathom {

Block::Block(const ModelArgs& args, int layer, const Weights& weights)
    : args_(args),
      layer_(layer),
      attn_norm_(weights.attn_norm),
      ffn_norm_(weights.ffn_norm),
      attn_(args, layer, weights.attn) {
    if (args.is_dense(layer))
        mlp_.emplace(weights.mlp);
    else
        moe_.emplace(args, layer, weights.moe);
}

void Block::forward(const Forward& f, Tensor x, Tensor residual) const {
    Stream& s = f.stream;
    ArenaScope scope(*s.arena);
    Tensor y = f.tmp(f.dtype, f.T(), args_.dim);
    ops::add_rms_norm(s, y, residual, x, attn_norm_, args_.norm_eps);
    attn_.forward(f, x, y);
    ops::add_rms_norm(s, y, residual, x, ffn_norm_, args_.norm_eps);
    mlp_ ? mlp_->forward(f, x, y) : moe_->forward(f, x, y);
    f.see("x", layer_, x);
    f.see("residual", layer_, residual);
}

}  // namespace fathom
