#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/arena.h"
#include "tensor/expect.h"
#include "tensor/fp8.h"

namespace fathom {
namespace {

TEST(Tensor, ViewsKeepTheirParentsStrides) {
    float data[24];
    const Tensor t = view_of(data, DType::f32, {2, 12});
    const Tensor heads = t.split_heads(3);
    EXPECT_EQ(heads.shape[1], 3);
    EXPECT_EQ(heads.shape[2], 4);
    EXPECT_EQ(heads.stride[0], 12);
    EXPECT_EQ(heads.stride[1], 4);
    const auto [left, right] = heads.split_last(1, 3);
    EXPECT_EQ(right.as<float>(), data + 1);
    EXPECT_EQ(right.stride[1], 4);
    EXPECT_EQ(t.rows(1, 2).as<float>(), data + 12);
    EXPECT_DEATH(t.split_heads(5), "into 5 heads");
    EXPECT_DEATH(left.flatten(1), "strided");
}

TEST(Expect, SaysWhichSizesDisagree) {
    float data[24];
    Dim T("T");
    expect("x", view_of(data, DType::f32, {2, 12}), {T, 12}, DType::f32);
    EXPECT_DEATH(expect("y", view_of(data, DType::f32, {3, 4}), {T, 4}, DType::f32),
                 "y is f32\\[3, 4\\]: dim 0 must be T = 2 as in x");
    EXPECT_DEATH(expect("y", view_of(data, DType::f32, {2, 4}), {T, 4}, DType::bf16),
                 "expected bf16");
    EXPECT_DEATH(expect_activation("y", view_of(data, DType::i32, {2, 4}), {T, 4}), "bf16 or f32");
}

TEST(Bf16, RoundsToNearestEven) {
    EXPECT_EQ(to_bf16(1.0f + 0x1p-8f).bits, 0x3f80);      // A tie goes to the even one.
    EXPECT_EQ(to_bf16(1.0f + 3 * 0x1p-8f).bits, 0x3f82);  // Another one, upwards.
    EXPECT_EQ(to_bf16(1.0f + 0x1p-8f + 0x1p-20f).bits, 0x3f81);
    EXPECT_TRUE(std::isnan(to_float(to_bf16(std::nanf("")))));
}

TEST(F8e4m3, EveryCodeComesBack) {
    for (int code = 0; code < 256; ++code) {
        if ((code & 0x7f) == 0x7f) continue;
        EXPECT_EQ(to_f8e4m3(to_float(f8e4m3{static_cast<uint8_t>(code)})).bits, code);
    }
    EXPECT_TRUE(std::isnan(to_float(f8e4m3{0x7f})));
    EXPECT_EQ(to_f8e4m3(1e9f).bits, 0x7e);
    EXPECT_EQ(to_f8e4m3(-1e9f).bits, 0xfe);
}

TEST(F8e4m3, RoundsBetweenNeighboursToNearestEven) {
    for (int code = 0; code < 0x7e; ++code) {
        const float low = to_float(f8e4m3{static_cast<uint8_t>(code)});
        const float high = to_float(f8e4m3{static_cast<uint8_t>(code + 1)});
        const float middle = (low + high) / 2;
        EXPECT_EQ(to_f8e4m3(middle).bits, code % 2 == 0 ? code : code + 1);
        EXPECT_EQ(to_f8e4m3(std::nextafter(middle, 0.0f)).bits, code);
        EXPECT_EQ(to_f8e4m3(std::nextafter(middle, 500.0f)).bits, code + 1);
    }
}

TEST(Arena, GivesBackDownToTheMarkAndNeverGrows) {
    Arena arena(1024);
    const Tensor kept = arena.tmp(DType::f32, 4);
    void* second = nullptr;
    {
        ArenaScope scope(arena);
        second = arena.tmp(DType::f32, 16, 8).data;
    }
    EXPECT_EQ(arena.tmp(DType::bf16, 3).data, second);
    EXPECT_NE(kept.data, second);
    EXPECT_EQ(arena.high_water(), 64 + 512);
    EXPECT_DEATH(arena.tmp(DType::f32, 1024), "planned were 1024");
}

}  // namespace
}  // namespace fathom
