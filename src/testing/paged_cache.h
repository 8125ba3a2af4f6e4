#pragma once

#include <algorithm>
#include <numeric>
#include <random>

#include "testing/random.h"

namespace fathom::testing {

// A paged cache of one layer as a test has it: blocks in shuffled order, some of them nobody's, and
// room between one block and the next (other layers' in the real one).
struct PagedCache {
    static constexpr int kGap = 96;  // Bytes; keeps rows at multiples of 32 where they were.

    // Room for `sequences` of `tokens` each; a token takes `bytes`.
    PagedCache(int sequences, int tokens, int block_tokens, int64_t bytes, uint32_t seed = 1)
        : block_tokens(block_tokens), bytes(bytes) {
        const int entries = (tokens + block_tokens - 1) / block_tokens;
        blocks = sequences * entries + 3;
        tables = allocate(DType::i32, {sequences, entries});
        std::vector<int32_t> ids(blocks);
        std::iota(ids.begin(), ids.end(), 0);
        std::shuffle(ids.begin(), ids.end(), std::mt19937(seed));
        std::copy(ids.begin(), ids.end() - 3, tables.view.as<int32_t>());
        storage = allocate(DType::u8, {blocks, block_tokens * bytes + kGap});
        std::fill_n(storage.view.as<uint8_t>(), count_of(storage.view), kCanary);
    }

    // u8 [num_blocks, block_tokens, bytes].
    Tensor tokens() const {
        Tensor view = view_of(storage.view.data, DType::u8, {blocks, block_tokens, bytes});
        view.stride[0] = storage.view.stride[0];
        return view;
    }
    // u8 [num_blocks, block_tokens * bytes].
    Tensor whole_blocks() const {
        Tensor view = storage;
        view.shape[1] = block_tokens * bytes;
        return view;
    }
    int32_t slot(int sequence, int position) const {
        const int32_t* table = tables.view.as<int32_t>() + sequence * tables.view.stride[0];
        return table[position / block_tokens] * block_tokens + position % block_tokens;
    }
    uint8_t* block(int32_t slot) const {
        return storage.view.as<uint8_t>() + slot / block_tokens * storage.view.stride[0];
    }

    static constexpr uint8_t kCanary = 0xa5;
    int block_tokens;
    int64_t bytes;
    int64_t blocks;
    HostTensor tables;
    HostTensor storage;
};

}  // namespace fathom::testing
