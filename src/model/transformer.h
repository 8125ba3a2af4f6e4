#pragma once

#include <deque>
#include <vector>

#include "config/args.h"
#include "model/block.h"
#include "model/mtp.h"
#include "tensor/buffer.h"

namespace fathom {

// All weights of a rank as the layers see them: views into one Buffer. Made by model/load.h.
struct TransformerWeights {
    Buffer memory;
    std::deque<std::vector<Linear>> linears;  // What the spans of the layers point to.
    Tensor embed;                             // bf16 [vocab_size, dim]
    std::vector<Block::Weights> layers;       // n_layers
    Tensor norm;                              // f32 [dim]
    Linear head;                              // bf16 [vocab_size, dim], result in f32
    std::optional<Mtp::Weights> mtp;          // Where it is wanted.
    std::vector<float> rope_frequencies;
};

// DeepSeek-V3.2. Transformer of inference/model.py, for a ragged batch of tokens.
class Transformer {
public:
    Transformer(const ModelArgs& args, TransformerWeights weights);
    Transformer(const Transformer&) = delete;
    Transformer& operator=(const Transformer&) = delete;

    // The angles of this step's positions: f32 [T, qk_rope_head_dim / 2, 2] from the arena.
    Tensor freqs_cis(Stream& s, const ForwardInput& in) const;

    // Runs the tokens through all layers, writing their keys into the cache.
    //
    //   tokens       i32 [T]
    //   x, residual  [T, dim] out; the hidden state is their sum
    void forward(const Forward& f, Tensor tokens, Tensor x, Tensor residual) const;

    // norm(x + residual), [R, dim]: what head and MTP layer take. Changes residual.
    void hidden(const Forward& f, Tensor hidden, Tensor x, Tensor residual) const;

    // Next-token logits, f32 [R, vocab_size], of R rows of hidden().
    void logits(const Forward& f, Tensor logits, Tensor hidden) const;

    const ModelArgs& args() const { return args_; }
    // One layer alone, for tests that feed it known input. 0 <= i < n_layers.
    const Block& layer(int i) const { return layers_[i]; }
    const std::optional<Mtp>& mtp() const { return mtp_; }

private:
    const ModelArgs args_;
    const TransformerWeights w_;
    std::vector<Block> layers_;
    std::optional<Mtp> mtp_;
};

}  // namespace fathom
