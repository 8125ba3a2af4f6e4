#include "engine/engine_stats.h"

#include <gtest/gtest.h>

#include <numeric>

namespace fathom {
namespace {

TEST(StepTokens, ABoundBelongsToItsBucket) {
    StepTokens tokens;
    for (const int n : {0, 1, 2, 8, 9, 16384, 16385, 1 << 30}) tokens.add(n);
    EXPECT_EQ(tokens.counts[0], 2) << "at most 1";
    EXPECT_EQ(tokens.counts[1], 2) << "2 and 8";
    EXPECT_EQ(tokens.counts[2], 1) << "9";
    EXPECT_EQ(tokens.counts[12], 1) << "16384";
    EXPECT_EQ(tokens.counts[13], 2) << "more than all bounds";
    EXPECT_EQ(std::accumulate(tokens.counts.begin(), tokens.counts.end(), int64_t{0}), 8);
    EXPECT_EQ(tokens.sum, 20 + 16384 + 16385 + (int64_t{1} << 30));
}

}  // namespace
}  // namespace fathom
