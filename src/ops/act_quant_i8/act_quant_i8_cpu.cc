#include <cmath>

#include "ops/act_quant_i8/act_quant_i8.h"
#include "ops/act_quant_i8/act_quant_i8_row.h"
#include "ops/rows.h"

namespace fathom {
namespace {

int8_t plain_code(float x, float scale, float offset) {
    const float code = std::nearbyint(x / scale + offset);
    return static_cast<int8_t>(std::clamp(code, -128.0f, 127.0f));
}

template <class X>
void plain_dynamic(Tensor codes, Tensor scales, Tensor x) {
    const int64_t K = x.dim(1);
    for (int64_t t = 0; t < x.dim(0); ++t) {
        const X* in = row<X>(x, t);
        float amax = 0;
        for (int64_t k = 0; k < K; ++k) amax = std::max(amax, std::fabs(to_float(in[k])));
        const float scale = amax / 127.0f;
        *row<float>(scales, t) = scale;
        for (int64_t k = 0; k < K; ++k)
            row<int8_t>(codes, t)[k] = scale == 0 ? 0 : plain_code(to_float(in[k]), scale, 0);
    }
}

template <class X>
void plain_static(Tensor codes, Tensor x, float scale, float offset) {
    for (int64_t t = 0; t < x.dim(0); ++t)
        for (int64_t k = 0; k < x.dim(1); ++k)
            row<int8_t>(codes, t)[k] = plain_code(to_float(row<X>(x, t)[k]), scale, offset);
}

template <class X>
void run_dynamic(Stream& s, Tensor codes, Tensor scales, Tensor x) {
    for_rows(s, x.dim(0), x.dim(1), [&](int64_t t) {
        const X* in = row<X>(x, t);
        const float scale = act_quant_i8_scale(in, x.dim(1));
        *row<float>(scales, t) = scale;
        act_quant_i8_codes(row<int8_t>(codes, t), in, x.dim(1), scale, 0);
    });
}

template <class X>
void run_static(Stream& s, Tensor codes, Tensor x, float scale, float offset) {
    for_rows(s, x.dim(0), x.dim(1), [&](int64_t t) {
        act_quant_i8_codes(row<int8_t>(codes, t), row<X>(x, t), x.dim(1), scale, offset);
    });
}

}  // namespace

void cpu::plain::act_quant_i8_dynamic(Stream&, Tensor codes, Tensor scales, Tensor x) {
    x.dtype == DType::bf16 ? plain_dynamic<bf16>(codes, scales, x)
                           : plain_dynamic<float>(codes, scales, x);
}

void cpu::plain::act_quant_i8_static(Stream&, Tensor codes, Tensor x, float scale, float offset) {
    x.dtype == DType::bf16 ? plain_static<bf16>(codes, x, scale, offset)
                           : plain_static<float>(codes, x, scale, offset);
}

void cpu::act_quant_i8_dynamic(Stream& s, Tensor codes, Tensor scales, Tensor x) {
    x.dtype == DType::bf16 ? run_dynamic<bf16>(s, codes, scales, x)
                           : run_dynamic<float>(s, codes, scales, x);
}

void cpu::act_quant_i8_static(Stream& s, Tensor codes, Tensor x, float scale, float offset) {
    x.dtype == DType::bf16 ? run_static<bf16>(s, codes, x, scale, offset)
                           : run_static<float>(s, codes, x, scale, offset);
}

}  // namespace fathom
