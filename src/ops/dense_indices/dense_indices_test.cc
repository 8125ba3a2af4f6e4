#include "ops/dense_indices/dense_indices.h"

#include <gtest/gtest.h>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"

namespace fathom {
namespace {

using namespace testing;

TEST(DenseIndices, CountsUpToThePosition) {
    CpuStream s;
    auto positions = zeros(DType::i32, {4});
    const int32_t at[] = {0, 2, 4, 1};
    std::copy(at, at + 4, positions.view.as<int32_t>());
    auto indices = poisoned(DType::i32, {4, 5});
    ops::dense_indices(s, indices, positions);
    for (int t = 0; t < 4; ++t)
        for (int i = 0; i < 5; ++i)
            EXPECT_EQ(indices.view.as<int32_t>()[t * 5 + i], i <= at[t] ? i : -1);
}

TEST(DenseIndices, RefusesAPositionBeyondK) {
    CpuStream s;
    auto positions = zeros(DType::i32, {1}), indices = zeros(DType::i32, {1, 5});
    positions.view.as<int32_t>()[0] = 5;
    EXPECT_DEATH(ops::dense_indices(s, indices, positions), "position 5 with K = 5");
}

TEST(DenseIndices, NoTokensNoWork) {
    CpuStream s;
    auto positions = zeros(DType::i32, {1}), indices = poisoned(DType::i32, {1, 5});
    ops::dense_indices(s, indices.view.rows(0, 0), positions.view.rows(0, 0));
    EXPECT_EQ(indices.view.as<int32_t>()[0], -99);
}

}  // namespace
}  // namespace fathom
