// The innermost part of every product with a weight, per instruction set. Internal to linear.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fathom::gemm {

inline constexpr int64_t kGroupPanels = 4;
inline constexpr int64_t kGroupOutputs = 64;  // What a call computes at most: four panels.
inline constexpr int64_t kBlockK = 128;       // Columns whose sum is finished in registers.
inline constexpr int64_t kDecodedBytes = kBlockK * kGroupOutputs * 4;

// Some rows times up to four panels of a packed weight (ops/linear/pack.h).
struct Tile {
    const std::byte* a;  // Row r of the activations at a + r * a_bytes.
    int64_t a_bytes;
    const std::byte* b;  // Panel p at b + p * b_bytes.
    int64_t b_bytes;
    int64_t K;             // Columns, zeros up to a multiple of four bytes of B.
    const float* a_scale;  // fp8: of row r and block k / 128 at a_scale[r * a_scales + k / 128].
    int64_t a_scales;
    const float* b_scale;  // fp8: one per 128 columns.
    int64_t rows;
    int64_t panels;
    void* acc;           // Result, [rows][64]: f32, or i32 for i8.
    std::byte* scratch;  // kDecodedBytes, 64-byte aligned.
};

// Every element of the result is made by the same instructions in the same order, whatever `rows`,
// `panels` and its place: per 128 columns a sum c that starts from 0, then acc += c * scale
// (fp8; 1 else), ascending. Exact for i8.
//
//   f32_bf16   A f32, W bf16
//   bf16_bf16  A bf16, W bf16         (AVX-512 only: others widen A and use f32_bf16)
//   fp8        A bf16 (AVX-512) or f32 (AVX2), holding e4m3 values; W e4m3
//   i8         A bytes code + 128 (AVX-512: the result has 128 * sums of W too much),
//              or 16-bit k0 k2 k1 k3 per four columns (AVX2); W int8
namespace avx512 {
void f32_bf16(const Tile& t);
void bf16_bf16(const Tile& t);
void fp8(const Tile& t);
void i8(const Tile& t);
}  // namespace avx512
namespace avx2 {
void f32_bf16(const Tile& t);
void fp8(const Tile& t);
void i8(const Tile& t);
}  // namespace avx2

}  // namespace fathom::gemm
