#pragma once

#include "tensor/tensor.h"

namespace fathom {

// The weight of one linear layer, y = x W^T, in the form that its checkpoint has; `kind` decides
// how ops::linear quantizes x. Views only: the Transformer owns the memory. Filled by
// model/load.cc.
//
//   bf16
//     W bf16
//   fp8
//     W e4m3, scale f32 [ceil(N/128), ceil(K/128)]; x in e4m3 per 128 columns (ops::act_quant)
//   w8a8_static
//     W int8, deq_scale f32 [N], quant_bias i32 [N]; x = round(x / input_scale + input_offset)
//   w8a8_dynamic
//     W int8, scale f32 [N]; x per token, scale max|x| / 127
struct Linear {
    enum class Kind : uint8_t { bf16, fp8, w8a8_static, w8a8_dynamic };

    Kind kind = Kind::bf16;
    int64_t N = 0, K = 0;  // Outputs, inputs.
    Tensor packed;         // u8 [packed_bytes(kind, N, K)]: see ops/linear/pack.h
    Tensor scale;          // By kind, as above (deq_scale for w8a8_static).
    Tensor quant_bias;     // i32 [N], w8a8_static only.
    float input_scale = 0, input_offset = 0;  // w8a8_static only.
};

inline const char* name_of(Linear::Kind kind) {
    constexpr const char* kNames[] = {"bf16", "fp8", "w8a8_static", "w8a8_dynamic"};
    return kNames[static_cast<int>(kind)];
}

}  // namespace fathom
