// A row of 129,280 logits is read once (ops/logit_blocks.h); whatever comes then reads only the
// blocks that can matter.
#include <algorithm>
#include <cmath>

#include "ops/logit_blocks.h"
#include "ops/sample/noise.h"
#include "ops/sample/sample.h"
#include "ops/sample/sample_cut.h"
#include "ops/vec8.h"

namespace fathom::cpu {
namespace {

constexpr float kLowest = LogitBlocks::kLowest;
constexpr int kBlock = LogitBlocks::kBlock;
constexpr int kBins = 1024;  // Of 1/64 each: 16, or all but 1e-7 of the mass of a token.

struct Candidate {
    float logit;
    int32_t id;
    float mass;  // e^((logit - largest) / temperature)

    bool before(const Candidate& other) const {
        return logit > other.logit || (logit == other.logit && id < other.id);
    }
};

// At least e^x, at most 1.07 times as much, for x < 80: the bits of 2^n (1 + f) where 2^(n + f) is
// meant, which is more but at f = 0 and 1; 1.001 for the rounding there.
__m256 exp_at_most(__m256 x) {
    x = _mm256_max_ps(x, _mm256_set1_ps(-80.0f));
    const __m256 y = _mm256_fmadd_ps(x, _mm256_set1_ps(1.44269504f), _mm256_set1_ps(127.0f));
    const __m256i bits = _mm256_cvtps_epi32(_mm256_mul_ps(y, _mm256_set1_ps(0x1p23f)));
    return _mm256_mul_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(1.001f));
}

// 32 words of noise, of the tokens id .. id + 31; id % 4 == 0.
void noise_words(uint32_t* words, const SampleRow& row, int32_t id) {
    const auto multiply = [](__m256i v, uint32_t by, __m256i& high) {
        const __m256i m = _mm256_set1_epi32(static_cast<int>(by));
        const __m256i even = _mm256_mul_epu32(v, m);
        const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(v, 32), m);
        high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
        return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
    };
    __m256i a =
        _mm256_add_epi32(_mm256_set1_epi32(id / 4), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i b = _mm256_set1_epi32(row.position), c = _mm256_set1_epi32(row.choice);
    __m256i d = _mm256_setzero_si256();
    auto key0 = static_cast<uint32_t>(row.seed), key1 = static_cast<uint32_t>(row.seed >> 32);
    for (int round = 0; round < Philox::kRounds; ++round) {
        __m256i x_high, y_high;
        const __m256i x = multiply(a, Philox::kMultiplier0, x_high);
        const __m256i y = multiply(c, Philox::kMultiplier1, y_high);
        a = _mm256_xor_si256(_mm256_xor_si256(y_high, b),
                             _mm256_set1_epi32(static_cast<int>(key0)));
        c = _mm256_xor_si256(_mm256_xor_si256(x_high, d),
                             _mm256_set1_epi32(static_cast<int>(key1)));
        b = y;
        d = x;
        key0 += Philox::kWeyl0;
        key1 += Philox::kWeyl1;
    }
    const __m256i ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
    const __m256i cd_low = _mm256_unpacklo_epi32(c, d), cd_high = _mm256_unpackhi_epi32(c, d);
    const __m256i counters[4] = {
        // i and i + 4, of eight.
        _mm256_unpacklo_epi64(ab_low, cd_low), _mm256_unpackhi_epi64(ab_low, cd_low),
        _mm256_unpacklo_epi64(ab_high, cd_high), _mm256_unpackhi_epi64(ab_high, cd_high)};
    for (int i = 0; i < 4; ++i) {
        auto* out = reinterpret_cast<__m128i*>(words) + i;
        _mm_storeu_si128(out, _mm256_castsi256_si128(counters[i]));
        _mm_storeu_si128(out + 4, _mm256_extracti128_si256(counters[i], 1));
    }
}

// One row and what is known of it.
class Row {
public:
    Row(const float* logits, int vocab, const SampleRow& how, std::span<std::byte> scratch)
        : how_(how),
          blocks_(logits, vocab, memory_of(scratch, vocab)),
          list_(reinterpret_cast<Candidate*>(scratch.data() + LogitBlocks::bytes(vocab))),
          largest_(blocks_.largest()),
          scale_(1.0f / std::max(how.temperature, 1e-5f)) {}

    float largest() const { return largest_; }
    int32_t argmax() const { return blocks_.argmax(); }

