// The form in which every Linear keeps its weight in memory, on the CPU.
#pragma once

#include "tensor/linear.h"

namespace fathom {

// Outputs n are kept in panels of 16, one panel after the other; the rows of a panel that do not
// exist are zeros. Inside a panel lie the four bytes that 16 outputs take from the same columns
// side by side, K rounded up with zeros, so that a vector has one output per lane and every output
// sums over K in one order. Bytes of a panel:
//
//   bf16   [K/2][16 n][2 k][2 bytes]
//   int8   [K/4][16 n][4 k]            behind the last panel i32 [N rounded up]: sums of W over K
//   fp8    [K/4][4][2][4 n][2 k]       n = 4 i + j, k = 2 h + l for [i][h][j][l]: 8 code bytes
//                                      become 8 words of a 16-byte lane by one unpack
inline constexpr int64_t kPanelOutputs = 16;

int64_t packed_bytes(Linear::Kind kind, int64_t N, int64_t K);

// Bytes of a panel: what lies between one and the next.
int64_t panel_bytes(Linear::Kind kind, int64_t K);

// Where W[n, k] begins.
int64_t packed_offset(Linear::Kind kind, int64_t K, int64_t n, int64_t k);

// Copies the rows [begin, end) of W into their place. Row begin + i starts at
// rows + i * row_bytes, K elements of the checkpoint's type without gaps; any alignment. Threads
// may pack different rows at the same time, as panels have one writer:
// REQUIRES: begin % 16 == 0; end % 16 == 0 or end == N.
void pack_rows(Linear::Kind kind, void* packed, int64_t N, int64_t K, const void* rows,
               int64_t row_bytes, int64_t begin, int64_t end);

// Row n of W again, K elements: for tests and the plain loops.
void unpack_row(Linear::Kind kind, void* row, const void* packed, int64_t K, int64_t n);

// w8a8: the sum over K of each row of W, i32 [N rounded up to 16].
const int32_t* packed_sums(const void* packed, int64_t N, int64_t K);

}  // namespace fathom
