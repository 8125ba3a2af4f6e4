#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "ops/topk/topk.h"

namespace fathom {
namespace {

// Orders like the number, larger is better; 0 for what is never chosen.
uint32_t sortable(float f) {
    uint32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u || bits == 0xff800000u) return 0;
    if (magnitude == 0) return 0x80000000u;
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

}  // namespace

void cpu::plain::topk(Stream& s, Tensor indices, Tensor logits, Tensor positions) {
    const int64_t K = indices.dim(1);
    for (int64_t t = 0; t < indices.dim(0); ++t) {
        int32_t* out = indices.as<int32_t>() + t * indices.row_stride();
        const float* row = logits.as<float>() + t * logits.row_stride();
        const int64_t length = positions.as<int32_t>()[t] + int64_t{1};
        CHECK(0 < length && length <= logits.dim(1), "position ", length - 1, " of ", logits);

        ArenaScope scope(*s.arena);
        auto* order = s.arena->tmp(DType::i32, length).as<int32_t>();
        int64_t valid = 0;
        for (int64_t p = 0; p < length; ++p)
            if (sortable(row[p]) != 0) order[valid++] = static_cast<int32_t>(p);
        std::sort(order, order + valid, [row](int32_t a, int32_t b) {
            const uint32_t x = sortable(row[a]), y = sortable(row[b]);
            return x != y ? x > y : a < b;
        });
        const int64_t chosen = std::min(valid, K);
        std::sort(order, order + chosen);
        std::copy_n(order, chosen, out);
        std::fill(out + chosen, out + K, -1);
    }
}

namespace {

// The fast path works on signed keys in the order of the numbers, padded to whole vectors.
constexpr int32_t kNever = std::numeric_limits<int32_t>::min();
constexpr int64_t kLanes = 8;

int64_t whole_vectors(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

__m256i load_keys(const int32_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

unsigned mask_of(__m256i flags) {
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(flags)));
}

__m256i keys_of(__m256 numbers) {
    const __m256i bits = _mm256_castps_si256(numbers);
    const __m256i largest = _mm256_set1_epi32(0x7fffffff), zero = _mm256_setzero_si256();
    const __m256i magnitude = _mm256_and_si256(bits, largest);
    const __m256i flip = _mm256_and_si256(_mm256_srai_epi32(bits, 31), largest);
    const __m256i is_zero = _mm256_cmpeq_epi32(magnitude, zero);
    const __m256i ordered = _mm256_andnot_si256(is_zero, _mm256_xor_si256(bits, flip));
    const __m256i is_nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
    const __m256i is_low =
        _mm256_cmpeq_epi32(bits, _mm256_set1_epi32(static_cast<int>(0xff800000)));
    return _mm256_blendv_epi8(ordered, _mm256_set1_epi32(kNever), _mm256_or_si256(is_nan, is_low));
}

// Keys of a row, padded with kNever.
void make_keys(int32_t* keys, const float* row, int64_t n) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(keys + i),
                            keys_of(_mm256_loadu_ps(row + i)));
    if (i == n) return;
    float rest[kLanes];
    std::fill_n(rest, kLanes, -std::numeric_limits<float>::infinity());
    std::copy(row + i, row + n, rest);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(keys + i), keys_of(_mm256_loadu_ps(rest)));
}

int64_t count_above(const int32_t* keys, int64_t n, int32_t bound) {
    __m256i counts = _mm256_setzero_si256();
    const __m256i bounds = _mm256_set1_epi32(bound);
    for (int64_t i = 0; i < n; i += kLanes)
        counts = _mm256_sub_epi32(counts, _mm256_cmpgt_epi32(load_keys(keys + i), bounds));
    alignas(32) int32_t lanes[kLanes];
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), counts);
    int64_t count = 0;
    for (int32_t lane : lanes) count += lane;
    return count;
}

// The k-th largest key, known to lie in [low, high]. k >= 1; n is whole vectors.
int32_t kth_largest(const int32_t* keys, int64_t n, int64_t k, int64_t low, int64_t high) {
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (count_above(keys, n, static_cast<int32_t>(middle)) >= k) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return static_cast<int32_t>(low);
}

// Copies the keys in [low, high], padded with kNever; returns how many vectors' worth.
int64_t gather_between(int32_t* out, const int32_t* keys, int64_t n, int32_t low, int32_t high) {
    const __m256i lows = _mm256_set1_epi32(low), highs = _mm256_set1_epi32(high);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += kLanes) {
        const __m256i key = load_keys(keys + i);
        const __m256i outside =
            _mm256_or_si256(_mm256_cmpgt_epi32(lows, key), _mm256_cmpgt_epi32(key, highs));
        for (unsigned mask = ~mask_of(outside) & 0xff; mask != 0; mask &= mask - 1)
            out[count++] = keys[i + std::countr_zero(mask)];
    }
    const int64_t padded = whole_vectors(count);
    std::fill(out + count, out + padded, kNever);
    return padded;
}

