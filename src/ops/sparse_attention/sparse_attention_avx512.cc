// A bf16 query meets bf16 or e4m3 latents in vdpbf16ps: 64 flops a cycle on Zen 4. A code times a
// power of two is exact in bf16, so dequantizing costs no accuracy. Probabilities stay f32, so the
// sums of values are f32 multiply-adds: 32 flops a cycle. (Split into two bf16 they would take two
// vdpbf16ps for two keys: no faster.) Per head and key 18 + 32 instructions at H % 16 == 0.
#include "ops/lanes_avx512.h"
#include "ops/sparse_attention/sparse_attention_lanes.h"

namespace fathom::cpu {
namespace {

struct FloatLanes : F32x16 {
    using Element = float;
    using Factor = __m512;
    static constexpr int kSteps = kKeyDim, kGroupMax = 4, kScores = 16, kColumns = 4;
    static constexpr int kValueStride = kKeyDim;

    static Factor broadcast(const Element* from) { return set1(*from); }
    static Factor load_elements(const Element* from) { return load(from); }
    static Vector dot(Vector sum, Factor a, Factor b) { return fma(a, b, sum); }
    static const float* values_of(const void* keys, const float*) {
        return static_cast<const float*>(keys);
    }
};

// Values lie in groups of 32 columns, the even ones before the odd ones: that is how two bf16 of
// one element come apart.
struct PairLanes : F32x16 {
    using Element = uint32_t;
    using Factor = __m512bh;
    static constexpr int kSteps = kKeyDim / 2, kGroupMax = 4, kScores = 16, kColumns = 4;
    static constexpr int kValueStride = kLatentDim;

    static Factor broadcast(const Element* from) {
        return reinterpret_cast<Factor>(_mm512_set1_epi32(static_cast<int>(*from)));
    }
    static Factor load_elements(const Element* from) {
        return reinterpret_cast<Factor>(_mm512_loadu_si512(from));
    }
    static Vector dot(Vector sum, Factor a, Factor b) { return _mm512_dpbf16_ps(sum, a, b); }
    static const float* values_of(const void*, const float* values) { return values; }
};

__m512 widen(__m256i bf16s) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16s), 16));
}

// 16 elements of a query row, of which a head has kWidth bytes in all.
template <class L, bool kIsBf16>
__m512i query_elements(const uint8_t* row, int64_t element) {
    if constexpr (!kIsBf16 || L::kSteps < kKeyDim) return _mm512_loadu_si512(row + element * 4);
    return _mm512_castps_si512(
        widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + element * 2))));
}

template <class L, bool kIsBf16>
void load_query(void* query, const uint8_t* q_latent, int64_t latent_stride, const uint8_t* q_pe,
                int64_t pe_stride, int64_t H) {
    constexpr int kLatentSteps = L::kSteps / 9 * 8;  // 512 of 576.
    const int group = group_vectors<L>(H) * L::kLanes;
    auto* out = static_cast<uint32_t*>(query);
    for (int64_t h = 0; h < H; h += L::kLanes) {
        uint32_t* to = out + h / group * group * L::kSteps + h % group;
        for (int step = 0; step < L::kSteps; step += 16) {
            __m512i rows[16];
            for (int64_t i = 0; i < 16; ++i) {
                if (h + i >= H) {
                    rows[i] = _mm512_setzero_si512();
                } else if (step < kLatentSteps) {
                    rows[i] = query_elements<L, kIsBf16>(q_latent + (h + i) * latent_stride, step);
                } else {
                    rows[i] =
                        query_elements<L, kIsBf16>(q_pe + (h + i) * pe_stride, step - kLatentSteps);
                }
            }
            transpose_16x16(to + int64_t{step} * group, group, rows);
        }
    }
}

__m512 scale_of(const uint8_t* row, int group) {
    float scale;
    __builtin_memcpy(&scale, row + kLatentDim + group * 4, sizeof scale);
    return _mm512_set1_ps(scale);
}

// Stores 32 bf16, given as pairs and once more as f32 of their even and odd columns.
void store_pairs(uint32_t* key, float* value, __m512 even, __m512 odd) {
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(even), 16);
    // low | (odd & high)
    _mm512_storeu_si512(key, _mm512_ternarylogic_epi32(low, _mm512_castps_si512(odd), high, 0xf8));
    _mm512_storeu_ps(value, even);
    _mm512_storeu_ps(value + 16, odd);
}

__m512 even_of(__m512i pairs) { return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)); }
__m512 odd_of(__m512i pairs) {
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    return _mm512_castsi512_ps(_mm512_and_si512(pairs, high));
}

