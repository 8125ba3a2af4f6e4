// What the vector units of one core can do at most, for the benches to stand beside.
#pragma once

#include <benchmark/benchmark.h>
#include <immintrin.h>

#include <functional>

#include "base/check.h"
#include "base/isa.h"
#include "testing/roof.h"

namespace fathom::testing {

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
        const auto rounds = [avx512] {
            CHECK((avx512 ? peak_bf16_rounds() : peak_f32_rounds()) > 0, "no sum");
        };
        const double flops = double{kPeakRounds} * kPeakChains * (avx512 ? 64 : 16);
        return flops / best_seconds(rounds, Clock::cpu);
    }();
    return peak;
}

// Times f, which has `threads`, and says how it stands to their peak; the fastest call counts. For
// benchmarks with UseManualTime() and Iterations(1).
inline void report_flops(benchmark::State& state, int threads, double flops, double bytes,
                         const std::function<void()>& f) {
    double seconds = 0;
    for (auto _ : state) {
        seconds = best_seconds(f, clock_for(threads));
        state.SetIterationTime(seconds);
    }
    state.counters["flop/s"] = flops / seconds;
    state.counters["of_peak"] = flops / seconds / (peak_flops() * threads);
    state.counters["B/s"] = bytes / seconds;
}

}  // namespace fathom::testing
