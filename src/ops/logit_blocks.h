#pragma once

#include <algorithm>
#include <functional>
#include <limits>

#include "ops/vec8.h"

namespace fathom {

// A row of logits in blocks of 64 with the largest of each, from one pass over the row. Whatever
// comes then reads only the blocks that can matter: a token among the k best is in a block whose
// largest logit is among the k best of the blocks. NaN counts as -inf.
class LogitBlocks {
public:
    static constexpr int kBlock = 64;
    static constexpr float kLowest = -std::numeric_limits<float>::infinity();

    // Bytes of the memory that the constructor takes.
    static size_t bytes(int64_t vocab) { return (vocab + kBlock - 1) / kBlock * 2 * sizeof(float); }

    // Of logits[0, vocab), which must outlive it.
    LogitBlocks(const float* logits, int vocab, float* memory)
        : logits_(logits),
          vocab_(vocab),
          count_((vocab + kBlock - 1) / kBlock),
          tail_block_(vocab / kBlock),
          maxima_(memory),
          sorted_(memory + count_) {
        std::fill(std::begin(tail_), std::end(tail_), kLowest);
        std::copy(logits + tail_block_ * kBlock, logits + vocab, tail_);
        __m256 all = _mm256_set1_ps(kLowest);
        for (int b = 0; b < count_; ++b) {
            __m256 most = _mm256_set1_ps(kLowest);
            for (int i = 0; i < kBlock; i += 8)  // Of a NaN and a number, the second operand.
                most = _mm256_max_ps(vec8::load(block(b) + i), most);
            maxima_[b] = largest_of(most);
            all = _mm256_max_ps(most, all);
        }
        largest_ = largest_of(all);
    }

    int count() const { return count_; }
    // 64 logits; behind the last token come some of -inf.
    const float* block(int b) const { return b == tail_block_ ? tail_ : logits_ + b * kBlock; }
    float maximum(int b) const { return maxima_[b]; }
    float largest() const { return largest_; }

    // The first token with the largest logit; 0 if there is none because all are NaN.
    int32_t argmax() const {
        for (int b = 0; b < count_; ++b) {
            if (!(maxima_[b] == largest_)) continue;
            for (int i = 0; i < std::min(kBlock, vocab_ - b * kBlock); ++i)
                if (block(b)[i] == largest_) return b * kBlock + i;
        }
        return 0;
    }

    // A logit that at least `rank` tokens reach, or the lowest of all. rank >= 1
    float reached_by(int64_t rank) const {
        if (rank >= count_) return kLowest;
        std::copy(maxima_, maxima_ + count_, sorted_);
        std::nth_element(sorted_, sorted_ + rank - 1, sorted_ + count_, std::greater<>());
        return sorted_[rank - 1];
    }

private:
    static float largest_of(__m256 v) {
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }

    const float* const logits_;
    const int vocab_;
    const int count_;
    const int tail_block_;
    float* const maxima_;
    float* const sorted_;
    float tail_[kBlock];
    float largest_;
};

}  // namespace fathom
