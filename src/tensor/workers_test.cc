#include "tensor/workers.h"

#include <gtest/gtest.h>

#include <vector>

namespace fathom {
namespace {

TEST(Workers, EveryItemIsDoneOnce) {
    for (int threads : {1, 2, 5}) {
        Workers workers(threads);
        for (int64_t count : {0, 1, 2, 7, 100, 1001}) {
            for (int64_t grain : {1, 3, 2000}) {
                std::vector<std::atomic<int>> done(count);
                workers.parallel_for(count, grain, [&](int64_t begin, int64_t end, int worker) {
                    ASSERT_LT(worker, threads);
                    for (int64_t i = begin; i < end; ++i) done[i].fetch_add(1);
                });
                for (auto& times : done) ASSERT_EQ(times.load(), 1);
            }
        }
    }
}

TEST(Workers, ResultsAreSeenByTheCaller) {
    Workers workers(3);
    std::vector<int64_t> values(64);
    for (int64_t round = 0; round < 2000; ++round) {
        workers.parallel_for(64, 1, [&](int64_t begin, int64_t end, int) {
            for (int64_t i = begin; i < end; ++i) values[i] = round + i;
        });
        for (int64_t i = 0; i < 64; ++i) ASSERT_EQ(values[i], round + i);
    }
}

TEST(Workers, ScratchOfTwoWorkersDoesNotOverlap) {
    Workers workers(2);
    EXPECT_EQ(workers.scratch(1).data() - workers.scratch(0).data(),
              static_cast<ptrdiff_t>(Workers::kScratchBytes));
    EXPECT_DEATH(workers.scratch(2), "worker 2 of 2");
}

}  // namespace
}  // namespace fathom
