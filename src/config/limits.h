#pragma once

namespace fathom {

// Fixed at start, from flags. Every queue, buffer and cache is sized from these, so that nothing is
// allocated on the device while serving, and overload shows at the door instead of in the middle.
struct Limits {
    int batch_tokens_max = 2048;     // --max-num-batched-tokens: tokens computed in one step
    int batch_sequences_max = 256;   // --max-num-seqs: sequences in one step
    int sequence_tokens_max = 4096;  // --max-model-len: prompt and output of one sequence
    int block_tokens = 64;           // --block-size: tokens in a block of the cache
    int num_blocks = 1;              // blocks of the cache
    int waiting_max = 4096;          // requests that wait for the engine; more get 429

    // Blocks that hold `tokens` tokens.
    int blocks_for(int tokens) const { return (tokens + block_tokens - 1) / block_tokens; }
};

}  // namespace fathom
