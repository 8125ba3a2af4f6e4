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
    // `root`: what the first block extends (BlockPool::root).
    Sequence(Request r, PrefixHash root)
        : request(std::move(r)),
          root(root),
          tokens(request.prompt),
          prompt_tokens(std::ssize(tokens)) {
        kv.prefix = root;
    }

    const Request request;
    const PrefixHash root;
    std::vector<Token> tokens;
    const int64_t prompt_tokens;
    // Of prompt[1..], as far as computed; with the first event they go out. Preemption keeps them.
    std::vector<TokenLogprobs> prompt_logprobs;
    Clock::time_point begun{};  // When the first step with it began; the engine's to set.
    int scheduled = 0;          // Tokens in the batch under way.
    int cached_tokens = -1;     // Found in the prefix cache at the first admission; -1: not yet.
    bool ended = false;         // Gone when commit() returns.

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

    // The first position whose logits are wanted: of the next prompt logprob, else of the last
    // token. They are wanted of all from there on; what lies before may come from the cache.
    int logits_from() const {
        const bool all = request.prompt_logprobs.has_value() && generated() == 0;
        return static_cast<int>(all ? std::ssize(prompt_logprobs) : std::ssize(tokens) - 1);
    }
    // Blocks of the cache go back to the pool before this.
    void forget_kv() { kv = {.prefix = root}; }
};

}  // namespace fathom
