#include <algorithm>

#include "ops/act_quant/act_quant.h"
#include "ops/act_quant_i8/act_quant_i8.h"
#include "ops/linear/gemm.h"
#include "ops/linear/linear.h"
#include "ops/linear/pack.h"
#include "ops/rows.h"
#include "tensor/fp8.h"

namespace fathom {
namespace {

float number(const Tensor& t, int64_t i, int64_t k) {
    return t.dtype == DType::bf16 ? to_float(row<bf16>(t, i)[k]) : row<float>(t, i)[k];
}

void put(const Tensor& y, int64_t t, int64_t n, float v) {
    if (y.dtype == DType::bf16)
        row<bf16>(y, t)[n] = to_bf16(v);
    else
        row<float>(y, t)[n] = v;
}

void plain_bf16(Stream& s, Tensor y, Tensor x, const Linear& w) {
    const auto* W = s.arena->tmp(DType::bf16, w.K).as<bf16>();
    for (int64_t n = 0; n < w.N; ++n) {
        unpack_row(w.kind, const_cast<bf16*>(W), w.packed.data, w.K, n);
        for (int64_t t = 0; t < y.dim(0); ++t) {
            float sum = 0;
            for (int64_t k0 = 0; k0 < w.K; k0 += 128) {
                float c = 0;
                for (int64_t k = k0; k < std::min(k0 + 128, w.K); ++k)
                    c += number(x, t, k) * to_float(W[k]);
                sum += c;
            }
            put(y, t, n, sum);
        }
    }
}

void plain_fp8(Stream& s, Tensor y, Tensor x, const Linear& w) {
    const int64_t T = y.dim(0);
    const Tensor codes = s.arena->tmp(DType::f8e4m3, T, w.K);
    const Tensor scales = s.arena->tmp(DType::f32, T, w.K / 128);
    cpu::plain::act_quant(s, codes, scales, x, ScaleFormat::ue8m0);
    auto* W = s.arena->tmp(DType::f8e4m3, w.K).as<f8e4m3>();
    for (int64_t n = 0; n < w.N; ++n) {
        unpack_row(w.kind, W, w.packed.data, w.K, n);
        for (int64_t t = 0; t < T; ++t) {
            float sum = 0;
            for (int64_t g = 0; g < w.K / 128; ++g) {
                float c = 0;
                for (int64_t k = g * 128; k < g * 128 + 128; ++k)
                    c += to_float(row<f8e4m3>(codes, t)[k]) * to_float(W[k]);
                sum += c * (row<float>(scales, t)[g] * row<float>(w.scale, n / 128)[g]);
            }
            put(y, t, n, sum);
        }
    }
}

void plain_i8(Stream& s, Tensor y, Tensor x, const Linear& w) {
    const int64_t T = y.dim(0);
    const bool dynamic = w.kind == Linear::Kind::w8a8_dynamic;
    const Tensor codes = s.arena->tmp(DType::i8, T, w.K), scales = s.arena->tmp(DType::f32, T);
    if (dynamic)
        cpu::plain::act_quant_i8_dynamic(s, codes, scales, x);
    else
        cpu::plain::act_quant_i8_static(s, codes, x, w.input_scale, w.input_offset);
    auto* W = s.arena->tmp(DType::i8, w.K).as<int8_t>();
    for (int64_t n = 0; n < w.N; ++n) {
        unpack_row(w.kind, W, w.packed.data, w.K, n);
        for (int64_t t = 0; t < T; ++t) {
            int32_t sum = dynamic ? 0 : w.quant_bias.as<int32_t>()[n];
            for (int64_t k = 0; k < w.K; ++k) sum += row<int8_t>(codes, t)[k] * W[k];
            const float x_scale = dynamic ? scales.as<float>()[t] : 1.0f;
            put(y, t, n, static_cast<float>(sum) * x_scale * w.scale.as<float>()[n]);
        }
    }
}

}  // namespace

void cpu::plain::linear(Stream& s, Tensor y, Tensor x, const Linear& w) {
    ArenaScope scope(*s.arena);
    switch (w.kind) {
        case Linear::Kind::bf16: return plain_bf16(s, y, x, w);
        case Linear::Kind::fp8: return plain_fp8(s, y, x, w);
        case Linear::Kind::w8a8_static:
        case Linear::Kind::w8a8_dynamic: return plain_i8(s, y, x, w);
    }
}

void cpu::linear(Stream& s, Tensor y, Tensor x, const Linear& w) {
    ArenaScope scope(*s.arena);
    const gemm::Input input = gemm::quantized(s, x, w);
    const int64_t T = x.dim(0), groups = gemm::groups_of(w);
    const int64_t rows = gemm::piece_rows(T, groups, s.workers->threads());
    const int64_t parts = (T + rows - 1) / rows;
    const int64_t grain = gemm::grain_of(w, std::min(T, rows));
    s.workers->parallel_for(groups * parts, grain, [&](int64_t begin, int64_t end, int worker) {
        std::byte* const scratch = s.workers->scratch(worker).data();
        for (int64_t i = begin; i < end; ++i) {
            const int64_t group = i / parts, t = i % parts * rows;
            gemm::run_piece(y, input, w, group, t, std::min(t + rows, T), scratch);
        }
    });
}

}  // namespace fathom
