#include "ops/set_zero/set_zero.h"

#include <gtest/gtest.h>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"

namespace fathom {
namespace {

using namespace testing;

TEST(SetZero, ZeroesItsColumnsAndNoOther) {
    CpuStream s;
    for (DType dtype : {DType::f32, DType::bf16}) {
        auto wide = poisoned(dtype, {3, 24});
        const auto [left, right] = wide.view.split_last(16, 8);
        ops::set_zero(s, left.rows(0, 0));
        EXPECT_TRUE(std::isnan(element(left, 0)));
        ops::set_zero(s, left);
        EXPECT_EQ(compare(left, zeros(dtype, {3, 16}), kExact), "");
        for (int64_t i = 0; i < 3 * 8; ++i) EXPECT_TRUE(std::isnan(element(right, i)));
    }
}

}  // namespace
}  // namespace fathom
