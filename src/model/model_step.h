#pragma once

#include <span>

#include "model/fill_input.h"
#include "model/forward.h"
#include "model/transformer.h"

namespace fathom {

// One batch through the model: fills the ForwardInput, runs all layers, computes the logits that
// are wanted. Owns the input buffer; temporaries come from the stream's arena, which must have
// activation_bytes() and be otherwise unused during run().
class ModelStep {
public:
    ModelStep(const Transformer& model, const KvCache& kv, Stream& stream, const Limits& limits,
              DType dtype);

    // -> f32 [R, vocab_size], a row per part that wants logits, in order, then the rows of more
    // tokens, part by part; valid until the next run. Writes the keys of all tokens into their
    // blocks. No parts: nothing happens, R = 0.
    Tensor run(std::span<const SequencePart> parts, Probe* probe = nullptr);

private:
    const Transformer& model_;
    const KvCache& kv_;
    Stream& stream_;
    const DType dtype_;
    Buffer memory_;
    ForwardInput in_;
};

}  // namespace fathom
