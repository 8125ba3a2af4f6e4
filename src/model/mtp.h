#pragma once

#include "config/args.h"
#include "model/block.h"
#include "model/forward.h"
#include "tensor/linear.h"

namespace fathom {

// The multi-token-prediction layer: from the hidden state at position p and the token at p + 1 it
// guesses the token at p + 2. DeepSeek-V3 paper, section 2.2; vLLM's deepseek_mtp.
class Mtp {
public:
    struct Weights {
        Tensor embed;             // bf16 [vocab_size, dim]
        Tensor enorm, hnorm;      // f32 [dim]
        Linear eh_proj;           // bf16 [dim, 2 * dim]: embedding first, hidden second
        Block::Weights layer;     // Layer n_layers: attention with caches of its own, and MoE
        Tensor shared_head_norm;  // f32 [dim]
        Linear shared_head;       // bf16 [vocab_size, dim], result in f32
    };
    Mtp(const ModelArgs& args, const Weights& weights);

    //   next_tokens  i32 [T]   the token at each position + 1; -1 (a zero embedding) at position 0
    //   hidden       [T, dim]  first draft: Transformer::hidden(); later: `out` of the pass before
    //   out          [T, dim]  the layer's own output, before shared_head_norm; may be `hidden`
    void forward(const Forward& f, Tensor out, Tensor next_tokens, Tensor hidden) const;

    // Draft logits, f32 [R, vocab_size], of R rows of `out`.
    void logits(const Forward& f, Tensor logits, Tensor out) const;

private:
    const ModelArgs& args_;
    const Weights w_;
    const Block layer_;
};

}  // namespace fathom
