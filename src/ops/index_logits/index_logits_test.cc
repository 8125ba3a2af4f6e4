#include "ops/index_logits/index_logits.h"

#include <gtest/gtest.h>

#include "ops/store_index_keys/store_index_keys.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/golden.h"
#include "testing/paged_cache.h"

namespace fathom {
namespace {

using namespace testing;

constexpr int kD = 128;
constexpr IndexFormat kFormats[] = {IndexFormat::f32, IndexFormat::bf16, IndexFormat::fp8};

DType dtype_of(IndexFormat format) {
    constexpr DType kDTypes[] = {DType::f32, DType::bf16, DType::f8e4m3};
    return kDTypes[static_cast<int>(format)];
}

int64_t bytes_of(IndexFormat format) {
    KvLayout layout;
    layout.index = format;
    return layout.index_bytes();
}

HostTensor ints(const std::vector<int32_t>& values) {
    HostTensor t = allocate(DType::i32, {static_cast<int64_t>(values.size())});
    std::copy(values.begin(), values.end(), t.view.as<int32_t>());
    return t;
}

// A filled cache of some sequences and queries on it.
struct World {
    World(IndexFormat format, int H, int block_tokens, std::vector<int32_t> positions,
          std::vector<int32_t> sequences, int tokens_max)
        : format(format),
          T(static_cast<int64_t>(positions.size())),
          H(H),
          P(tokens_max + 7),
          cache(3, tokens_max, block_tokens, bytes_of(format)),
          keys(normal(DType::f32, {3, tokens_max, kD}, 5)),
          q(normal(dtype_of(format), {T, H + 1, kD}, 6)),  // A head more, so that rows are strided.
          weights(normal(DType::f32, {T, H}, 7)),
          positions(ints(positions)),
          sequences(ints(sequences)) {
        CpuStream s(1);
        for (int i = 0; i < 3; ++i) {
            std::vector<int32_t> slots;
            slots.reserve(tokens_max);
            for (int p = 0; p < tokens_max; ++p) slots.push_back(cache.slot(i, p));
            Tensor rows = keys.view.rows(i, i + 1).flatten(0);
            rows = view_of(rows.data, DType::f32, {tokens_max, kD});
            ops::store_index_keys(s, cache.whole_blocks(), rows, ints(slots), block_tokens, format);
        }
    }

    Tensor queries() const {
        Tensor view = q;
        view.shape[1] = H;
        return view;
    }
    PagedTokens at() const {
        return {.positions = positions,
                .sequences = sequences,
                .block_tables = cache.tables,
                .block_tokens = cache.block_tokens};
    }

    // The formula in double, of what the cache holds.
    double logit(int64_t t, int p) const {
        const auto sequence = static_cast<int>(element(sequences, t));
        const int32_t slot = cache.slot(sequence, p);
        const uint8_t* block = cache.block(slot);
        const int B = cache.block_tokens, offset = slot % B;
        Tensor key = view_of(nullptr, dtype_of(format), {kD});
        key.data = const_cast<uint8_t*>(block) + offset * kD * size_of(key.dtype);
        float scale = 1;
        if (format == IndexFormat::fp8)
            std::memcpy(&scale, block + B * kD + offset * 4, sizeof scale);
        double sum = 0;
        for (int64_t h = 0; h < H; ++h) {
            double dot = 0;
            for (int d = 0; d < kD; ++d)
                dot += element(q, (t * (H + 1) + h) * kD + d) * element(key, d);
            if (dot > 0) sum += element(weights, t * H + h) * dot;
        }
        return sum * scale;
    }

