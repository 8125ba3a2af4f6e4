#include "model/moe.h"

#include "ops/grouped_gemm/grouped_gemm.h"
#include "ops/linear/linear.h"
#include "ops/moe_combine/moe_combine.h"
#include "ops/moe_gate/moe_gate.h"
#include "ops/moe_permute/moe_permute.h"
#include "ops/silu_mul/silu_mul.h"

namespace fathom {

MoE::MoE(const ModelArgs& args, int layer, const Weights& weights)
    : args_(args), layer_(layer), w_(weights), shared_experts_(weights.shared_experts) {}

MoE::Choice MoE::gate(const Forward& f, Tensor x) const {
    Stream& s = f.stream;
    const int64_t T = f.T(), K = args_.n_activated_experts;
    Choice choice{f.tmp(DType::f32, T, K), f.tmp(DType::i32, T, K)};
    ArenaScope scope(*s.arena);
    Tensor logits = f.tmp(DType::f32, T, args_.n_routed_experts);
    ops::linear(s, logits, x, w_.gate);
    ops::moe_gate(s, choice.weights, choice.experts, logits, w_.gate_bias,
                  {.groups = args_.n_expert_groups,
                   .topk_groups = args_.n_limited_groups,
                   .route_scale = args_.route_scale});
    f.see("expert_weights", layer_, choice.weights);
    f.see("experts", layer_, choice.experts);
    return choice;
}

void MoE::forward(const Forward& f, Tensor out, Tensor x) const {
    Stream& s = f.stream;
    ArenaScope scope(*s.arena);
    const auto [weights, experts] = gate(f, x);
    const int64_t R = f.T() * args_.n_activated_experts, inter = args_.moe_inter_dim;

    Tensor rows = f.tmp(f.dtype, R, args_.dim);
    Tensor pairs = f.tmp(DType::i32, R), offsets = f.tmp(DType::i32, args_.n_routed_experts + 1);
    ops::moe_permute(s, rows, pairs, offsets, x, experts);
    Tensor gate = f.tmp(f.dtype, R, inter), up = f.tmp(f.dtype, R, inter);
    ops::grouped_gemm(s, gate, rows, offsets, w_.w1);
    ops::grouped_gemm(s, up, rows, offsets, w_.w3);
    ops::silu_mul(s, gate, gate, up);
    ops::grouped_gemm(s, rows, gate, offsets, w_.w2);

    shared_experts_.forward(f, out, x);
    ops::moe_combine(s, out, rows, pairs, weights, out);
}

}  // namespace fathom
