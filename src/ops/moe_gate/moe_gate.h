#pragma once

#include "tensor/stream.h"

namespace fathom {

struct GateArgs {
    int groups;
    int topk_groups;
    float route_scale;
};

// Chooses K of E experts per token. score = sigmoid(logit); score + bias chooses: first the
// `topk_groups` groups with the largest sum of their two best, then the K best experts of those.
// The weights are the scores without bias, divided by their sum, times route_scale.
//
//   weights  f32 [T, K]
//   experts  i32 [T, K]   best first; ties to the lower group, the lower expert
//   logits   f32 [T, E]   E % groups == 0
//   bias     f32 [E]
//
// Gate.forward of inference/model.py ("noaux_tc").
namespace ops {
void moe_gate(Stream& s, Tensor weights, Tensor experts, Tensor logits, Tensor bias, GateArgs args);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void moe_gate(Stream& s, Tensor weights, Tensor experts, Tensor logits, Tensor bias, GateArgs args);
}
namespace cuda {
void moe_gate(Stream& s, Tensor weights, Tensor experts, Tensor logits, Tensor bias, GateArgs args);
}

}  // namespace fathom
