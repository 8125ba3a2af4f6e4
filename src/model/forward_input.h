#pragma once

#include "config/limits.h"
#include "tensor/tensor.h"

namespace fathom {

// What the device must know about one step: every array has its place in one buffer of fixed size.
// The same bytes are filled in host memory, sent to the other ranks, copied to the device in one
// transfer, read by CUDA graphs at fixed addresses, and saved as test fixtures. Filled by
// engine/fill_input.cc.
struct ForwardInput {
    // Lays the arrays into memory of bytes(limits) bytes, 64-byte aligned.
    ForwardInput(void* memory, const Limits& limits);
    static int64_t bytes(const Limits& limits);

    // What lies beyond the counts is junk.
    int64_t num_tokens() const { return counts.as<int32_t>()[0]; }
    int64_t num_sequences() const { return counts.as<int32_t>()[1]; }
    int64_t num_logits() const { return counts.as<int32_t>()[2]; }
    int64_t longest() const { return counts.as<int32_t>()[3]; }

    int block_tokens;
    Tensor counts;        // i32 [4]: tokens, sequences, logits rows in use; the longest context
    Tensor tokens;        // i32 [T] ids to embed
    Tensor next_tokens;   // i32 [T] the id at position + 1, for the MTP layer; -1 where unknown
    Tensor positions;     // i32 [T] of each token in its sequence
    Tensor sequences;     // i32 [T] row of block_tables
    Tensor slots;         // i32 [T] where its key goes: block * block_tokens + offset; -1: nowhere
    Tensor logits_rows;   // i32 [R] tokens of this step whose logits are wanted
    Tensor block_tables;  // i32 [S, blocks of the longest]; last, so a transfer can stop early
};

}  // namespace fathom
