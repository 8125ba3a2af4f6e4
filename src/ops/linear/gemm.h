// What ops::linear, grouped_gemm and head_matmul are made of on the CPU: activations as the kernels
// read them, and pieces of a product. Internal to ops/.
#pragma once

#include "ops/linear/gemm_kernels.h"
#include "tensor/linear.h"
#include "tensor/stream.h"

namespace fathom::gemm {

// Rows that a piece has at most: their sums and one block of a decoded weight fit the L2 cache.
inline constexpr int64_t kPieceRows = 384;

// Activations for products with weights of one kind. A view: of x itself where the kernels read its
// type, else of memory that make_input() was given.
struct Input {
    const std::byte* rows = nullptr;
    int64_t row_bytes = 0;
    float* scales = nullptr;  // fp8: [T][K / 128]; w8a8_dynamic: [T].
    int64_t row_scales = 0;
    bool is_x = false;
    bool f32 = false;  // Rows are f32.
};

// Bytes that make_input() needs for T rows of x; 0 where the kernels read x itself.
int64_t input_bytes(Linear::Kind kind, Tensor x);

// Lays out x [T, K] in `memory` (64-byte aligned, input_bytes()), to be filled by fill_rows().
Input make_input(Linear::Kind kind, Tensor x, void* memory);

// Rounds and rearranges the rows [begin, end) of x for products with w. Nothing where is_x.
void fill_rows(const Input& input, Tensor x, const Linear& w, int64_t begin, int64_t end);

// Both, with all threads, into the arena.
Input quantized(Stream& s, Tensor x, const Linear& w);

// y[begin..end) of the outputs [64 * group, 64 * group + 64) of w. `scratch`: Workers::scratch().
void run_piece(Tensor y, const Input& input, const Linear& w, int64_t group, int64_t begin,
               int64_t end, std::byte* scratch);

// Groups of outputs of a weight.
int64_t groups_of(const Linear& w);

// What one thread may do alone, in pieces of `rows` rows: enough not to wake others for nothing.
int64_t grain_of(const Linear& w, int64_t rows);

// Rows of a piece of a product with T rows, so that `groups` groups keep all threads busy.
int64_t piece_rows(int64_t T, int64_t groups, int threads);

// What every op over Linears asks of them. kinds with groups of 128: K % 128 == 0.
void check(const Linear& w);

}  // namespace fathom::gemm
