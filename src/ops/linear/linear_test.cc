#include "ops/linear/linear.h"

#include <gtest/gtest.h>

#include "base/isa.h"
#include "ops/linear/gemm_kernels.h"
#include "ops/linear/linear_testing.h"

namespace fathom {
namespace {

using Kind = Linear::Kind;
using testing::allocate;
using testing::HostTensor;
using testing::same_bits;

bool is_int8(Kind kind) { return kind == Kind::w8a8_static || kind == Kind::w8a8_dynamic; }

// The kind of the weight, and the type of the activations.
class LinearOp : public ::testing::TestWithParam<std::tuple<Kind, DType>> {
protected:
    Kind kind() const { return std::get<0>(GetParam()); }
    DType dtype() const { return std::get<1>(GetParam()); }
    HostTensor run(const Tensor& x, const Linear& w, DType out = DType::f32) {
        HostTensor y = testing::poisoned(out, {x.dim(0), w.N});
        ops::linear(s_, y, x, w);
        return y;
    }
    // Sizes that fill panels, groups of panels and blocks of K, and sizes that do not.
    std::vector<std::pair<int64_t, int64_t>> sizes() const {
        std::vector<std::pair<int64_t, int64_t>> all = {
            {16, 128}, {64, 256}, {7, 128}, {200, 384}, {96, 1536}};
        if (kind() != Kind::fp8) all.insert(all.end(), {{33, 67}, {5, 1}, {48, 130}, {1, 260}});
        return all;
    }

