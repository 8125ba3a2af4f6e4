#pragma once

#include <span>

#include "config/args.h"
#include "model/forward.h"
#include "model/mlp.h"

namespace fathom {

// Routed experts, chosen per token by a gate, and the shared expert that every token uses.
// Gate, Expert and MoE of inference/model.py.
class MoE {
public:
    struct Weights {
        Linear gate;                         // bf16 [n_routed_experts, dim], result in f32
        Tensor gate_bias;                    // f32 [n_routed_experts]: e_score_correction_bias
        std::span<const Linear> w1, w2, w3;  // n_routed_experts each; shapes as in MLP::Weights
        MLP::Weights shared_experts;
    };
    MoE(const ModelArgs& args, int layer, const Weights& weights);

    // out, x: [T, dim]; out must not be x.
    void forward(const Forward& f, Tensor out, Tensor x) const;

private:
    struct Choice {
        Tensor weights;  // f32 [T, K]
        Tensor experts;  // i32 [T, K]
    };
    Choice gate(const Forward& f, Tensor x) const;

    const ModelArgs& args_;
    const int layer_;
    const Weights w_;
    const MLP shared_experts_;
};

}  // namespace fathom
