#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/token.h"
#include "base/token_constraint.h"

namespace fathom {

// How the next token is drawn from the logits. Names and ranges are vLLM's; the front end checks
// them.
struct SamplingParams {
    float temperature = 1;         // >= 0; 0 is greedy: the largest logit, the lower id on a tie
    float top_p = 1;               // (0, 1]
    int top_k = 0;                 // 0: off
    float min_p = 0;               // [0, 1], relative to the largest probability
    float presence_penalty = 0;    // [-2, 2], over output tokens
    float frequency_penalty = 0;   // [-2, 2], over output tokens
    float repetition_penalty = 1;  // > 0, over prompt and output tokens
    uint64_t seed = 0;             // Drawn at admission when the client gave none.
    int choice = 0;                // Index among the n choices of one prompt: own random numbers.

    // In vLLM's order: allowed_token_ids, bad_words, logit_bias, then the penalties above.
    std::vector<Token> allowed_token_ids;             // Empty: all.
    std::vector<std::vector<Token>> bad_words;        // Token sequences that are never completed.
    std::vector<std::pair<Token, float>> logit_bias;  // Added to the logit; in [-100, 100].

    bool greedy() const { return temperature < 1e-5f; }
    bool penalized() const {
        return presence_penalty != 0 || frequency_penalty != 0 || repetition_penalty != 1;
    }
};

// How many of the most likely tokens are reported beside the one that is there: 0 or more, or all
// of the vocabulary.
using LogprobCount = int;
inline constexpr LogprobCount kLogprobsAll = -1;

// What the engine is asked to do: one prompt, one continuation. Ids are unique while in use.
struct Request {
    uint64_t id = 0;
    std::vector<Token> prompt;  // Not empty, all in the vocabulary, shorter than --max-model-len.
    SamplingParams sampling;
    int max_tokens = 16;  // >= 1, prompt + max_tokens <= --max-model-len
    int min_tokens = 0;   // End and stop tokens are not drawn before.
    bool ignore_eos = false;
    std::vector<Token> stop_token_ids;
    std::optional<LogprobCount> logprobs;  // Of output tokens.
    std::optional<LogprobCount>
        prompt_logprobs;  // Of prompt tokens; no cached prefix is used then.
    std::unique_ptr<TokenConstraint> constraint;  // Null: none.
    int priority = 0;        // Lower first among those that wait; the order of arrival within one.
    std::string cache_salt;  // Prefixes are shared only among requests with the same salt.
};

// The logprob of the token that is there, and the most likely ones, the likeliest first (ties: the
// lower id).
struct TokenLogprobs {
    Token token = 0;
    float logprob = 0;
    int rank = 1;                  // 1 + the number of tokens with a larger logit.
    std::vector<RankedToken> top;  // As many as were asked for; may hold the token itself.
};

enum class FinishReason : uint8_t { none, stop, length, abort, error };

// What a step gave one request. `tokens` holds 1 + accepted drafts, in order; the last may be an
// end or stop token (then `finish` is stop). `tokens` is empty only when finish is abort or error.
struct TokenEvent {
    uint64_t id = 0;
    std::vector<Token> tokens;
    FinishReason finish = FinishReason::none;
    std::optional<Token> stop_token;  // Set when one of stop_token_ids ended it, not the end token.
    int cached_tokens = 0;            // Prompt tokens found in the prefix cache.
    std::vector<TokenLogprobs> logprobs;         // Of each of `tokens`, where asked for.
    std::vector<TokenLogprobs> prompt_logprobs;  // Of prompt[1..]; with the first event only.
    Clock::time_point scheduled;                 // When the first step with this request began.
};

}  // namespace fathom
