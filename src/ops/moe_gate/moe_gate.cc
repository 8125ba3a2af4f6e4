#include "ops/moe_gate/moe_gate.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::moe_gate(Stream& s, Tensor weights, Tensor experts, Tensor logits, Tensor bias,
                   GateArgs args) {
    Dim T("T"), E("E"), K("K");
    expect("logits", logits, {T, E}, DType::f32);
    expect("bias", bias, {E}, DType::f32);
    expect("weights", weights, {T, K}, DType::f32);
    expect("experts", experts, {T, K}, DType::i32);
    CHECK(args.groups > 0 && E % args.groups == 0, E, " experts in ", args.groups, " groups");
    CHECK(0 < args.topk_groups && args.topk_groups <= args.groups, args.topk_groups, " of ",
          args.groups, " groups");
    CHECK(0 < K && K <= E / args.groups * args.topk_groups, K, " experts of ", args.topk_groups,
          " groups of ", E / args.groups);

    if (T == 0) return;
    const trace::Span span("moe_gate");
    switch (s.device) {
        case Device::cpu: return cpu::moe_gate(s, weights, experts, logits, bias, args);
        case Device::cuda: return cuda::moe_gate(s, weights, experts, logits, bias, args);
    }
}

}  // namespace fathom