    testing::CpuStream s_;
};

TEST_P(LinearOp, MatchesFormula) {
    for (const auto& [N, K] : sizes()) {
        const auto w = testing::random_linear(kind(), N, K, 1);
        for (const int64_t T : {1, 2, 3, 7, 17, 70}) {
            const auto x = testing::normal(dtype(), {T, K}, 2);
            HostTensor magnitude;
            const auto want = testing::expected(x, w, &magnitude);
            EXPECT_LE(testing::worst_of_sums(run(x, w.linear), want, magnitude), 4e-7)
                << T << " x " << N << " x " << K;
            // Rounded once: what rounding the f32 result gives.
            EXPECT_EQ(same_bits(run(x, w.linear, DType::bf16),
                                testing::converted(run(x, w.linear), DType::bf16)),
                      "");
        }
    }
}

TEST_P(LinearOp, IsThePlainOne) {
    for (const auto& [N, K] : sizes()) {
        const auto w = testing::random_linear(kind(), N, K, 3);
        const auto x = testing::normal(dtype(), {9, K}, 4);
        auto want = testing::poisoned(DType::f32, {9, N});
        cpu::plain::linear(s_, want, x, w.linear);
        HostTensor magnitude;
        testing::expected(x, w, &magnitude);
        const double bound = is_int8(kind()) ? 0 : 4e-7;
        EXPECT_LE(testing::worst_of_sums(run(x, w.linear), want, magnitude), bound)
            << N << " x " << K;
    }
}

TEST_P(LinearOp, ARowAloneIsTheRowInABatch) {  // In any batch, on any number of threads.
    const int64_t T = 512, N = 208, K = 640;
    const auto w = testing::random_linear(kind(), N, K, 5);
    const auto x = testing::normal(dtype(), {T, K}, 6);
    const auto all = run(x, w.linear);
    testing::CpuStream one(1);
    for (const int64_t batch : {1, 2, 3, 7, 17, 64, 512})
        for (int64_t t = 0; t + batch <= std::min<int64_t>(T, 4 * batch); t += batch) {
            auto part = testing::poisoned(DType::f32, {batch, N});
            ops::linear(one, part, x.view.rows(t, t + batch), w.linear);
            ASSERT_EQ(same_bits(part, all.view.rows(t, t + batch)), "") << t << " + " << batch;
        }
}

TEST_P(LinearOp, AnOutputAloneIsTheOutputInAWholeWeight) {  // As a rank's share is.
    const int64_t N = 128 + 48, K = 256;
    auto w = testing::random_linear(kind(), N, K, 7);
    const auto x = testing::normal(dtype(), {5, K}, 8);
    const auto all = run(x, w.linear);
    testing::LinearOwner part;
    part.weight = allocate(w.weight.view.dtype, {48, K});
    std::memcpy(part.weight.view.data, w.weight.view.rows(128, N).data,
                48 * K * size_of(w.weight.view.dtype));
    pack(part, kind());
    if (kind() != Kind::bf16) {
        const int64_t first = is_int8(kind()) ? 128 : 1;
        part.linear.scale = w.linear.scale.rows(first, w.linear.scale.dim(0));
    }
    if (kind() == Kind::w8a8_static) {
        part.linear.quant_bias = w.linear.quant_bias.rows(128, N);
        part.linear.input_scale = w.linear.input_scale;
        part.linear.input_offset = w.linear.input_offset;
    }
    EXPECT_EQ(same_bits(run(x, part.linear), all.view.split_last(128, 48)[1]), "");
}

TEST_P(LinearOp, StridedViews) {
    const int64_t T = 13, N = 72, K = 128;
    const auto w = testing::random_linear(kind(), N, K, 9);
    const auto wide = testing::normal(dtype(), {T, 9 + K + 6}, 10);
    const Tensor x = wide.view.split_last(9, K + 6)[1].split_last(K, 6)[0];
    auto out = testing::poisoned(dtype(), {T, 3 + N + 5});
    const auto before = testing::converted(out, dtype());
    const Tensor y = out.view.split_last(3, N + 5)[1].split_last(N, 5)[0];
    ops::linear(s_, y, x, w.linear);
    EXPECT_EQ(same_bits(y, run(testing::converted(x, dtype()), w.linear, dtype())), "");
    EXPECT_EQ(same_bits(out.view.split_last(3, N + 5)[0], before.view.split_last(3, N + 5)[0]), "");
    EXPECT_EQ(same_bits(out.view.split_last(3 + N, 5)[1], before.view.split_last(3 + N, 5)[1]), "");
}

TEST_P(LinearOp, RowOfZeros) {  // A scale of 0 must not become a quotient.
    const auto w = testing::random_linear(kind(), 40, 128, 11);
    const auto x = testing::zeros(dtype(), {2, 128});
    HostTensor magnitude;
    const auto want = testing::expected(x, w, &magnitude);
    EXPECT_LE(testing::worst_of_sums(run(x, w.linear), want, magnitude), 4e-7);
}

TEST_P(LinearOp, NoRowsNoWork) {
    const auto w = testing::random_linear(kind(), 16, 128, 1);
    ops::linear(s_, allocate(DType::f32, {0, 16}), allocate(dtype(), {0, 128}), w.linear);
}

// What memory plans are made of, for every instruction set.
TEST_P(LinearOp, TakesNoMoreOfTheArenaThanItSays) {
    for (const auto& [N, K] : sizes()) {
        const auto w = testing::random_linear(kind(), N, K, 1);
        testing::CpuStream s;
        ops::linear(s, allocate(DType::f32, {33, N}), testing::normal(dtype(), {33, K}, 2),
                    w.linear);
        EXPECT_LE(s.arena.high_water(), linear_input_bytes(33, K, dtype()) + 63) << K;
    }
}

TEST_P(LinearOp, DeathSaysWhichSizeDisagrees) {
    const auto w = testing::random_linear(kind(), 16, 128, 1);
    EXPECT_DEATH(
        ops::linear(s_, allocate(DType::f32, {2, 16}), allocate(dtype(), {2, 120}), w.linear),
        "x is .*2, 120.*dim 1 must be 128");
    EXPECT_DEATH(
        ops::linear(s_, allocate(DType::f32, {2, 17}), allocate(dtype(), {2, 128}), w.linear),
        "y is .*2, 17.*dim 1 must be 16");
}

INSTANTIATE_TEST_SUITE_P(Kinds, LinearOp,
                         ::testing::Combine(::testing::Values(Kind::bf16, Kind::fp8,
                                                              Kind::w8a8_static,
                                                              Kind::w8a8_dynamic),
                                            ::testing::Values(DType::bf16, DType::f32)),
                         [](const auto& info) {
                             return std::string(name_of(std::get<0>(info.param))) + "_" +
                                    name_of(std::get<1>(info.param));
                         });

// The sum of |x| |W| per output of a row, for codes with scales.
HostTensor magnitude_of(const Tensor& x, const testing::LinearOwner& w) {
    HostTensor magnitude;
    testing::expected(x, w, &magnitude);
    return magnitude;
}

TEST(LinearGolden, Fp8) {
    const testing::Golden golden("ops/gemm_fp8.safetensors");
    testing::CpuStream s;
    for (const std::string suffix : {"", "_any"}) {
        testing::LinearOwner w;
        w.weight = testing::converted(golden["b_codes" + suffix], DType::f8e4m3);
        pack(w, Kind::fp8);
        w.scale = testing::converted(golden["b_scale" + suffix], DType::f32);
        w.linear.scale = w.scale;
        const auto x = testing::converted(golden["a"], DType::bf16);
        auto y = testing::poisoned(DType::f32, {5, 320});
        ops::linear(s, y, x, w.linear);
        EXPECT_LE(testing::worst_of_sums(y, golden["y" + suffix], magnitude_of(x, w)), 1e-6);
        auto rounded = testing::poisoned(DType::bf16, {5, 320});
        ops::linear(s, rounded, x, w.linear);
        EXPECT_LE(testing::worst_ulps(rounded, golden["y" + suffix]), 1);
        int differ = 0;
        for (int i = 0; i < 5 * 320; ++i)
            differ +=
                rounded.view.as<bf16>()[i].bits != golden["y_bf16" + suffix].as<bf16>()[i].bits;
        EXPECT_LE(differ, 1) << "of 1600";
    }
}

TEST(LinearGolden, W8A8) {
    const testing::Golden golden("ops/gemm_i8.safetensors");
    testing::CpuStream s;
    const auto x = testing::converted(golden["x"], DType::bf16);
    for (const Kind kind : {Kind::w8a8_dynamic, Kind::w8a8_static}) {
        const bool dynamic = kind == Kind::w8a8_dynamic;
        testing::LinearOwner w;
        w.weight = testing::converted(golden["weight"], DType::i8);
        pack(w, kind);
        w.scale = testing::converted(golden[dynamic ? "weight_scale" : "deq_scale"], DType::f32);
        w.linear.scale = view_of(w.scale.view.data, DType::f32, {192});
        if (!dynamic) {
            w.quant_bias = testing::converted(golden["quant_bias"], DType::i32);
            w.linear.quant_bias = w.quant_bias;
            w.linear.input_scale = *golden["input_scale"].as<float>();
            w.linear.input_offset = *golden["input_offset"].as<float>();
        }
        auto y = testing::poisoned(DType::f32, {6, 192});
        ops::linear(s, y, x, w.linear);
        const Tensor want = golden[dynamic ? "dynamic_y" : "static_y"];
        EXPECT_LE(testing::worst_of_row(y, want), 1e-6) << name_of(kind);
        for (int64_t i = 0; i < 6 * 192; ++i)  // Integers until the end: each element is close.
            ASSERT_NEAR(testing::element(y, i), testing::element(want, i),
                        2e-7 * std::fabs(testing::element(want, i)))
                << i;
    }
}

// A weight of all codes, by the kernel for few rows and by the one for many: x picks one column.
TEST(LinearKernels, EveryCodeOfE4m3) {
    testing::LinearOwner w;
    w.weight = allocate(DType::f8e4m3, {256, 128});
    for (int n = 0; n < 256; ++n)
        for (int k = 0; k < 128; ++k)
            w.weight.view.as<uint8_t>()[n * 128 + k] = static_cast<uint8_t>(k == 5 ? n : 8 * k);
    pack(w, Kind::fp8);
    w.scale = testing::zeros(DType::f32, {2, 1});
    set(w.scale, 0, 1);
    set(w.scale, 1, 1);
    w.linear.scale = w.scale;
    testing::CpuStream s;
    for (const int64_t T : {1, 9}) {
        auto x = testing::zeros(DType::bf16, {T, 128}), y = testing::poisoned(DType::f32, {T, 256});
        for (int64_t t = 0; t < T; ++t) set(x, t * 128 + 5, 1);
        ops::linear(s, y, x, w.linear);
        for (int64_t i = 0; i < T * 256; ++i) {
            const float want = to_float(f8e4m3{static_cast<uint8_t>(i)});
            const double got = testing::element(y, i);
            EXPECT_TRUE(std::isnan(want) ? std::isnan(got) : got == want)
                << got << " for code " << i % 256 << " in row " << i / 256;
        }
    }
}

// Both instruction sets use the same fused operations in the same order where A is f32.
TEST(LinearKernels, F32IsTheSameOnBothInstructionSets) {
    if (isa() == Isa::avx2) GTEST_SKIP() << "nothing to compare with";
    const int64_t K = 300, rows = 11;
    const auto w = testing::random_linear(Kind::bf16, 64, K, 1);
    const auto x = testing::normal(DType::f32, {rows, K}, 2);
    auto scratch = allocate(DType::u8, {gemm::kDecodedBytes});
    HostTensor acc[2] = {testing::poisoned(DType::f32, {rows, 64}),
                         testing::poisoned(DType::f32, {rows, 64})};
    gemm::Tile tile{.a = x.view.as<std::byte>(),
                    .a_bytes = K * 4,
                    .b = w.packed.view.as<std::byte>(),
                    .b_bytes = panel_bytes(Kind::bf16, K),
                    .K = K,
                    .rows = rows,
                    .panels = 4,
                    .scratch = scratch.view.as<std::byte>()};
    tile.acc = acc[0].view.data;
    gemm::avx2::f32_bf16(tile);
    tile.acc = acc[1].view.data;
    gemm::avx512::f32_bf16(tile);
    EXPECT_EQ(same_bits(acc[0], acc[1]), "");
}

}  // namespace
}  // namespace fathom
