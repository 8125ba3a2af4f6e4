#include "ops/grouped_gemm/grouped_gemm.h"

#include <gtest/gtest.h>

#include "ops/linear/linear.h"
#include "ops/linear/linear_testing.h"

namespace fathom {
namespace {

using Kind = Linear::Kind;
using testing::HostTensor;
using testing::same_bits;

// Experts and the rows that chose each.
struct Experts {
    Experts(Kind kind, std::initializer_list<int32_t> counts, int64_t N, int64_t K)
        : offsets(testing::zeros(DType::i32, {std::ssize(counts) + 1})) {
        int32_t rows = 0, e = 0;
        for (const int32_t count : counts) {
            owners.push_back(testing::random_linear(kind, N, K, e));
            owners.back().linear.input_scale *= 1.0f + 0.1f * e;  // Each its own.
            owners.back().linear.input_offset += e;
            linears.push_back(owners.back().linear);
            rows += count;
            offsets.view.as<int32_t>()[++e] = rows;
        }
    }
    int64_t rows() const { return offsets.view.as<int32_t>()[linears.size()]; }

    std::vector<testing::LinearOwner> owners;
    std::vector<Linear> linears;
    HostTensor offsets;
};

class GroupedGemm : public ::testing::TestWithParam<std::tuple<Kind, DType>> {
protected:
    Kind kind() const { return std::get<0>(GetParam()); }
    DType dtype() const { return std::get<1>(GetParam()); }

    void expect_linears(const Experts& experts, int threads) {
        testing::CpuStream s(threads);
        const int64_t N = experts.linears[0].N, K = experts.linears[0].K, R = experts.rows();
        const auto x = testing::normal(dtype(), {R, K}, 7);
        auto y = testing::poisoned(dtype(), {R, N}), want = testing::poisoned(dtype(), {R, N});
        ops::grouped_gemm(s, y, x, experts.offsets, experts.linears);
        const auto* offsets = experts.offsets.view.as<int32_t>();
        for (size_t e = 0; e < experts.linears.size(); ++e)
            ops::linear(s, want.view.rows(offsets[e], offsets[e + 1]),
                        x.view.rows(offsets[e], offsets[e + 1]), experts.linears[e]);
        EXPECT_EQ(same_bits(y, want), "") << threads << " threads";
    }
};

TEST_P(GroupedGemm, IsOneLinearPerExpert) {
    for (const int threads : {1, 2}) {
        expect_linears(Experts(kind(), {3, 0, 1, 0, 0, 17, 2, 8}, 96, 256), threads);
        expect_linears(Experts(kind(), {0, 0, 5}, 200, 128), threads);
        expect_linears(Experts(kind(), {1, 0}, 16, 128), threads);
        expect_linears(Experts(kind(), {400, 1, 900}, 80, 128), threads);
    }
}

TEST_P(GroupedGemm, StridedViews) {
    const Experts experts(kind(), {4, 0, 3}, 40, 128);
    const auto wide = testing::normal(dtype(), {7, 128 + 8}, 1);
    const Tensor x = wide.view.split_last(128, 8)[0];
    auto out = testing::poisoned(dtype(), {7, 40 + 5}), want = testing::poisoned(dtype(), {7, 40});
    const auto [y, rest] = out.view.split_last(40, 5);
    const auto before = testing::converted(rest, dtype());
    testing::CpuStream s;
    ops::grouped_gemm(s, y, x, experts.offsets, experts.linears);
    ops::grouped_gemm(s, want, testing::converted(x, dtype()), experts.offsets, experts.linears);
    EXPECT_EQ(same_bits(y, want), "");
    EXPECT_EQ(same_bits(rest, before), "");
}

TEST_P(GroupedGemm, NoRowsNoWork) {
    const Experts experts(kind(), {0, 0}, 16, 128);
    testing::CpuStream s;
    ops::grouped_gemm(s, testing::allocate(dtype(), {0, 16}), testing::allocate(dtype(), {0, 128}),
                      experts.offsets, experts.linears);
}

TEST_P(GroupedGemm, DeathOfOffsetsThatDoNotFit) {
    Experts experts(kind(), {2, 3, 1}, 16, 128);
    testing::CpuStream s;
    const auto y = testing::allocate(dtype(), {6, 16}), x = testing::zeros(dtype(), {6, 128});
    experts.offsets.view.as<int32_t>()[3] = 5;
    EXPECT_DEATH(ops::grouped_gemm(s, y, x, experts.offsets, experts.linears), "offsets 0..5 of 6");
    experts.offsets.view.as<int32_t>()[3] = 6;
    experts.offsets.view.as<int32_t>()[1] = 6;
    EXPECT_DEATH(ops::grouped_gemm(s, y, x, experts.offsets, experts.linears),
                 "offsets fall at expert 1");
}

INSTANTIATE_TEST_SUITE_P(Kinds, GroupedGemm,
                         ::testing::Combine(::testing::Values(Kind::bf16, Kind::fp8,
                                                              Kind::w8a8_static,
                                                              Kind::w8a8_dynamic),
                                            ::testing::Values(DType::bf16, DType::f32)),
                         [](const auto& info) {
                             return std::string(name_of(std::get<0>(info.param))) + "_" +
                                    name_of(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace fathom