void load_pairs_fp8(void* keys, float* values, const uint8_t* const* rows, int begin, int end) {
    const Decoder decoder;
    for (int i = begin; i < end; ++i) {
        const uint8_t* row = rows[i];
        uint32_t* key = static_cast<uint32_t*>(keys) + int64_t{i} * PairLanes::kSteps;
        float* value = values + int64_t{i} * kLatentDim;
        for (int c = 0; c < kLatentDim; c += 64) {
            const __m512 scale = scale_of(row, c / 128);
            __m512i first, second;
            decoder.decode_in_order(row + c, first, second);
            store_pairs(key + c / 2, value + c, _mm512_mul_ps(even_of(first), scale),
                        _mm512_mul_ps(odd_of(first), scale));
            store_pairs(key + c / 2 + 16, value + c + 32, _mm512_mul_ps(even_of(second), scale),
                        _mm512_mul_ps(odd_of(second), scale));
        }
        const uint8_t* k_pe = row + kLatentDim + kLatentDim / 128 * 4;
        for (int r = 0; r < kRopeDim / 2; r += 16)
            _mm512_storeu_si512(key + kLatentDim / 2 + r, _mm512_loadu_si512(k_pe + r * 4));
    }
}

void load_pairs_bf16(void* keys, float* values, const uint8_t* const* rows, int begin, int end) {
    for (int i = begin; i < end; ++i) {
        uint32_t* key = static_cast<uint32_t*>(keys) + int64_t{i} * PairLanes::kSteps;
        float* value = values + int64_t{i} * kLatentDim;
        for (int step = 0; step < PairLanes::kSteps; step += 16) {
            const __m512i pairs = _mm512_loadu_si512(rows[i] + step * 4);
            _mm512_storeu_si512(key + step, pairs);
            if (step >= kLatentDim / 2) continue;
            _mm512_storeu_ps(value + 2 * step, even_of(pairs));
            _mm512_storeu_ps(value + 2 * step + 16, odd_of(pairs));
        }
    }
}

__m512 load_bf16(const uint8_t* from) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

template <LatentFormat kFormat>
void load_floats(void* keys, float*, const uint8_t* const* rows, int begin, int end) {
    const Decoder decoder;
    for (int i = begin; i < end; ++i) {
        const uint8_t* row = rows[i];
        float* key = static_cast<float*>(keys) + int64_t{i} * kKeyDim;
        if constexpr (kFormat == LatentFormat::fp8) {
            for (int c = 0; c < kLatentDim; c += 64) {
                alignas(64) uint8_t halves[128];
                __m512i first, second;
                decoder.decode_in_order(row + c, first, second);
                _mm512_store_si512(halves, first);
                _mm512_store_si512(halves + 64, second);
                for (int d = 0; d < 64; d += 16)
                    _mm512_storeu_ps(key + c + d, _mm512_mul_ps(load_bf16(halves + d * 2),
                                                                scale_of(row, c / 128)));
            }
            const uint8_t* k_pe = row + kLatentDim + kLatentDim / 128 * 4;
            for (int r = 0; r < kRopeDim; r += 16)
                _mm512_storeu_ps(key + kLatentDim + r, load_bf16(k_pe + r * 2));
        } else {
            for (int c = 0; c < kKeyDim; c += 16)
                _mm512_storeu_ps(key + c, kFormat == LatentFormat::bf16
                                              ? load_bf16(row + c * 2)
                                              : _mm512_loadu_ps(row + c * 4));
        }
    }
}

void finish_pairs(float* row, const float* o, float sum) {
    const __m512 divisor = _mm512_set1_ps(sum);
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    for (int c = 0; c < kLatentDim; c += 32) {
        const __m512 even = _mm512_div_ps(_mm512_loadu_ps(o + c), divisor);
        const __m512 odd = _mm512_div_ps(_mm512_loadu_ps(o + c + 16), divisor);
        _mm512_storeu_ps(row + c, _mm512_permutex2var_ps(even, low, odd));
        _mm512_storeu_ps(row + c + 16, _mm512_permutex2var_ps(even, high, odd));
    }
}

template <class L>
AttentionKernels kernels() {
    return {.lanes = L::kLanes,
            .steps = L::kSteps,
            .load_query = nullptr,
            .load_keys = nullptr,
            .score = score<L>,
            .softmax = softmax<L>,
            .accumulate = accumulate<L>,
            .merge = merge<L>,
            .finish = finish_in_order<L>};
}

}  // namespace

AttentionKernels attention_kernels_avx512(bool q_is_bf16, LatentFormat format) {
    if (q_is_bf16 && format != LatentFormat::f32) {
        AttentionKernels pairs = kernels<PairLanes>();
        pairs.load_query = load_query<PairLanes, true>;
        pairs.load_keys = format == LatentFormat::fp8 ? load_pairs_fp8 : load_pairs_bf16;
        pairs.finish = finish_pairs;
        return pairs;
    }
    AttentionKernels floats = kernels<FloatLanes>();
    floats.load_query = q_is_bf16 ? load_query<FloatLanes, true> : load_query<FloatLanes, false>;
    floats.load_keys = format == LatentFormat::fp8    ? load_floats<LatentFormat::fp8>
                       : format == LatentFormat::bf16 ? load_floats<LatentFormat::bf16>
                                                      : load_floats<LatentFormat::f32>;
    return floats;
}

}  // namespace fathom::cpu
