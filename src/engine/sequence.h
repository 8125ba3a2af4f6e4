#pragma once

#include <cstdint>
#include <vector>

#include "engine/request.h"
#include "kv/block_pool.h"

namespace fathom {

// One request's tokens, and how far the KV cache has followed them.
//
// Two numbers carry the whole serving logic: tokens.size() is what is known, kv.computed is what is
// in the KV cache. A prefix hit, or KV received from a prefill node, moves kv.computed ahead for
// free; a chunk moves it by less than pending(); decode is the case pending() == 1; preemption is
// kv = {}; a draft token is a token that commit() may take back.
struct Sequence {
    explicit Sequence(Request r)
        : request(std::move(r)), tokens(request.prompt), prompt_tokens(std::ssize(tokens)) {}

    const Request request;
    std::vector<Token> tokens;
    const int64_t prompt_tokens;
    int scheduled = 0;       // Tokens in the batch under way.
    int cached_tokens = -1;  // Found in the prefix cache at the first admission; -1: not yet.
    bool ended = false;      // Gone when commit() returns.

    // Together in one struct so that they can only be reset together.
    struct Kv {
        int computed = 0;
        std::vector<BlockId> blocks;  // blocks[i] holds tokens [i * B, (i + 1) * B).
        int published = 0;            // blocks[0, published) can be found under `prefix`.
        PrefixHash prefix;
    } kv;

    int pending() const { return static_cast<int>(std::ssize(tokens)) - kv.computed; }
    bool decoding() const { return pending() == 1 && kv.computed > 0; }
    int generated() const { return static_cast<int>(std::ssize(tokens) - prompt_tokens); }
};

}  // namespace fathom
