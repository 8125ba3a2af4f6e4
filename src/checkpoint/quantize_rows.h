#pragma once

#include <cstdint>
#include <span>

namespace fathom {

// x [rows, K], rows <= 128, to e4m3 codes with one scale per 128 columns: the power of two at or
// above max|x| / 448, 1 where all is 0. scales [ceil(K / 128)]. REQUIRES: finite.
void quantize_fp8_rows(std::span<const float> x, int64_t K, std::span<uint8_t> codes,
                       std::span<float> scales);

// x [rows, K] to int8 with one scale per row, f32(max|x| / 127), 1 where all is 0. sums [rows]: of
// the codes. REQUIRES: finite.
void quantize_int8_rows(std::span<const float> x, int64_t K, std::span<int8_t> codes,
                        std::span<float> scales, std::span<int64_t> sums);

}  // namespace fathom
