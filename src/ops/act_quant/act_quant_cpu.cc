#include <algorithm>

#include "ops/act_quant/act_quant.h"
#include "ops/act_quant/act_quant_row.h"
#include "ops/rows.h"
#include "tensor/fp8.h"

namespace fathom {
namespace {

template <class X>
void run_plain(Tensor codes, Tensor scales, Tensor x, ScaleFormat format) {
    for (int64_t t = 0; t < x.dim(0); ++t)
        for (int64_t g = 0; g < x.dim(1) / kActQuantGroup; ++g) {
            const X* in = row<X>(x, t) + g * kActQuantGroup;
            float amax = 0;
            for (int i = 0; i < kActQuantGroup; ++i)
                amax = std::max(amax, std::fabs(to_float(in[i])));
            float scale = std::max(amax, 1e-4f) * (1.0f / 448.0f);
            if (format == ScaleFormat::ue8m0) {
                int exponent;  // scale = mantissa * 2^exponent, 0.5 <= mantissa < 1.
                const float mantissa = std::frexp(scale, &exponent);
                scale = std::ldexp(1.0f, mantissa == 0.5f ? exponent - 1 : exponent);
            }
            row<float>(scales, t)[g] = scale;
            for (int i = 0; i < kActQuantGroup; ++i)
                row<f8e4m3>(codes, t)[g * kActQuantGroup + i] = to_f8e4m3(to_float(in[i]) / scale);
        }
}

template <class X>
void run(Stream& s, Tensor codes, Tensor scales, Tensor x, ScaleFormat format) {
    const int64_t K = x.dim(1);
    for_rows(s, x.dim(0), K, [&](int64_t t) {
        const X* in = row<X>(x, t);
        auto* out = row<uint8_t>(codes, t);
        auto* scale = row<float>(scales, t);
        for (int64_t k = 0; k < K; k += kActQuantGroup)
            *scale++ = act_quant_group(out + k, in + k, format);
    });
}

}  // namespace

void cpu::plain::act_quant(Stream&, Tensor codes, Tensor scales, Tensor x, ScaleFormat format) {
    x.dtype == DType::bf16 ? run_plain<bf16>(codes, scales, x, format)
                           : run_plain<float>(codes, scales, x, format);
}

void cpu::act_quant(Stream& s, Tensor codes, Tensor scales, Tensor x, ScaleFormat format) {
    x.dtype == DType::bf16 ? run<bf16>(s, codes, scales, x, format)
                           : run<float>(s, codes, scales, x, format);
}

}  // namespace fathom
