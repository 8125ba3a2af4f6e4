// How the CPU ops find a sequence's keys in the paged cache.
#pragma once

#include "ops/paged_tokens.h"

namespace fathom {

// The blocks of one sequence. A position becomes an address only through block(), which checks it.
struct PagedRows {
    PagedRows(const Tensor& cache, const PagedTokens& at, int64_t sequence)
        : data(cache.as<uint8_t>()),
          block_stride(cache.stride[0]),
          num_blocks(cache.dim(0)),
          block_tokens(at.block_tokens),
          entries(at.block_tables.dim(1)) {
        CHECK(0 <= sequence && sequence < at.block_tables.dim(0), "sequence ", sequence, " of ",
              at.block_tables.dim(0));
        table = at.block_tables.as<int32_t>() + sequence * at.block_tables.row_stride();
    }

    // Where the block that holds `position` starts.
    uint8_t* block(int64_t position) const {
        const int64_t entry = position / block_tokens;
        CHECK(position >= 0 && entry < entries, "position ", position, " in a table of ", entries,
              " blocks of ", block_tokens);
        const int64_t id = table[entry];
        CHECK(0 <= id && id < num_blocks, "block ", id, " of ", num_blocks);
        return data + id * block_stride;
    }
    int64_t offset(int64_t position) const { return position % block_tokens; }

    uint8_t* data;
    int64_t block_stride;
    int64_t num_blocks;
    int64_t block_tokens;
    int64_t entries;
    const int32_t* table;
};

}  // namespace fathom
