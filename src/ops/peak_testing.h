// What the vector units of one core can do at most, for the benches to stand beside.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/isa.h"

namespace fathom::testing {

template <class F>
double best_seconds(F&& f) {
    double best = 1e9;
    for (int i = 0; i < 200; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        f();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        best = std::min(best, took.count());
    }
    return best;
}

inline constexpr int kPeakChains = 12, kPeakRounds = 20000;

__attribute__((target("avx512f,avx512bf16"))) inline float peak_bf16_rounds() {
    const __m512bh one = (__m512bh)_mm512_set1_epi32(0x3f803f80);
    __m512 sums[kPeakChains];
    for (auto& sum : sums) sum = _mm512_setzero_ps();
    for (int i = 0; i < kPeakRounds; ++i)
#pragma GCC unroll 12
        for (auto& sum : sums) sum = _mm512_dpbf16_ps(sum, one, one);
    for (auto& sum : sums) sums[0] = _mm512_add_ps(sums[0], sum);
    return _mm512_cvtss_f32(sums[0]);
}

inline float peak_f32_rounds() {
    const __m256 one = _mm256_set1_ps(1);
    __m256 sums[kPeakChains];
    for (auto& sum : sums) sum = _mm256_setzero_ps();
    for (int i = 0; i < kPeakRounds; ++i)
#pragma GCC unroll 12
        for (auto& sum : sums) sum = _mm256_fmadd_ps(one, one, sum);
    for (auto& sum : sums) sums[0] = _mm256_add_ps(sums[0], sum);
    return _mm256_cvtss_f32(sums[0]);
}

// Flops a second of one core: bf16 dot products on AVX-512, f32 multiply-adds below.
inline double peak_flops() {
    static const double peak = [] {
        const bool avx512 = isa() == Isa::avx512;
        const double flops = double{kPeakRounds} * kPeakChains * (avx512 ? 64 : 16);
        return flops / best_seconds([avx512] {
                   CHECK((avx512 ? peak_bf16_rounds() : peak_f32_rounds()) > 0, "no sum");
               });
    }();
    return peak;
}

}  // namespace fathom::testing
