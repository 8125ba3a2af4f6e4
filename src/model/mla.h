#pragma once

#include <span>

#include "config/args.h"
#include "model/forward.h"
#include "model/indexer.h"
#include "tensor/linear.h"

namespace fathom {

// Multi-head latent attention over the keys that the Indexer picks. MLA of inference/model.py.
class MLA {
public:
    struct Weights {
        Linear wq_a;     // [q_lora_rank, dim]
        Tensor q_norm;   // f32 [q_lora_rank]
        Linear wq_b;     // [n_heads * qk_head_dim, q_lora_rank]
        Linear wkv_a;    // [kv_lora_rank + qk_rope_head_dim, dim]
        Tensor kv_norm;  // f32 [kv_lora_rank]
        // The two halves of wkv_b, dequantized to bf16, one Linear per head.
        std::span<const Linear> wkv_b_nope;  // n_heads of [kv_lora_rank, qk_nope_head_dim]
        std::span<const Linear> wkv_b_v;     // n_heads of [v_head_dim, kv_lora_rank]
        Linear wo;                           // [dim, n_heads * v_head_dim]
        Indexer::Weights indexer;
    };
    MLA(const ModelArgs& args, int layer, const Weights& weights);

    // out, x: [T, dim]; x is normed. Writes the keys of the T tokens into the cache of this layer.
    void forward(const Forward& f, Tensor out, Tensor x) const;

private:
    const ModelArgs& args_;
    const int layer_;
    const float softmax_scale_;
    const Weights w_;
    const Indexer indexer_;
};

}  // namespace fathom