    Cut cut() {
        Cut cut;
        if (how_.min_p > 0) {
            const double lowest = largest_ + how_.temperature * std::log(double{how_.min_p});
            cut.logit = static_cast<float>(lowest);
            if (cut.logit < lowest) cut.logit = std::nextafterf(cut.logit, largest_);
        }
        if (how_.top_k > 0) cut.logit = std::max(cut.logit, kth_largest(how_.top_k));
        return how_.top_p < 1 ? top_p(cut.logit) : cut;
    }

    // The token whose (logit - largest) / temperature + noise is the largest. Almost none needs its
    // noise: with E = -log(1 - v) >= v, a token can only win when v < e^(its logit - the best sum).
    int32_t draw(Cut cut) const {
        Best best{.id = argmax()};
        best.sum = gumbel(noise_word(how_.seed, how_.choice, how_.position, best.id));
        for (int b = 0; b < blocks_.count(); ++b) {
            if (blocks_.maximum(b) < cut.logit || hopeless(blocks_.maximum(b), best)) continue;
            for (int half = 0; half < kBlock; half += 32) {
                uint32_t words[32];
                noise_words(words, how_, b * kBlock + half);
                for (int i = 0; i < 32; i += 8)
                    compete(best, cut, block(b) + half + i, words + i, b * kBlock + half + i);
            }
        }
        return best.id;
    }

private:
    struct Best {
        int32_t id;
        double sum = 0;
    };

    static float* memory_of(std::span<std::byte> scratch, int vocab) {
        CHECK(scratch.size() >= sample_scratch_bytes(vocab), "vocab ", vocab);
        return reinterpret_cast<float*>(scratch.data());
    }
    const float* block(int b) const { return blocks_.block(b); }

    // v is at least 2^-33 = e^-22.9.
    bool hopeless(float logit, const Best& best) const {
        return (logit - largest_) * scale_ - static_cast<float>(best.sum) < -23.5f;
    }

