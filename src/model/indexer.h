#pragma once

#include "config/args.h"
#include "model/forward.h"
#include "tensor/linear.h"

namespace fathom {

// The lightning indexer: scores every earlier token of the own sequence with small heads of its own
// and keeps the index_topk best. DeepSeek-V3.2 paper, section 2.1; Indexer of inference/model.py.
class Indexer {
public:
    struct Weights {
        Linear wq_b;          // [index_n_heads * index_head_dim, q_lora_rank]
        Linear wk;            // [index_head_dim, dim]
        Tensor k_norm;        // f32 [index_head_dim]
        Tensor k_norm_bias;   // f32 [index_head_dim]
        Linear weights_proj;  // bf16 [index_n_heads, dim], result in f32
    };
    Indexer(const ModelArgs& args, int layer, const Weights& weights);

    // Writes the keys of the step's tokens into the cache, then chooses.
    //
    //   x   [T, dim] the normed input of the attention
    //   qr  [T, q_lora_rank] the normed compressed query
    //   ->  i32 [T, index_topk] positions in the own sequence, ascending, padded with -1
    //
    // As long as no context of the step is longer than index_topk, everything is chosen unscored.
    Tensor forward(const Forward& f, Tensor x, Tensor qr) const;

private:
    void store_keys(const Forward& f, Tensor x) const;
    void choose(const Forward& f, Tensor topk_indices, Tensor x, Tensor qr) const;

    const ModelArgs& args_;
    const int layer_;
    const Weights w_;
};

}  // namespace fathom