    IndexFormat format;
    int64_t T, H, P;
    PagedCache cache;
    HostTensor keys, q, weights, positions, sequences;
};

using Op = void (*)(Stream&, Tensor, Tensor, Tensor, Tensor, const PagedTokens&, IndexFormat);

HostTensor run(const World& w, Op op = ops::index_logits, int threads = 2) {
    CpuStream s(threads);
    HostTensor logits = poisoned(DType::f32, {w.T, w.P});
    op(s, logits, w.queries(), w.weights, w.cache.whole_blocks(), w.at(), w.format);
    return logits;
}

void expect_formula(const World& w, Op op) {
    const HostTensor logits = run(w, op);
    for (int64_t t = 0; t < w.T; ++t) {
        const auto length = static_cast<int64_t>(element(w.positions, t)) + 1;
        std::vector<double> want;
        double largest = 0;
        for (int p = 0; p < length; ++p) {
            want.push_back(w.logit(t, p));
            largest = std::max(largest, std::abs(want.back()));
        }
        for (int64_t p = 0; p < w.P; ++p) {
            const double got = element(logits, t * w.P + p);
            if (p < length) {
                ASSERT_NEAR(got, want[p], 2e-6 * largest) << t << ", " << p << ", H = " << w.H;
            } else {
                ASSERT_TRUE(std::isnan(got)) << "wrote beyond the position, " << t << ", " << p;
            }
        }
    }
}

TEST(IndexLogits, Formula) {
    for (IndexFormat format : kFormats)
        for (int H : {1, 16, 21, 64})
            for (int block_tokens : {16, 64}) {
                const World w(format, H, block_tokens, {0, 63, 64, 65, 130, 129, 5},
                              {0, 1, 1, 1, 2, 2, 0}, 131);
                expect_formula(w, ops::index_logits);
                expect_formula(w, cpu::plain::index_logits);
            }
}

// Element by element: a token's logits are those of a batch, bit for bit.
void expect_same_bits(const HostTensor& a, int64_t row_a, const HostTensor& b, int64_t row_b,
                      int64_t length, const char* what) {
    const auto* x = a.view.as<uint32_t>() + row_a * a.view.row_stride();
    const auto* y = b.view.as<uint32_t>() + row_b * b.view.row_stride();
    for (int64_t p = 0; p < length; ++p) ASSERT_EQ(x[p], y[p]) << what << ", position " << p;
}

// Token t of w alone, in a world with blocks of another size.
HostTensor alone(const World& w, int64_t t, int block_tokens, int threads) {
    World one(w.format, static_cast<int>(w.H), block_tokens,
              {static_cast<int32_t>(element(w.positions, t))},
              {static_cast<int32_t>(element(w.sequences, t))}, static_cast<int>(w.P) - 7);
    std::memcpy(one.q.view.data, w.q.view.rows(t, t + 1).data,
                (w.H + 1) * kD * size_of(w.q.view.dtype));
    std::memcpy(one.weights.view.data, w.weights.view.rows(t, t + 1).data, w.H * 4);
    return run(one, ops::index_logits, threads);
}

TEST(IndexLogits, BitsDoNotDependOnBatchBlocksOrThreads) {
    std::vector<int32_t> positions, sequences;
    for (int t = 0; t < 19; ++t) positions.push_back(1280 + t), sequences.push_back(1);
    for (int t = 0; t < 3; ++t) positions.push_back(400 * t), sequences.push_back(2 - t);
    for (IndexFormat format : kFormats) {
        const World w(format, 16, 64, positions, sequences, 1300);
        const HostTensor two = run(w), one = run(w, ops::index_logits, 1);
        for (int64_t t = 0; t < w.T; ++t) {
            const auto length = static_cast<int64_t>(element(w.positions, t)) + 1;
            expect_same_bits(one, t, two, t, length, "threads");
            const int block_tokens = std::array{16, 32, 64, 128}[t % 4];
            expect_same_bits(alone(w, t, block_tokens, 1 + t % 2), 0, two, t, length, "alone");
        }
    }
}

TEST(IndexLogits, Goldens) {
    const Golden golden("ops/index_logits.safetensors");
    const Tensor want = golden["scores"], k_codes = golden["k_codes"];
    const int64_t T = want.dim(0), P = want.dim(1), H = 64;
    CpuStream s;
    PagedCache cache(1, static_cast<int>(P), 64, 132);
    for (int p = 0; p < P; ++p) {
        uint8_t* block = cache.block(cache.slot(0, p));
        std::memcpy(block + p % 64 * kD, k_codes.as<uint8_t>() + p * kD, kD);
        std::memcpy(block + 64 * kD + p % 64 * 4, golden["k_scale"].as<uint8_t>() + p * 4, 4);
    }
    auto q = allocate(DType::f8e4m3, {T, H, kD}), weights = allocate(DType::f32, {T, H});
    std::memcpy(q.view.data, golden["q_codes"].data, T * H * kD);
    std::memcpy(weights.view.data, golden["weights"].data, T * H * 4);
    const std::vector<int32_t> last(T, static_cast<int32_t>(P - 1)), zero(T, 0);
    const HostTensor positions = ints(last), sequences = ints(zero);
    for (Op op : {Op{ops::index_logits}, Op{cpu::plain::index_logits}}) {
        auto got = poisoned(DType::f32, {T, P});
        op(s, got, q, weights, cache.whole_blocks(), {positions, sequences, cache.tables, 64},
           IndexFormat::fp8);
        for (int64_t t = 0; t < T; ++t) {
            double largest = 0;
            for (int64_t p = 0; p < P; ++p)
                largest = std::max(largest, std::abs(element(want, t * P + p)));
            for (int64_t p = 0; p < P; ++p)
                ASSERT_NEAR(element(got, t * P + p), element(want, t * P + p), 1e-5 * largest);
        }
    }
}

TEST(IndexLogits, NaNIsNotHidden) {
    World w(IndexFormat::fp8, 16, 64, {40}, {0}, 41);
    w.q.view.as<uint8_t>()[5] = 0x7f;
    const HostTensor got = run(w);
    for (int p = 0; p < 41; ++p) EXPECT_TRUE(std::isnan(element(got, p)));
}

TEST(IndexLogits, NoTokensNoWork) {
    const World w(IndexFormat::fp8, 16, 64, {3}, {0}, 64);
    CpuStream s;
    auto logits = poisoned(DType::f32, {1, 64});
    const PagedTokens at{w.positions.view.rows(0, 0), w.sequences.view.rows(0, 0), w.cache.tables,
                         64};
    ops::index_logits(s, logits.view.rows(0, 0), w.queries().rows(0, 0), w.weights.view.rows(0, 0),
                      w.cache.whole_blocks(), at, w.format);
    EXPECT_TRUE(std::isnan(element(logits, 0)));
}

TEST(IndexLogitsDeathTest, RefusesWhatIsNotThere) {
    World w(IndexFormat::fp8, 16, 64, {40}, {0}, 64);
    w.sequences.view.as<int32_t>()[0] = 3;
    EXPECT_DEATH(run(w, ops::index_logits, 1), "sequence 3 of 3");
    w.sequences.view.as<int32_t>()[0] = 0;
    w.positions.view.as<int32_t>()[0] = 71;
    EXPECT_DEATH(run(w, ops::index_logits, 1), "position 71");
    w.positions.view.as<int32_t>()[0] = 64;
    EXPECT_DEATH(run(w, ops::index_logits, 1), "position 64");
    w.positions.view.as<int32_t>()[0] = 40;
    w.cache.tables.view.as<int32_t>()[0] = 6;
    EXPECT_DEATH(run(w, ops::index_logits, 1), "block 6 of 6");
}

}  // namespace
}  // namespace fathom
