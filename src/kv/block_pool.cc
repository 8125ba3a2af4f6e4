#include "kv/block_pool.h"

#include <cstring>

namespace fathom {

BlockPool::BlockPool(int num_blocks, int block_tokens, Hash128 key)
    : block_tokens_(block_tokens), key_(key) {
    CHECK(num_blocks > 0 && block_tokens > 0, num_blocks, " blocks of ", block_tokens);
    blocks_.resize(num_blocks + 1);
    blocks_[end()].previous = blocks_[end()].next = end();
    by_prefix_.reserve(num_blocks);  // No rehash while serving.
    for (BlockId block = 0; block < num_blocks; ++block) append_free(block);
}

// Hashed twice: a salt may hold any bytes, also those of a prefix and a block, but what is hashed
// last is shorter than those.
PrefixHash BlockPool::root(std::string_view salt) const {
    if (salt.empty()) return {};
    const PrefixHash once = siphash128(key_, std::as_bytes(std::span(salt)));
    return siphash128(key_, std::as_bytes(std::span(&once, 1)));
}

PrefixHash BlockPool::extend(PrefixHash prefix, std::span<const Token> block) const {
    hashed_.resize(sizeof prefix + block.size_bytes());
    std::memcpy(hashed_.data(), &prefix, sizeof prefix);
    std::memcpy(hashed_.data() + sizeof prefix, block.data(), block.size_bytes());
    return siphash128(key_, hashed_);
}

BlockId BlockPool::take() {
    CHECK(num_free_ > 0, "no free block");
    const BlockId block = blocks_[end()].next;
    unlink(block);
    if (blocks_[block].prefix != PrefixHash{}) {
        by_prefix_.erase(blocks_[block].prefix);
        blocks_[block].prefix = {};
    }
    blocks_[block].references = 1;
    return block;
}

BlockId BlockPool::find(PrefixHash prefix) {
    const auto it = by_prefix_.find(prefix);
    if (it == by_prefix_.end()) return -1;
    const BlockId block = it->second;
    if (blocks_[block].references++ == 0) unlink(block);
    return block;
}

void BlockPool::publish(BlockId block, PrefixHash prefix) {
    CHECK(blocks_[block].references > 0, "block ", block, " is free");
    CHECK(blocks_[block].prefix == PrefixHash{}, "block ", block, " is published already");
    if (by_prefix_.try_emplace(prefix, block).second) blocks_[block].prefix = prefix;
}

void BlockPool::release(std::span<const BlockId> blocks) {
    for (size_t i = blocks.size(); i-- > 0;) {
        CHECK(blocks_[blocks[i]].references > 0, "block ", blocks[i], " released twice");
        if (--blocks_[blocks[i]].references == 0) append_free(blocks[i]);
    }
}

void BlockPool::forget_free() {
    for (BlockId block = blocks_[end()].next; block != end(); block = blocks_[block].next) {
        if (blocks_[block].prefix == PrefixHash{}) continue;
        by_prefix_.erase(blocks_[block].prefix);
        blocks_[block].prefix = {};
    }
}

void BlockPool::unlink(BlockId block) {
    Block& b = blocks_[block];
    blocks_[b.previous].next = b.next;
    blocks_[b.next].previous = b.previous;
    --num_free_;
}

void BlockPool::append_free(BlockId block) {
    Block& b = blocks_[block];
    b.previous = blocks_[end()].previous;
    b.next = end();
    blocks_[b.previous].next = blocks_[end()].previous = block;
    ++num_free_;
}

void BlockPool::check_invariants() const {
    int free = 0;
    for (BlockId b = blocks_[end()].next; b != end(); b = blocks_[b].next, ++free)
        CHECK(blocks_[b].references == 0, "used block ", b, " is in the free list");
    CHECK(free == num_free_, free, " linked, ", num_free_, " counted");
    for (const auto& [prefix, block] : by_prefix_)
        CHECK(blocks_[block].prefix == prefix, "block ", block, " is found by a foreign prefix");
}

}  // namespace fathom
