#include "model/transformer.h"

#include "ops/add_rms_norm/add_rms_norm.h"
#include "ops/embedding/embedding.h"
#include "ops/freqs_cis/freqs_cis.h"
#include "ops/linear/linear.h"
#include "ops/set_zero/set_zero.h"

namespace fathom {

Transformer::Transformer(const ModelArgs& args, TransformerWeights weights)
    : args_(args), w_(std::move(weights)) {
    CHECK(std::ssize(w_.layers) == args.n_layers, w_.layers.size(), " layers, args say ",
          args.n_layers);
    layers_.reserve(w_.layers.size());
    for (const Block::Weights& layer : w_.layers)
        layers_.emplace_back(args_, static_cast<int>(layers_.size()), layer);
    if (w_.mtp) mtp_.emplace(args_, *w_.mtp);
}

Tensor Transformer::freqs_cis(Stream& s, const ForwardInput& in) const {
    const int64_t T = in.num_tokens(), pairs = std::ssize(w_.rope_frequencies);
    Tensor cis = s.arena->tmp(DType::f32, T, pairs, int64_t{2});
    ops::freqs_cis(s, cis, in.positions.rows(0, T),
                   view_of(const_cast<float*>(w_.rope_frequencies.data()), DType::f32, {pairs}));
    return cis;
}

void Transformer::forward(const Forward& f, Tensor tokens, Tensor x, Tensor residual) const {
    ops::embedding(f.stream, residual, tokens, w_.embed);
    f.see("embedding", 0, residual);
    // The first block adds nothing to the embedding.
    ops::set_zero(f.stream, x);
    for (const Block& layer : layers_) layer.forward(f, x, residual);
}

void Transformer::hidden(const Forward& f, Tensor hidden, Tensor x, Tensor residual) const {
    ops::add_rms_norm(f.stream, hidden, residual, x, w_.norm, args_.norm_eps);
}

void Transformer::logits(const Forward& f, Tensor logits, Tensor hidden) const {
    ops::linear(f.stream, logits, hidden, w_.head);
}

}  // namespace fathom
