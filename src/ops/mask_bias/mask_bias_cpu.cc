#include <algorithm>
#include <limits>

#include "ops/mask_bias/mask_bias.h"
#include "ops/vec8.h"

namespace fathom {
namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

// 32 logits, eight at a time; their bits are in `word`.
void mask_32(float* logits, uint32_t word) {
    const __m256i bit_of = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    for (int i = 0; i < 32; i += 8) {
        const __m256i byte = _mm256_set1_epi32(static_cast<int>(word >> i & 0xff));
        const __m256i keep = _mm256_cmpeq_epi32(_mm256_and_si256(byte, bit_of), bit_of);
        vec8::store(logits + i, _mm256_blendv_ps(_mm256_set1_ps(kMasked), vec8::load(logits + i),
                                                 _mm256_castsi256_ps(keep)));
    }
}

}  // namespace

void cpu::mask_bias(Stream& /*s*/, Tensor logits, std::span<const uint32_t> allowed,
                    std::span<const Token> masked, std::span<const std::pair<Token, float>> bias) {
    auto* const logit = logits.as<float>();
    const int64_t V = logits.dim(0);
    for (int64_t w = 0; w < std::ssize(allowed); ++w) {
        const uint32_t word = allowed[w];
        if (word == ~uint32_t{0}) continue;
        float* const begin = logit + 32 * w;
        const int64_t count = std::min<int64_t>(32, V - 32 * w);
        if (word == 0)
            std::fill_n(begin, count, kMasked);
        else if (count == 32)
            mask_32(begin, word);
        else
            for (int64_t i = 0; i < count; ++i) begin[i] = word >> i & 1 ? begin[i] : kMasked;
    }
    for (const Token id : masked) logit[id] = kMasked;
    for (const auto& [id, value] : bias) logit[id] += value;
}

}  // namespace fathom
