#include "ops/embedding/embedding.h"

#include <gtest/gtest.h>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::HostTensor;

HostTensor ids(std::initializer_list<int> values) {
    HostTensor t = testing::allocate(DType::i32, {static_cast<int64_t>(values.size())});
    std::copy(values.begin(), values.end(), t.view.as<int32_t>());
    return t;
}

class Embedding : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;
};

TEST_P(Embedding, CopiesRowsAndZeroesTheMissing) {
    for (const int64_t D : {1, 13, 256, 7168}) {
        auto table = testing::normal(DType::bf16, {5, D + 3}, 1);
        const Tensor rows = table.view.split_last(D, 3)[0];
        auto y = testing::poisoned(GetParam(), {4, D + 3});
        const auto [left, right] = y.view.split_last(D, 3);
        ops::embedding(s_, left, ids({4, -1, 0, 4}), rows);
        for (int64_t i = 0; i < 4 * D; ++i) {
            const int64_t from[] = {4, -1, 0, 4};
            const int64_t row = from[i / D];
            ASSERT_EQ(testing::element(left, i),
                      row < 0 ? 0 : testing::element(rows, row * D + i % D))
                << i << " of D = " << D;
        }
        for (int64_t i = 0; i < 12; ++i) ASSERT_TRUE(std::isnan(testing::element(right, i)));
    }
}

TEST_P(Embedding, ManyRowsByTwoThreads) {
    const int64_t T = 300, D = 512;
    auto table = testing::normal(DType::bf16, {97, D}, 1);
    auto tokens = testing::allocate(DType::i32, {T});
    for (int64_t t = 0; t < T; ++t) tokens.view.as<int32_t>()[t] = static_cast<int>(t * 31 % 97);
    auto y = testing::poisoned(GetParam(), {T, D});
    ops::embedding(s_, y, tokens, table);
    for (int64_t i = 0; i < T * D; ++i)
        ASSERT_EQ(testing::element(y, i), testing::element(table, i / D * 31 % 97 * D + i % D));
}

TEST_P(Embedding, NoTokensNoWork) {
    auto y = testing::poisoned(GetParam(), {0, 8});
    ops::embedding(s_, y, ids({}), testing::zeros(DType::bf16, {3, 8}));
}

TEST_P(Embedding, DeathOfAnIdBeyondTheTable) {
    auto table = testing::zeros(DType::bf16, {3, 8});
    auto y = testing::poisoned(GetParam(), {1, 8});
    EXPECT_DEATH(ops::embedding(s_, y, ids({3}), table), "token 3 of 3");
    EXPECT_DEATH(ops::embedding(s_, y, ids({-2}), table), "token -2 of 3");
}

INSTANTIATE_TEST_SUITE_P(DTypes, Embedding, ::testing::Values(DType::bf16, DType::f32));

}  // namespace
}  // namespace fathom
