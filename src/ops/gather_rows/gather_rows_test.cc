#include "ops/gather_rows/gather_rows.h"

#include <gtest/gtest.h>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"

namespace fathom {
namespace {

using namespace testing;

TEST(GatherRows, TakesTheNamedRowsOfAStridedTensor) {
    CpuStream s;
    for (DType dtype : {DType::f32, DType::bf16}) {
        auto wide = normal(dtype, {5, 24}, 1);
        const Tensor x = wide.view.split_last(16, 8)[0];
        auto rows = zeros(DType::i32, {3});
        const int32_t named[] = {4, 0, 4};
        std::copy(named, named + 3, rows.view.as<int32_t>());
        auto y = poisoned(dtype, {3, 16});
        ops::gather_rows(s, y, x, rows);
        for (int r = 0; r < 3; ++r)
            EXPECT_EQ(compare(y.view.rows(r, r + 1), x.rows(named[r], named[r] + 1), kExact), "");
    }
}

TEST(GatherRows, RefusesARowThatIsNotThere) {
    CpuStream s;
    auto x = zeros(DType::f32, {2, 4}), y = zeros(DType::f32, {1, 4}),
         rows = zeros(DType::i32, {1});
    rows.view.as<int32_t>()[0] = 2;
    EXPECT_DEATH(ops::gather_rows(s, y, x, rows), "row 2 of");
}

TEST(GatherRows, NoRowsNoWork) {
    CpuStream s;
    auto x = normal(DType::f32, {2, 4}, 1), y = poisoned(DType::f32, {1, 4});
    auto rows = zeros(DType::i32, {1});
    ops::gather_rows(s, y.view.rows(0, 0), x, rows.view.rows(0, 0));
    EXPECT_TRUE(std::isnan(y.view.as<float>()[0]));
}

}  // namespace
}  // namespace fathom
