#pragma once

#include <cmath>

#include "ops/vec8.h"

// How the norms add up a row: element d goes to partial sum d % 32, in ascending order; then the
// upper half of the partial sums is added to the lower, five times. Written twice: as plain loops,
// and with vectors. Both give the same bits, on every CPU and for every batch.
namespace fathom::sum32 {

// Adds up 32 partial sums; leaves junk in them.
inline float combine(float* lanes) {
    for (int half = 16; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return lanes[0];
}

namespace plain {

// value(d) for 0 <= d < D.
template <class Value>
float sum(int64_t D, Value value) {
    float lanes[32] = {};
    for (int64_t d = 0; d < D; ++d) lanes[d % 32] += value(d);
    return combine(lanes);
}
template <class Value>
float sum_squares(int64_t D, Value value) {
    float lanes[32] = {};
    for (int64_t d = 0; d < D; ++d) lanes[d % 32] = std::fma(value(d), value(d), lanes[d % 32]);
    return combine(lanes);
}

}  // namespace plain

// add(sums, d, n) adds the elements d .. d + n (n <= 8) to eight partial sums and returns them.
template <class Add>
float fold(int64_t D, Add add) {
    __m256 a = _mm256_setzero_ps(), b = a, c = a, e = a;
    int64_t d = 0;
    for (; d + 32 <= D; d += 32) {
        a = add(a, d, int64_t{8});
        b = add(b, d + 8, int64_t{8});
        c = add(c, d + 16, int64_t{8});
        e = add(e, d + 24, int64_t{8});
    }
    __m256 sums[4] = {a, b, c, e};
    for (int i = 0; d < D; ++i, d += 8) sums[i] = add(sums[i], d, D - d < 8 ? D - d : 8);
    alignas(32) float lanes[32];
    for (int i = 0; i < 4; ++i) _mm256_store_ps(lanes + 8 * i, sums[i]);
    return combine(lanes);
}

// value(d, n): the elements d .. d + n, zeros behind them.
template <class Value>
float sum(int64_t D, Value value) {
    return fold(
        D, [&](__m256 sums, int64_t d, int64_t n) { return _mm256_add_ps(sums, value(d, n)); });
}
template <class Value>
float sum_squares(int64_t D, Value value) {
    return fold(D, [&](__m256 sums, int64_t d, int64_t n) {
        const __m256 v = value(d, n);
        return _mm256_fmadd_ps(v, v, sums);
    });
}

}  // namespace fathom::sum32
