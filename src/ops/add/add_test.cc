#include "ops/add/add.h"

#include <gtest/gtest.h>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"

namespace fathom {
namespace {

using namespace testing;

TEST(Add, SumsAndRoundsOnce) {
    CpuStream s;
    for (DType dtype : {DType::f32, DType::bf16}) {
        auto wide = poisoned(dtype, {3, 24}), b = normal(dtype, {3, 16}, 2);
        const auto [y, right] = wide.view.split_last(16, 8);
        auto a = normal(dtype, {3, 16}, 1), want = allocate(dtype, {3, 16});
        for (int64_t i = 0; i < 3 * 16; ++i)
            set(want, i, static_cast<float>(element(a, i) + element(b, i)));
        ops::add(s, y, a, b);
        EXPECT_EQ(compare(y, want, kExact), "");
        EXPECT_TRUE(std::isnan(element(right, 0))) << "wrote past D";
        ops::add(s, a, a, b);
        EXPECT_EQ(compare(a, want, kExact), "");
    }
}

TEST(Add, NoTokensNoWork) {
    CpuStream s;
    auto a = normal(DType::f32, {2, 4}, 1), y = poisoned(DType::f32, {2, 4});
    ops::add(s, y.view.rows(0, 0), a.view.rows(0, 0), a.view.rows(0, 0));
    EXPECT_TRUE(std::isnan(element(y, 0)));
}

}  // namespace
}  // namespace fathom
