#include "ops/topk/topk.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/golden.h"
#include "testing/random.h"

namespace fathom {
namespace {

using namespace testing;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// By the words of the contract: groups of equal value, best first, each taken from its front.
std::vector<int32_t> formula(const float* row, int64_t length, int64_t K) {
    std::map<double, std::vector<int32_t>, std::greater<>> by_value;
    for (int32_t p = 0; p < length; ++p)
        if (row[p] > -kInf) by_value[row[p] == 0 ? 0.0 : row[p]].push_back(p);
    std::vector<int32_t> chosen;
    for (const auto& [value, group] : by_value)
        for (int32_t p : group)
            if (static_cast<int64_t>(chosen.size()) < K) chosen.push_back(p);
    std::sort(chosen.begin(), chosen.end());
    chosen.resize(K, -1);
    return chosen;
}

HostTensor ints(const std::vector<int32_t>& values) {
    HostTensor t = allocate(DType::i32, {static_cast<int64_t>(values.size())});
    std::copy(values.begin(), values.end(), t.view.as<int32_t>());
    return t;
}

using Op = void (*)(Stream&, Tensor, Tensor, Tensor);

void expect_formula(const Tensor& logits, const std::vector<int32_t>& positions, int64_t K,
                    Op op = ops::topk, int threads = 2) {
    CpuStream s(threads);
    const int64_t T = logits.dim(0);
    auto wide = poisoned(DType::i32, {T, K + 5});
    const auto [indices, canaries] = wide.view.split_last(K, 5);
    op(s, indices, logits, ints(positions));
    for (int64_t t = 0; t < T; ++t) {
        const int32_t* got = indices.as<int32_t>() + t * indices.row_stride();
        const float* row = logits.as<float>() + t * logits.row_stride();
        ASSERT_EQ(std::vector<int32_t>(got, got + K), formula(row, positions[t] + 1, K))
            << "row " << t << " of " << positions[t] + 1 << ", K = " << K;
        for (int i = 0; i < 5; ++i) ASSERT_EQ(got[K + i], -99);
    }
}

TEST(TopK, Goldens) {
    const Golden golden("ops/topk.safetensors");
    const int64_t T = golden["scores"].dim(0), P = golden["scores"].dim(1);
    CpuStream s;
    auto logits = allocate(DType::f32, {T, P}), got = poisoned(DType::i32, {T, 64});
    for (int64_t i = 0; i < T * P; ++i)
        set(logits, i, static_cast<float>(element(golden["scores"], i)));
    for (Op op : {Op{ops::topk}, Op{cpu::plain::topk}}) {
        op(s, got, logits, ints(std::vector<int32_t>(T, static_cast<int32_t>(P - 1))));
        EXPECT_EQ(compare(got, golden["indices"], kExact), "");
    }
}

// Rows that are hard for one method or another. What lies beyond the position is tempting.
HostTensor hard_rows(int64_t P) {
    auto normal_row = normal(DType::f32, {P}, 7);
    const float* random = normal_row.view.as<float>();
    const auto value = [&](int kind, int64_t p) -> float {
        const auto i = static_cast<float>(p);
        switch (kind) {
            case 0: return random[p];
            case 1: return std::round(random[p] * 2);
            case 2: return 1;
            case 3: return i;
            case 4: return -i;
            case 5: return p % 2 == 0 ? 0.0f : -0.0f;
            case 6: return 1 + i * 0x1p-22f;
            case 7: return p % 3 == 0 ? random[p] : -kInf;
            case 8: return p % 5 == 0 ? random[p] : (p % 5 == 1 ? kNan : -kNan);
            case 9: return i * 1e-42f;
            case 10: return std::ldexp(random[p], static_cast<int>(p % 200) - 100);
            case 11: return p % 7 == 0 ? kInf : random[p];
            case 12: return p % 1024 < 8 ? 100 + random[p] : random[p];  // Peaks in few places.
            case 13: return p > P - 60 ? 2.0f : 1.0f;
            default: return kNan;
        }
    };
    auto rows = allocate(DType::f32, {15, P + 16});
    for (int64_t t = 0; t < 15; ++t)
        for (int64_t p = 0; p < P + 16; ++p)
            rows.view.as<float>()[t * (P + 16) + p] = p < P ? value(static_cast<int>(t), p) : 3e38f;
    return rows;
}

TEST(TopK, HardRowsOfManyLengths) {
    for (int64_t P : {1, 2, 63, 64, 65, 300, 2048, 2049, 5000, 40000})
        for (int64_t K : {1, 64, 2048}) {
            auto rows = hard_rows(P);
            const std::vector<int32_t> positions(15, static_cast<int32_t>(P - 1));
            expect_formula(rows, positions, K);
            if (P <= 5000) expect_formula(rows, positions, K, cpu::plain::topk, 1);
        }
}

// A sample at equal distances sees only numbers that are not typical.
TEST(TopK, SamplesThatMislead) {
    constexpr int64_t kP = 40960;
    auto logits = normal(DType::f32, {2, kP}, 13);
    for (int64_t p = 0; p < kP; p += 40) {
        logits.view.as<float>()[p] -= 50;
        logits.view.as<float>()[kP + p] += 50;
    }
    for (int64_t K : {64, 1024, 2048}) expect_formula(logits, {kP - 1, kP - 1}, K);
}

TEST(TopK, RaggedRowsStopAtTheirPositions) {
    auto logits = normal(DType::f32, {9, 6000}, 11);
    expect_formula(logits, {0, 1, 2047, 2048, 2049, 100, 5999, 3000, 4095}, 2048);
    expect_formula(logits, {0, 1, 2047, 2048, 2049, 100, 5999, 3000, 4095}, 2048, ops::topk, 1);
}

TEST(TopK, LongContext) {
    auto logits = normal(DType::f32, {2, 163840}, 12);
    expect_formula(logits, {163839, 131072}, 2048);
}

TEST(TopK, NoTokensNoWork) {
    CpuStream s;
    auto logits = normal(DType::f32, {1, 8}, 1), indices = poisoned(DType::i32, {1, 4});
    ops::topk(s, indices.view.rows(0, 0), logits.view.rows(0, 0), ints({0}).view.rows(0, 0));
    EXPECT_EQ(element(indices, 0), -99);
}

TEST(TopKDeathTest, RefusesAPositionBeyondTheRow) {
    CpuStream s(1);
    auto logits = normal(DType::f32, {1, 8}, 1), indices = poisoned(DType::i32, {1, 4});
    EXPECT_DEATH(ops::topk(s, indices, logits, ints({8})), "position 8");
}

}  // namespace
}  // namespace fathom
