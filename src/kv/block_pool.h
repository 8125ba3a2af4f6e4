#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/hash.h"
#include "base/token.h"

namespace fathom {

using BlockId = int32_t;

// Identifies a whole prefix, not just one block; {} is the empty prefix.
using PrefixHash = Hash128;

// Who uses which block of the KV cache, and which blocks hold a prefix that can be shared.
// Bookkeeping only: no tensor, no device, no lock. Every operation is O(blocks named).
//
// A block is free (no references) or used. A free block may still hold a published prefix; the
// least recently released free block is the first to be taken and to lose it.
class BlockPool {
public:
    // `key`: secret of this process, so that no client can aim at cached blocks of another.
    BlockPool(int num_blocks, int block_tokens, Hash128 key);
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;

    int block_tokens() const { return block_tokens_; }
    int num_blocks() const { return static_cast<int>(blocks_.size()) - 1; }
    int num_free() const { return num_free_; }
    int references(BlockId block) const { return blocks_.at(block).references; }

    // What the first block of a sequence extends: {}, or for a salt that is not empty a prefix that
    // is found only by sequences with the same salt.
    PrefixHash root(std::string_view salt) const;

    // The prefix that one more full block of tokens makes of `prefix`.
    PrefixHash extend(PrefixHash prefix, std::span<const Token> block) const;

    // A block for new tokens, with one reference. REQUIRES: num_free() > 0.
    BlockId take();

    // The block that holds this prefix, with one more reference, or -1.
    BlockId find(PrefixHash prefix);

    // Makes a block findable once all its tokens are computed. Keeps an earlier twin if any.
    void publish(BlockId block, PrefixHash prefix);

    // Drops one reference on each, last block first, so that prefixes outlive their tails.
    void release(std::span<const BlockId> blocks);

    // Forgets every published prefix of free blocks.
    void forget_free();

    void check_invariants() const;

private:
    struct Block {
        int references = 0;
        PrefixHash prefix;                 // {} when not published.
        BlockId previous = -1, next = -1;  // In the free list; meaningless while used.
    };
    struct Hasher {
        size_t operator()(const PrefixHash& h) const { return h.lo; }
    };

    void unlink(BlockId block);
    void append_free(BlockId block);
    BlockId end() const { return static_cast<BlockId>(blocks_.size()) - 1; }

    const int block_tokens_;
    const Hash128 key_;
    int num_free_ = 0;
    std::vector<Block> blocks_;  // The last is the sentinel of the circular free list.
    std::unordered_map<PrefixHash, BlockId, Hasher> by_prefix_;
    mutable std::vector<std::byte> hashed_;  // What extend() hashes; kept to not allocate.
};

}  // namespace fathom
