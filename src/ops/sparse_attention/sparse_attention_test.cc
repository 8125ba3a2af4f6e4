#include "ops/sparse_attention/sparse_attention.h"

#include <gtest/gtest.h>

#include "ops/lanes_avx2.h"
#include "ops/sparse_attention/sparse_attention_lanes.h"
#include "ops/store_latent/store_latent.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/golden.h"
#include "testing/paged_cache.h"

namespace fathom {
namespace {

using namespace testing;

constexpr int kC = 512, kR = 64;
constexpr float kScale = 0.13f;
constexpr double kInf = std::numeric_limits<double>::infinity();

int64_t bytes_of(LatentFormat format) {
    KvLayout layout;
    layout.latent = format;
    return layout.latent_bytes();
}

HostTensor ints(const std::vector<int32_t>& values) {
    HostTensor t = allocate(DType::i32, {static_cast<int64_t>(values.size())});
    std::copy(values.begin(), values.end(), t.view.as<int32_t>());
    return t;
}

// A filled cache of two sequences. Queries are strided: a row of q holds both parts and some more.
struct World {
    World(LatentFormat format, DType q_dtype, int H, int block_tokens, int tokens, int64_t T,
          int64_t K)
        : format(format),
          T(T),
          H(H),
          K(K),
          cache(2, tokens, block_tokens, bytes_of(format)),
          kv(normal(DType::f32, {2 * tokens, kC + kR}, 5)),
          q(normal(q_dtype, {T, H, kC + kR + 16}, 6, 0.5f)),
          sequences(allocate(DType::i32, {T})),
          indices(allocate(DType::i32, {T, K})) {
        CpuStream s(1);
        std::vector<int32_t> slots;
        slots.reserve(2 * tokens);
        for (int p = 0; p < 2 * tokens; ++p) slots.push_back(cache.slot(p / tokens, p % tokens));
        const auto [latent, k_pe] = kv.view.split_last(kC, kR);
        ops::store_latent(s, cache.tokens(), latent, k_pe, ints(slots), format);
        for (int64_t t = 0; t < T; ++t) sequences.view.as<int32_t>()[t] = t % 3 == 2;
        for (int64_t i = 0; i < T * K; ++i) indices.view.as<int32_t>()[i] = -1;
    }

    std::array<Tensor, 2> queries() const {
        return q.view.split_last(kC + kR, 16)[0].split_last(kC, kR);
    }
    PagedTokens at() const {
        return {.positions = {},
                .sequences = sequences,
                .block_tables = cache.tables,
                .block_tokens = cache.block_tokens};
    }
    int32_t* index(int64_t t, int64_t i) const { return indices.view.as<int32_t>() + t * K + i; }
    // Every `step`-th position from `first`, `count` of them, starting in column `column`.
    void choose(int64_t t, int first, int step, int64_t count, int64_t column = 0) const {
        for (int64_t i = 0; i < count; ++i)
            *index(t, column + i) = static_cast<int32_t>(first + i * step);
    }

    // Element c of the cached row of a token's position, as a double.
    double key(int64_t t, int p, int c) const {
        const int32_t slot = cache.slot(static_cast<int>(element(sequences, t)), p);
        const uint8_t* row = cache.block(slot) + slot % cache.block_tokens * cache.bytes;
        float scale = 1;
        bf16 half;
        switch (format) {
            case LatentFormat::f32: std::memcpy(&scale, row + c * 4, 4); return scale;
            case LatentFormat::bf16: std::memcpy(&half, row + c * 2, 2); return to_float(half);
            case LatentFormat::fp8: break;
        }
        if (c >= kC) {
            std::memcpy(&half, row + 528 + (c - kC) * 2, 2);
            return to_float(half);
        }
        std::memcpy(&scale, row + kC + c / 128 * 4, 4);
        return double{to_float(f8e4m3{row[c]})} * scale;
    }

