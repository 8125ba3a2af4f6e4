#pragma once

#include "engine/scheduler.h"

// What tests put in the place of a runner.
namespace fathom::testing {

// Adds what a runner adds for an item that drew `tokens`. The ranks of prompt logprobs are the
// positions of the logits, so that one can see which there were.
inline void add_outcome(StepResult& result, const Batch::Item& item,
                        std::span<const Token> tokens) {
    const Request& request = item.sequence->request;
    const int end = item.sequence->kv.computed + item.num_tokens;
    std::vector<TokenLogprobs> logprobs, of_prompt;
    for (int at = end - item.num_logits; at < end - item.samples; ++at)
        of_prompt.push_back({.token = request.prompt.at(at + 1), .rank = at});
    if (!item.samples) tokens = {};
    if (request.logprobs)
        for (const Token token : tokens) logprobs.push_back({.token = token});
    result.add(tokens, std::move(logprobs), std::move(of_prompt));
}

}  // namespace fathom::testing
