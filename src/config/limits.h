#pragma once

#include <algorithm>

namespace fathom {

// Fixed at start, from flags. Every queue, buffer and cache is sized from these, so that nothing is
// allocated on the device while serving, and overload shows at the door instead of in the middle.
struct Limits {
    int batch_tokens_max = 2048;     // --max-num-batched-tokens: tokens computed in one step
    int batch_sequences_max = 256;   // --max-num-seqs: sequences in one step
    int logits_rows_max = 320;       // rows of logits of one step; at least the sequences
    int sequence_tokens_max = 4096;  // --max-model-len: prompt and output of one sequence
    int block_tokens = 64;           // --block-size: tokens in a block of the cache
    int num_blocks = 1;              // blocks of the cache
    int waiting_max = 4096;          // requests that wait for the engine; more get 429

    // Rows of logits for a step: what so many sequences draw from, and 64 more, so that a prompt
    // whose logprobs are wanted advances by 64 tokens beside as many decodes as there may be.
    static int logits_rows_for(int batch_sequences, int batch_tokens) {
        return std::min(batch_sequences + 64, batch_tokens);
    }
    // Blocks that hold `tokens` tokens.
    int blocks_for(int tokens) const { return (tokens + block_tokens - 1) / block_tokens; }
};

}  // namespace fathom
