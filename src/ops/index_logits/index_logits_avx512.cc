// bf16 and e4m3 go through vdpbf16ps: products of bf16 are exact in f32, and every e4m3 code is a
// bf16. Zen 4 starts one such instruction (64 flops) a cycle; a block of 4 vectors of keys and 4
// heads loads 8 registers for 16 of them. Decoding and transposing 64 keys takes about 2,000
// cycles against 16,384 for scoring them with 64 heads.
#include "ops/index_logits/index_logits_score.h"
#include "ops/lanes_avx512.h"

namespace fathom::cpu {
namespace {

struct PairLanes : F32x16 {
    using Element = uint32_t;  // Two bf16.
    using Factor = __m512bh;
    static constexpr int kSteps = kIndexDim / 2, kVectors = 4, kHeads = 4;

    static Factor broadcast(const Element* from) {
        return reinterpret_cast<Factor>(_mm512_set1_epi32(static_cast<int>(*from)));
    }
    static Factor load_keys(const Element* from) {
        return reinterpret_cast<Factor>(_mm512_loadu_si512(from));
    }
    static Vector dot(Vector sum, Factor a, Factor b) { return _mm512_dpbf16_ps(sum, a, b); }
};

struct FloatLanes : F32x16 {
    using Element = float;
    using Factor = __m512;
    static constexpr int kSteps = kIndexDim, kVectors = 4, kHeads = 4;

    static Factor broadcast(const Element* from) { return set1(*from); }
    static Factor load_keys(const Element* from) { return load(from); }
    static Vector dot(Vector sum, Factor a, Factor b) { return fma(a, b, sum); }
};

void copy_heads(void* query, const uint8_t* heads, int64_t stride, int64_t H, int64_t bytes) {
    auto* out = static_cast<uint8_t*>(query);
    for (int64_t h = 0; h < H; ++h)
        for (int64_t i = 0; i < bytes; i += 64)
            _mm512_storeu_si512(out + h * bytes + i, _mm512_loadu_si512(heads + h * stride + i));
}

// Elements of 4 bytes, as they are.
template <int kSteps>
void transpose_tile(void* tile, const uint8_t* const* keys) {
    auto* out = static_cast<uint32_t*>(tile);
    for (int key = 0; key < kTileKeys; key += 16)
        for (int step = 0; step < kSteps; step += 16) {
            __m512i rows[16];
            for (int i = 0; i < 16; ++i) rows[i] = _mm512_loadu_si512(keys[key + i] + step * 4);
            transpose_16x16(out + step * kTileKeys + key, kTileKeys, rows);
        }
}

void expand_f8e4m3(void* query, const uint8_t* heads, int64_t stride, int64_t H) {
    const Decoder decoder;
    auto* out = static_cast<uint32_t*>(query);
    for (int64_t h = 0; h < H; ++h)
        for (int d = 0; d < kIndexDim; d += 64, out += 32) {
            __m512i first, second;
            decoder.decode_in_order(heads + h * stride + d, first, second);
            _mm512_storeu_si512(out, first);
            _mm512_storeu_si512(out + 16, second);
        }
}

// Transposed as codes, four at a time, and decoded then: half the shuffles of the other order.
void load_f8e4m3(void* tile, const uint8_t* const* keys) {
    const Decoder decoder;
    auto* out = static_cast<uint32_t*>(tile);
    alignas(64) uint32_t fours[16][16];
    for (int key = 0; key < kTileKeys; key += 16)
        for (int d = 0; d < kIndexDim; d += 64) {
            __m512i rows[16];
            for (int i = 0; i < 16; ++i) rows[i] = _mm512_loadu_si512(keys[key + i] + d);
            transpose_16x16(fours[0], 16, rows);
            for (int i = 0; i < 16; ++i) {
                __m512i first, second;  // Keys 0 and 1, keys 2 and 3 of each lane.
                decoder.decode(_mm512_load_si512(fours[i]), first, second);
                const __m512 a = _mm512_castsi512_ps(first), b = _mm512_castsi512_ps(second);
                uint32_t* pair = out + (d / 2 + 2 * i) * kTileKeys + key;
                _mm512_storeu_ps(pair, _mm512_shuffle_ps(a, b, 0x88));
                _mm512_storeu_ps(pair + kTileKeys, _mm512_shuffle_ps(a, b, 0xdd));
            }
        }
}

}  // namespace

IndexKernels index_kernels_avx512_f32() {
    return {.expand_query = [](void* query, const uint8_t* heads, int64_t stride,
                               int64_t H) { copy_heads(query, heads, stride, H, kIndexDim * 4); },
            .load_tile = transpose_tile<kIndexDim>,
            .score = score_tile<FloatLanes>};
}
IndexKernels index_kernels_avx512_bf16() {
    return {.expand_query = [](void* query, const uint8_t* heads, int64_t stride,
                               int64_t H) { copy_heads(query, heads, stride, H, kIndexDim * 2); },
            .load_tile = transpose_tile<kIndexDim / 2>,
            .score = score_tile<PairLanes>};
}
IndexKernels index_kernels_avx512_f8e4m3() {
    return {
        .expand_query = expand_f8e4m3, .load_tile = load_f8e4m3, .score = score_tile<PairLanes>};
}

}  // namespace fathom::cpu