    LatentFormat format;
    int64_t T, H, K;
    PagedCache cache;
    HostTensor kv, q, sequences, indices;
};

// The formula in double: o [H, kC] and lse [H] of one token.
struct Want {
    Want(const World& w, int64_t t) : o(w.H * kC), lse(w.H, kInf) {
        std::vector<double> keys, score;
        for (int64_t i = 0; i < w.K; ++i)
            if (const int p = *w.index(t, i); p >= 0)
                for (int c = 0; c < kC + kR; ++c) keys.push_back(w.key(t, p, c));
        const size_t n = keys.size() / (kC + kR);
        if (n == 0) return;
        for (int64_t h = 0; h < w.H; ++h) {
            double q[kC + kR], top = -kInf, sum = 0;
            for (int c = 0; c < kC + kR; ++c)
                q[c] = element(w.q, (t * w.H + h) * (kC + kR + 16) + c);
            score.assign(n, 0);
            for (size_t i = 0; i < n; ++i) {
                for (int c = 0; c < kC + kR; ++c) score[i] += q[c] * keys[i * (kC + kR) + c];
                score[i] *= kScale;
                top = std::max(top, score[i]);
            }
            for (double x : score) sum += std::exp(x - top);
            for (size_t i = 0; i < n; ++i)
                for (int c = 0; c < kC; ++c)
                    o[h * kC + c] += std::exp(score[i] - top) / sum * keys[i * (kC + kR) + c];
            lse[h] = top + std::log(sum);
        }
    }
    std::vector<double> o, lse;
};

using Op = void (*)(Stream&, Tensor, Tensor, Tensor, Tensor, Tensor, const PagedTokens&, Tensor,
                    LatentFormat, float);

struct Result {
    HostTensor o, lse;
};

Result run(const World& w, DType o_dtype, Op op = ops::sparse_attention, int threads = 2) {
    CpuStream s(threads);
    Result r{poisoned(o_dtype, {w.T, w.H, kC}), poisoned(DType::f32, {w.T, w.H})};
    const auto [q_latent, q_pe] = w.queries();
    op(s, r.o, r.lse, q_latent, q_pe, w.cache.tokens(), w.at(), w.indices, w.format, kScale);
    return r;
}

void expect_formula(const World& w, DType o_dtype, Op op) {
    const Result got = run(w, o_dtype, op);
    auto want = allocate(DType::f64, {w.T, w.H, kC});
    for (int64_t t = 0; t < w.T; ++t) {
        const Want token(w, t);
        std::copy(token.o.begin(), token.o.end(), want.view.as<double>() + t * w.H * kC);
        for (int64_t h = 0; h < w.H; ++h) {
            const double lse = token.lse[h], got_lse = element(got.lse, t * w.H + h);
            if (lse == kInf) {
                ASSERT_EQ(got_lse, kInf);
            } else {
                ASSERT_NEAR(got_lse, lse, 3e-6 * std::max(1.0, std::abs(lse))) << t << ", " << h;
            }
        }
    }
    // An error of a score of size 10, some 1e-6, is a relative error of its probability.
    constexpr Tolerance kSums{.rel = 5e-5, .rms = 5e-6, .scale = 2e-6};
    EXPECT_EQ(compare(got.o, want, o_dtype == DType::f32 ? kSums : kBf16), "")
        << "H = " << w.H << ", format " << static_cast<int>(w.format);
}

World mixed_world(LatentFormat format, DType q_dtype, int H, int block_tokens) {
    World w(format, q_dtype, H, block_tokens, 200, 6, 150);
    w.choose(0, 0, 1, 150);       // Dense.
    w.choose(1, 3, 2, 65);        // One more than a tile.
    w.choose(2, 199, 1, 1);       // One key.
    w.choose(4, 1, 3, 20, 10);    // Holes before and behind; token 3 has none at all.
    w.choose(4, 100, 5, 20, 80);  // And in between.
    w.choose(5, 0, 1, 64);
    return w;
}

TEST(SparseAttention, Formula) {
    for (LatentFormat format : {LatentFormat::f32, LatentFormat::bf16, LatentFormat::fp8})
        for (DType q_dtype : {DType::f32, DType::bf16})
            for (int H : {1, 4, 16, 23}) {
                const World w = mixed_world(format, q_dtype, H, H == 4 ? 16 : 64);
                for (DType o_dtype : {DType::f32, DType::bf16})
                    expect_formula(w, o_dtype, ops::sparse_attention);
                expect_formula(w, DType::f32, cpu::plain::sparse_attention);
            }
}

TEST(SparseAttention, ModelSizes) {
    World w(LatentFormat::fp8, DType::bf16, 128, 64, 2100, 1, 2048);
    w.choose(0, 5, 1, 2048);
    expect_formula(w, DType::f32, ops::sparse_attention);
}

// A row of scores that a softmax without its maximum cannot take, early and late peaks.
TEST(SparseAttention, LargeScores) {
    for (DType dtype : {DType::f32, DType::bf16}) {
        World w(LatentFormat::bf16, dtype, 4, 64, 400, 2, 400);
        for (int64_t i = 0; i < count_of(w.q); ++i)
            set(w.q, i, static_cast<float>(element(w.q, i)) * 20);
        w.choose(0, 0, 1, 400);
        w.choose(1, 399, -1, 400);
        const Result got = run(w, DType::f32);
        for (int64_t t = 0; t < 2; ++t) {
            const Want want(w, t);
            for (int64_t h = 0; h < 4; ++h)
                ASSERT_NEAR(element(got.lse, t * 4 + h), want.lse[h], 2e-6 * want.lse[h]);
            for (int64_t i = 0; i < 4 * kC; ++i)
                ASSERT_NEAR(element(got.o, t * 4 * kC + i), want.o[i], 1e-3);
        }
    }
}

void expect_same_bits(const Result& a, int64_t t_a, const Result& b, int64_t t_b, int64_t H,
                      const char* what) {
    ASSERT_EQ(std::memcmp(a.o.view.rows(t_a, t_a + 1).data, b.o.view.rows(t_b, t_b + 1).data,
                          H * kC * size_of(a.o.view.dtype)),
              0)
        << what << ", token " << t_b;
    ASSERT_EQ(
        std::memcmp(a.lse.view.rows(t_a, t_a + 1).data, b.lse.view.rows(t_b, t_b + 1).data, H * 4),
        0)
        << what << ", lse of token " << t_b;
}

// Token t of w alone, its cache cut into blocks of another size.
Result alone(const World& w, int64_t t, int tokens, int block_tokens, int threads) {
    World one(w.format, w.q.view.dtype, static_cast<int>(w.H), block_tokens, tokens, 1, w.K);
    one.sequences.view.as<int32_t>()[0] = w.sequences.view.as<int32_t>()[t];
    std::memcpy(one.q.view.data, w.q.view.rows(t, t + 1).data,
                w.q.view.stride[0] * size_of(w.q.view.dtype));
    std::memcpy(one.index(0, 0), w.index(t, 0), w.K * 4);
    return run(one, w.q.view.dtype, ops::sparse_attention, threads);
}

// Two chunks of a dense prompt, then tokens that chose, as a batch has them.
TEST(SparseAttention, BitsDoNotDependOnBatchBlocksOrThreads) {
    constexpr int kTokens = 1200, kT = 26;
    for (auto [format, dtype, H] : {std::tuple{LatentFormat::fp8, DType::bf16, 16},
                                    {LatentFormat::fp8, DType::bf16, 36},
                                    {LatentFormat::bf16, DType::bf16, 4},
                                    {LatentFormat::f32, DType::f32, 16}}) {
        World w(format, dtype, H, 64, kTokens, kT, 1100);
        for (int t = 0; t < kT; ++t) {
            w.sequences.view.as<int32_t>()[t] = t >= 13;
            if (t < 20) w.choose(t, 0, 1, 60 + t);
        }
        w.choose(20, 7, 1, 1025);
        w.choose(21, 7, 1, 1025);
        w.choose(22, 7, 1, 600);
        w.choose(23, 0, 3, 400);
        w.choose(25, 0, 1, 1100);
        const Result two = run(w, dtype), one = run(w, dtype, ops::sparse_attention, 1);
        for (int64_t t = 0; t < kT; ++t) {
            expect_same_bits(one, t, two, t, H, "threads");
            const int block_tokens = std::array{16, 32, 64, 128}[t % 4];
            expect_same_bits(alone(w, t, kTokens, block_tokens, 1 + t / 4 % 2), 0, two, t, H,
                             "alone");
        }
    }
}

TEST(SparseAttention, HolesChangeNothing) {
    World a(LatentFormat::fp8, DType::bf16, 4, 64, 200, 1, 150);
    World b(LatentFormat::fp8, DType::bf16, 4, 64, 200, 1, 150);
    a.choose(0, 3, 2, 70);
    for (int i = 0; i < 70; ++i) *b.index(0, 2 * i + 5) = 3 + 2 * i;
    expect_same_bits(run(a, DType::f32), 0, run(b, DType::f32), 0, 4, "holes");
}

TEST(SparseAttention, Goldens) {
    const Golden golden("ops/sparse_attention.safetensors");
    const Tensor want = golden["out"], want_lse = golden["lse"];
    const int64_t T = 3, H = 16, tokens = golden["latent_656"].dim(0);
    CpuStream s;
    PagedCache cache(1, static_cast<int>(tokens), 64, 656);
    for (int p = 0; p < tokens; ++p)
        std::memcpy(cache.block(cache.slot(0, p)) + p % 64 * 656,
                    golden["latent_656"].as<uint8_t>() + p * 656, 656);
    const HostTensor sequences = ints({0, 0, 0});
    const auto scale =
        static_cast<float>(std::pow(192, -0.5) * std::pow(0.1 * std::log(40.0) + 1, 2));
    for (Op op : {Op{ops::sparse_attention}, Op{cpu::plain::sparse_attention}}) {
        auto o = poisoned(DType::f32, {T, H, kC}), lse = poisoned(DType::f32, {T, H});
        op(s, o, lse, golden["q_latent"], golden["q_pe"], cache.tokens(),
           {{}, sequences, cache.tables, 64}, golden["indices"], LatentFormat::fp8, scale);
        for (int64_t row = 0; row < T * H; ++row) {
            double error = 0, size = 0;
            for (int64_t i = row * kC; i < (row + 1) * kC; ++i) {
                error += std::pow(element(o, i) - element(want, i), 2);
                size += std::pow(element(want, i), 2);
            }
            ASSERT_LE(error, 1e-10 * size) << "row " << row;
            ASSERT_NEAR(element(lse, row), element(want_lse, row), 1e-5);
        }
    }
}

TEST(SparseAttention, ExpIsWithinTwoUlp) {
    for (int i = 0; i < 100000; ++i) {
        const float x = -87.3f * static_cast<float>(i) / 100000;
        float got[8];
        F32x8::store(got, cpu::exp_negative<F32x8>(F32x8::set1(x)));
        const auto nearest = static_cast<float>(std::exp(double{x}));
        const float ulp = std::nextafter(nearest, 2.0f) - nearest;
        ASSERT_LE(std::abs(got[3] - std::exp(double{x})), 2 * ulp) << x;
    }
    float got[8];
    F32x8::store(got, cpu::exp_negative<F32x8>(F32x8::set1(-88)));
    EXPECT_EQ(got[0], 0);
    F32x8::store(got,
                 cpu::exp_negative<F32x8>(F32x8::set1(-std::numeric_limits<float>::infinity())));
    EXPECT_EQ(got[0], 0);
    F32x8::store(got, cpu::exp_negative<F32x8>(F32x8::set1(std::nanf(""))));
    EXPECT_TRUE(std::isnan(got[0]));
}

TEST(SparseAttention, LseIsOptional) {
    const World w = mixed_world(LatentFormat::fp8, DType::bf16, 4, 64);
    CpuStream s;
    auto o = poisoned(DType::bf16, {w.T, w.H, kC});
    const auto [q_latent, q_pe] = w.queries();
    ops::sparse_attention(s, o, {}, q_latent, q_pe, w.cache.tokens(), w.at(), w.indices, w.format,
                          kScale);
    EXPECT_EQ(compare(o, run(w, DType::bf16).o, kExact), "");
}

TEST(SparseAttention, NoTokensNoWork) {
    const World w = mixed_world(LatentFormat::fp8, DType::bf16, 4, 64);
    CpuStream s;
    auto o = poisoned(DType::bf16, {1, w.H, kC});
    const auto [q_latent, q_pe] = w.queries();
    PagedTokens at = w.at();
    at.sequences = w.sequences.view.rows(0, 0);
    ops::sparse_attention(s, o.view.rows(0, 0), {}, q_latent.rows(0, 0), q_pe.rows(0, 0),
                          w.cache.tokens(), at, w.indices.view.rows(0, 0), w.format, kScale);
    EXPECT_TRUE(std::isnan(element(o, 0)));
}

TEST(SparseAttentionDeathTest, RefusesWhatIsNotThere) {
    World w(LatentFormat::fp8, DType::bf16, 4, 64, 128, 1, 8);
    *w.index(0, 0) = 128;
    EXPECT_DEATH(run(w, DType::bf16, ops::sparse_attention, 1), "position 128");
    *w.index(0, 0) = 5;
    w.cache.tables.view.as<int32_t>()[0] = 7;
    EXPECT_DEATH(run(w, DType::bf16, ops::sparse_attention, 1), "block 7 of 7");
    w.sequences.view.as<int32_t>()[0] = 2;
    EXPECT_DEATH(run(w, DType::bf16, ops::sparse_attention, 1), "sequence 2 of 2");
}

}  // namespace
}  // namespace fathom