    void compete(Best& best, Cut cut, const float* logits, const uint32_t* words,
                 int32_t id) const {
        const __m256 best_sum = _mm256_set1_ps(static_cast<float>(best.sum));
        const __m256 bound = exp_at_most(_mm256_sub_ps(scaled(vec8::load(logits)), best_sum));
        const __m256i top =
            _mm256_srli_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(words)), 8);
        // v or a hair less.
        const __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(top), _mm256_set1_ps(0x1p-24f));
        auto lanes = static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(v, bound, _CMP_LE_OQ)));
        for (; lanes != 0; lanes &= lanes - 1) {
            const int i = __builtin_ctz(lanes);
            if (!cut.keeps(logits[i], id + i)) continue;
            const double y = (double{logits[i]} - largest_) / how_.temperature;
            const double sum = y + gumbel(words[i]);
            if (sum > best.sum || (sum == best.sum && id + i < best.id)) best = {id + i, sum};
        }
    }

    __m256 scaled(__m256 logits) const {
        return _mm256_mul_ps(_mm256_sub_ps(logits, _mm256_set1_ps(largest_)),
                             _mm256_set1_ps(scale_));
    }

    // The tokens of at least `lowest`, without those of -inf, in id order.
    std::span<Candidate> collect(float lowest) const {
        const __m256 floor = _mm256_set1_ps(lowest), none = _mm256_set1_ps(kLowest);
        int64_t count = 0;
        for (int b = 0; b < blocks_.count(); ++b) {
            if (blocks_.maximum(b) < lowest) continue;
            for (int i = 0; i < kBlock; i += 8) {
                const __m256 v = vec8::load(block(b) + i);
                const __m256 in = _mm256_and_ps(_mm256_cmp_ps(v, floor, _CMP_GE_OQ),
                                                _mm256_cmp_ps(v, none, _CMP_GT_OQ));
                auto lanes = static_cast<unsigned>(_mm256_movemask_ps(in));
                if (lanes == 0) continue;
                float mass[8];
                vec8::store(mass, vec8::exp(scaled(v)));
                for (; lanes != 0; lanes &= lanes - 1) {
                    const int lane = __builtin_ctz(lanes);
                    list_[count++] = {block(b)[i + lane], b * kBlock + i + lane, mass[lane]};
                }
            }
        }
        return {list_, static_cast<size_t>(count)};
    }

    float kth_largest(int64_t k) const {
        const std::span<Candidate> list = collect(blocks_.reached_by(k));
        if (k > std::ssize(list)) return kLowest;
        std::nth_element(list.begin(), list.begin() + k - 1, list.end(),
                         [](const auto& a, const auto& b) { return a.before(b); });
        return list[k - 1].logit;
    }

    // The mass of all tokens of at least `lowest`.
    double mass_from(float lowest) const {
        const __m256 floor = _mm256_set1_ps(lowest);
        double sum = 0;
        for (int b = 0; b < blocks_.count(); ++b) {
            if (blocks_.maximum(b) < lowest || (blocks_.maximum(b) - largest_) * scale_ < -105)
                continue;
            __m256 lanes = _mm256_setzero_ps();
            for (int i = 0; i < kBlock; i += 8) {
                const __m256 v = vec8::load(block(b) + i);
                const __m256 in = _mm256_cmp_ps(v, floor, _CMP_GE_OQ);
                lanes = _mm256_add_ps(lanes, _mm256_and_ps(in, vec8::exp(scaled(v))));
            }
            const __m128 four =
                _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
            const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            sum += _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
        }
        return sum;
    }

    // Among the tokens of at least `lowest`. Looks at the best few hundred first: they have the
    // mass in all but flat distributions.
    Cut top_p(float lowest) const {
        const double limit = double{how_.top_p} * mass_from(lowest);
        const float reached = std::max(lowest, blocks_.reached_by(256));
        const std::span<Candidate> list = collect(reached);
        double sum = 0;
        for (const Candidate& c : list) sum += c.mass;
        if (sum >= limit || reached == lowest) return border(list, 0, limit);
        return top_p_of_many(lowest, limit);
    }

    // The mass by distance from the largest logit, in bins; then the one bin that the border is in.
    Cut top_p_of_many(float lowest, double limit) const {
        double mass[kBins] = {};
        const std::span<Candidate> list = collect(lowest);
        for (const Candidate& c : list) mass[bin(c)] += c.mass;
        int last = 0;
        double before = 0;
        for (; last < kBins - 1 && before + mass[last] < limit; ++last) before += mass[last];
        const auto end = std::remove_if(list.begin(), list.end(),
                                        [&](const Candidate& c) { return bin(c) != last; });
        return border({list.begin(), end}, before, limit);
    }

    int bin(const Candidate& c) const {
        return static_cast<int>(std::min((largest_ - c.logit) * scale_ * 64, kBins - 1.0f));
    }

    // The last candidate with a mass of less than `limit` before it, `before` being that of tokens
    // not in the list. Halves the list until it is found: the whole is never sorted.
    static Cut border(std::span<Candidate> list, double before, double limit) {
        const auto order = [](const Candidate& a, const Candidate& b) { return a.before(b); };
        while (list.size() > 1) {
            const size_t half = list.size() / 2;
            std::nth_element(list.begin(), list.begin() + half, list.end(), order);
            double mass = before;
            for (size_t i = 0; i < half; ++i) mass += list[i].mass;
            if (mass < limit) {  // The first of the second half is kept.
                before = mass;
                list = list.subspan(half);
            } else {
                list = list.first(half);
            }
        }
        return {.logit = list[0].logit, .id = list[0].id};
    }

    const SampleRow& how_;
    const LogitBlocks blocks_;
    Candidate* const list_;
    const float largest_;
    const float scale_;
};

int32_t sample_row(const float* logits, int vocab, const SampleRow& how,
                   std::span<std::byte> scratch) {
    Row row(logits, vocab, how, scratch);
    if (row.largest() == kLowest) return how.fallback;
    if (how.temperature < 1e-5f || !std::isfinite(row.largest())) return row.argmax();
    return row.draw(row.cut());
}

}  // namespace

size_t sample_scratch_bytes(int64_t vocab) {
    return LogitBlocks::bytes(vocab) + vocab * sizeof(Candidate);
}

Cut find_cut(const float* logits, int vocab, const SampleRow& row, std::span<std::byte> scratch) {
    return Row(logits, vocab, row, scratch).cut();
}

void sample(Stream& s, Tensor tokens, Tensor logits, std::span<const SampleRow> rows, int vocab) {
    const int64_t grain = std::max<int64_t>(1, 32768 / vocab);
    s.workers->parallel_for(tokens.dim(0), grain, [&](int64_t begin, int64_t end, int worker) {
        for (int64_t i = begin; i < end; ++i)
            tokens.as<int32_t>()[i] = sample_row(logits.as<float>() + i * logits.stride[0], vocab,
                                                 rows[i], s.workers->scratch(worker));
    });
}

}  // namespace fathom::cpu
