#include "ops/index_weights/index_weights.h"

#include <gtest/gtest.h>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"

namespace fathom {
namespace {

using namespace testing;

TEST(IndexWeights, FoldsFactorAndScale) {
    CpuStream s;
    for (int64_t T : {1, 3}) {
        auto w = normal(DType::f32, {T, 16}, 1), q = normal(DType::f32, {T, 16}, 2);
        auto want = allocate(DType::f64, {T, 16}), plain = allocate(DType::f64, {T, 16});
        for (int64_t i = 0; i < T * 16; ++i) {
            want.view.as<double>()[i] = element(w, i) * 0.3 * element(q, i);
            plain.view.as<double>()[i] = element(w, i) * 0.3;
        }
        auto w2 = normal(DType::f32, {T, 16}, 1);
        ops::index_weights(s, w, q, 0.3f);
        ops::index_weights(s, w2, Tensor{}, 0.3f);
        EXPECT_EQ(compare(w, want, kF32), "");
        EXPECT_EQ(compare(w2, plain, kF32), "");
    }
}

TEST(IndexWeights, NoTokensNoWork) {
    CpuStream s;
    auto canary = normal(DType::f32, {1, 8}, 1), same = normal(DType::f32, {1, 8}, 1);
    ops::index_weights(s, canary.view.rows(0, 0), Tensor{}, 2.0f);
    EXPECT_EQ(compare(canary, same, kExact), "");
}

}  // namespace
}  // namespace fathom
