// Two passes over a row: the largest logit of each block, then the sum. The likeliest tokens and
// the rank come from the blocks that can hold them.
#include <cmath>

#include "ops/logit_blocks.h"
#include "ops/logprobs/logprobs.h"
#include "ops/rows.h"

namespace fathom {
namespace {

constexpr float kLowest = LogitBlocks::kLowest;
constexpr int kBlock = LogitBlocks::kBlock;

struct Candidate {
    float logit;
    Token id;

    bool operator<(const Candidate& other) const {
        return logit > other.logit || (logit == other.logit && id < other.id);
    }
};

// Of a NaN and a number, the second operand.
__m256 without_nan(__m256 v) { return _mm256_max_ps(v, _mm256_set1_ps(kLowest)); }

// The sum of e^(logit - largest): eight partial sums in f32 over each 64 logits, added up in double
// in the order of the blocks.
double sum_of(const float* logits, int64_t V, float largest) {
    const __m256 most = _mm256_set1_ps(largest);
    double sum = 0;
    for (int64_t begin = 0; begin < V; begin += kBlock) {
        __m256 lanes = _mm256_setzero_ps();
        vec8::for_each(std::min<int64_t>(kBlock, V - begin), [&](int64_t i, int64_t n) {
            const __m256 v = without_nan(vec8::load(logits + begin + i, n));
            const __m256 e = vec8::exp(_mm256_sub_ps(v, most));
            lanes = _mm256_add_ps(lanes, n == 8 ? e : _mm256_and_ps(e, vec8::first(n)));
        });
        const __m128 four =
            _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        sum += _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    return sum;
}

// Tokens with a larger logit.
int larger_than(const LogitBlocks& blocks, float logit) {
    const __m256 than = _mm256_set1_ps(logit);
    int count = 0;
    for (int b = 0; b < blocks.count(); ++b) {
        if (blocks.maximum(b) <= logit) continue;
        for (int i = 0; i < kBlock; i += 8) {
            const __m256 more = _mm256_cmp_ps(vec8::load(blocks.block(b) + i), than, _CMP_GT_OQ);
            count += __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(more)));
        }
    }
    return count;
}

// The k best, in order, at the beginning of `list`, which has room for all.
void find_best(const LogitBlocks& blocks, int vocab, int64_t k, Candidate* list) {
    const float reached = blocks.reached_by(k);
    int64_t count = 0;
    for (int b = 0; b < blocks.count(); ++b) {
        if (blocks.maximum(b) < reached) continue;
        const float* const block = blocks.block(b);
        for (int i = 0; i < std::min(kBlock, vocab - b * kBlock); ++i) {
            const float logit = std::isnan(block[i]) ? kLowest : block[i];
            if (logit >= reached) list[count++] = {logit, b * kBlock + i};
        }
    }
    std::nth_element(list, list + k - 1, list + count);
    std::sort(list, list + k);
}

void answer(LogprobsRow& ask, const float* logits, int64_t V, int vocab,
            std::span<std::byte> scratch) {
    const size_t needed = LogitBlocks::bytes(vocab) + vocab * sizeof(Candidate);
    CHECK(scratch.size() >= needed, needed, " bytes for a vocabulary of ", vocab);
    const LogitBlocks blocks(logits, vocab, reinterpret_cast<float*>(scratch.data()));
    float largest = blocks.largest();
    for (int64_t i = vocab; i < V; ++i) largest = logits[i] > largest ? logits[i] : largest;
    const double log_sum = std::log(sum_of(logits, V, largest));
    const auto logprob = [&](float logit) {
        if (!std::isfinite(largest) || std::isnan(logit)) return kLowest;
        return static_cast<float>(double{logit} - double{largest} - log_sum);
    };

    const float logit = logits[ask.token];
    ask.logprob = logprob(logit);
    ask.rank = 1 + larger_than(blocks, std::isnan(logit) ? kLowest : logit);
    if (ask.top.empty()) return;
    auto* const list = reinterpret_cast<Candidate*>(scratch.data() + LogitBlocks::bytes(vocab));
    find_best(blocks, vocab, std::ssize(ask.top), list);
    for (size_t i = 0; i < ask.top.size(); ++i) ask.top[i] = {list[i].id, logprob(list[i].logit)};
}

}  // namespace

void cpu::logprobs(Stream& s, std::span<LogprobsRow> rows, Tensor logits, int vocab) {
    const int64_t V = logits.dim(1), grain = std::max<int64_t>(1, 16384 / V);
    s.workers->parallel_for(std::ssize(rows), grain, [&](int64_t begin, int64_t end, int worker) {
        for (int64_t i = begin; i < end; ++i)
            answer(rows[i], row<float>(logits, rows[i].row), V, vocab, s.workers->scratch(worker));
    });
}

}  // namespace fathom