// The k-th largest of n keys, of which at least k are not kNever. A sample says between which two
// values it lies; only the keys there are searched. The guess is checked, and costs time at worst.
int32_t threshold(const int32_t* keys, int64_t n, int64_t k, int32_t* candidates) {
    constexpr int64_t kSample = 1024;
    constexpr int64_t kLowest = int64_t{kNever} + 1, kHighest = 0x7f800000;  // +inf.
    if (n <= 2 * kSample) return kth_largest(keys, n, k, kLowest, kHighest);
    for (int64_t i = 0; i < kSample; ++i) candidates[i] = keys[i * n / kSample];
    const int64_t rank = k * kSample / n;
    const auto slack = 8 + static_cast<int64_t>(4 * std::sqrt(static_cast<double>(rank)));
    int32_t low = kNever + 1, high = static_cast<int32_t>(kHighest);
    if (rank + slack <= count_above(candidates, kSample, kNever))
        low = kth_largest(candidates, kSample, rank + slack, kLowest, kHighest);
    if (rank - slack >= 1) high = kth_largest(candidates, kSample, rank - slack, low, kHighest);

    const int64_t above = count_above(keys, n, high);
    if (above >= k) return kth_largest(keys, n, k, int64_t{high} + 1, kHighest);
    if (count_above(keys, n, low - 1) < k) return kth_largest(keys, n, k, kLowest, low);
    if (low == high) return low;
    const int64_t count = gather_between(candidates, keys, n, low, high);
    return kth_largest(candidates, count, k - above, low, high);
}

// The positions of the keys above `bound` and of the first `ties` that equal it, ascending.
int32_t* write_positions(int32_t* out, const int32_t* keys, int64_t n, int32_t bound,
                         int64_t ties) {
    const __m256i bounds = _mm256_set1_epi32(bound);
    for (int64_t i = 0; i < n; i += kLanes) {
        const __m256i key = load_keys(keys + i);
        unsigned chosen = mask_of(_mm256_cmpgt_epi32(key, bounds));
        if (ties > 0)
            for (unsigned equal = mask_of(_mm256_cmpeq_epi32(key, bounds)); equal != 0 && ties > 0;
                 equal &= equal - 1, --ties)
                chosen |= equal & -equal;
        for (; chosen != 0; chosen &= chosen - 1)
            *out++ = static_cast<int32_t>(i + std::countr_zero(chosen));
    }
    return out;
}

void select(int32_t* out, int64_t K, const float* row, int64_t length, std::span<int32_t> scratch) {
    const int64_t n = whole_vectors(length);
    CHECK(2 * n + 1024 <= static_cast<int64_t>(scratch.size()), "a row of ", length);
    int32_t* keys = scratch.data();
    make_keys(keys, row, length);
    int32_t bound = kNever;
    int64_t ties = 0;
    if (length > K && count_above(keys, n, kNever) > K) {
        bound = threshold(keys, n, K, keys + n);
        ties = K - count_above(keys, n, bound);
    }
    int32_t* end = write_positions(out, keys, n, bound, ties);
    std::fill(end, out + K, -1);
}

}  // namespace

void cpu::topk(Stream& s, Tensor indices, Tensor logits, Tensor positions) {
    const int64_t T = indices.dim(0), K = indices.dim(1);
    const auto* last = positions.as<int32_t>();
    int64_t total = 1;
    for (int64_t t = 0; t < T; ++t) {
        CHECK(0 <= last[t] && last[t] < logits.dim(1), "position ", last[t], " of ", logits);
        total += last[t];
    }
    constexpr int64_t kNumbers = 65536;  // Some 20 us: enough to wake a thread for.
    const int64_t grain = std::max<int64_t>(1, kNumbers * T / total);
    s.workers->parallel_for(T, grain, [&](int64_t begin, int64_t end, int worker) {
        const std::span<std::byte> bytes = s.workers->scratch(worker);
        const std::span scratch(reinterpret_cast<int32_t*>(bytes.data()), bytes.size() / 4);
        for (int64_t t = begin; t < end; ++t)
            select(indices.as<int32_t>() + t * indices.row_stride(), K,
                   logits.as<float>() + t * logits.row_stride(), last[t] + int64_t{1}, scratch);
    });
}

}  // namespace fathom
