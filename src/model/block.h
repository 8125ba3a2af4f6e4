#pragma once

#include <optional>

#include "config/args.h"
#include "model/forward.h"
#include "model/mla.h"
#include "model/mlp.h"
#include "model/moe.h"

namespace fathom {

// One layer: attention, then MLP or MoE, each behind a norm. Block of inference/model.py.
class Block {
public:
    struct Weights {
        Tensor attn_norm, ffn_norm;  // f32 [dim]
        MLA::Weights attn;
        MLP::Weights mlp;  // Of the first n_dense_layers ..
        MoE::Weights moe;  // .. and of the others.
    };
    Block(const ModelArgs& args, int layer, const Weights& weights);

    // x, residual: [T, dim], both in and out. The hidden state is x + residual before and after;
    // the norms see that sum unrounded, `residual` keeps it rounded.
    void forward(const Forward& f, Tensor x, Tensor residual) const;

private:
    const ModelArgs& args_;
    const int layer_;
    const Tensor attn_norm_, ffn_norm_;
    const MLA attn_;
    std::optional<MLP> mlp_;
    std::optional<MoE> moe_;
};

}  // namespace fathom
