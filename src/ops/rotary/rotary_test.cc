#include "ops/rotary/rotary.h"

#include <gtest/gtest.h>

#include <complex>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;
using testing::same_bits;

struct Case {
    DType dtype;
    Rope rope;
};

class Rotary : public ::testing::TestWithParam<Case> {
protected:
    testing::CpuStream s_;
};

// The pairs as complex numbers, times e^(i angle).
HostTensor expected(const Tensor& x, const Tensor& cis, Rope rope) {
    const int64_t T = x.dim(0), H = x.dim(1), R = x.dim(2);
    HostTensor y = testing::allocate(DType::f64, {T, H, R});
    for (int64_t t = 0; t < T; ++t)
        for (int64_t h = 0; h < H; ++h)
            for (int64_t i = 0; i < R / 2; ++i) {
                const int64_t base = (t * H + h) * R;
                const int64_t a = base + (rope == Rope::half ? i : 2 * i);
                const int64_t b = rope == Rope::half ? a + R / 2 : a + 1;
                const std::complex<double> turn(element(cis, t * R + 2 * i),
                                                element(cis, t * R + 2 * i + 1));
                const auto z = std::complex<double>(element(x, a), element(x, b)) * turn;
                y.view.as<double>()[a] = z.real();
                y.view.as<double>()[b] = z.imag();
            }
    return y;
}

HostTensor some_cis(int64_t T, int64_t R) {
    HostTensor cis = testing::allocate(DType::f32, {T, R / 2, 2});
    for (int64_t i = 0; i < T * R / 2; ++i) {
        testing::set(cis, 2 * i, std::cos(0.37f * static_cast<float>(i)));
        testing::set(cis, 2 * i + 1, std::sin(0.37f * static_cast<float>(i)));
    }
    return cis;
}

TEST_P(Rotary, StridedHeadsMatchFormula) {  // The last R columns of every head, as in MLA.
    const auto [dtype, rope] = GetParam();
    for (const int64_t R : {2, 6, 64})
        for (const int64_t T : {1, 3, 40}) {
            const int64_t H = 5, nope = 11;
            auto q = testing::normal(dtype, {T, H, nope + R}, 1);
            const auto [left, right] = q.view.split_last(nope, R);
            const auto cis = some_cis(T, R);
            const auto want = expected(right, cis, rope);
            const auto old = testing::converted(left, dtype);
            ops::rotary(s_, right, cis, rope);
            EXPECT_LE(testing::worst_of_row(right, want), dtype == DType::bf16 ? 4e-3 : 2e-7);
            EXPECT_EQ(same_bits(left, old), "") << "wrote beside the head";
        }
}

TEST_P(Rotary, BatchedIsAlone) {
    const auto [dtype, rope] = GetParam();
    const int64_t T = 70, H = 16, R = 64;
    auto x = testing::normal(dtype, {T, H, R}, 1), alone = testing::normal(dtype, {T, H, R}, 1);
    const auto cis = some_cis(T, R);
    ops::rotary(s_, x, cis, rope);
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; ++t)
        ops::rotary(one, alone.view.rows(t, t + 1), cis.view.rows(t, t + 1), rope);
    EXPECT_EQ(same_bits(alone, x), "");
}

TEST_P(Rotary, Golden) {
    const auto [dtype, rope] = GetParam();
    const testing::Golden golden("ops/rope.safetensors");
    const Tensor want = golden[rope == Rope::half ? "y_half" : "y_interleaved"];
    const int64_t T = want.dim(0), R = want.dim(2);
    auto cis = testing::allocate(DType::f32, {T, R / 2, 2});
    for (int64_t i = 0; i < T * R / 2; ++i) {
        testing::set(cis, 2 * i, static_cast<float>(element(golden["cos"], i)));
        testing::set(cis, 2 * i + 1, static_cast<float>(element(golden["sin"], i)));
    }
    auto x = testing::converted(golden["x"], dtype);
    ops::rotary(s_, x, cis, rope);
    if (dtype == DType::bf16)
        EXPECT_LE(testing::worst_ulps(x, want), 1);
    else
        EXPECT_LE(testing::worst_of_row(x, want), 1e-6);
}

TEST_P(Rotary, NoTokensNoHeads) {
    const auto [dtype, rope] = GetParam();
    ops::rotary(s_, testing::zeros(dtype, {0, 2, 4}), testing::zeros(DType::f32, {0, 2, 2}), rope);
    ops::rotary(s_, testing::zeros(dtype, {2, 0, 4}), testing::zeros(DType::f32, {2, 2, 2}), rope);
}

INSTANTIATE_TEST_SUITE_P(All, Rotary,
                         ::testing::Values(Case{DType::bf16, Rope::interleaved},
                                           Case{DType::bf16, Rope::half},
                                           Case{DType::f32, Rope::interleaved},
                                           Case{DType::f32, Rope::half}));

}  // namespace
}  // namespace fathom
