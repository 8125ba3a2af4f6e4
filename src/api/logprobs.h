#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/token.h"

namespace fathom::api {

// A token as answers show it.
struct ShownToken {
    Token id = 0;
    std::string bytes;   // May be a part of a character.
    float logprob = 0;   // Natural logarithm; -inf is written as -9999.0.
    bool as_id = false;  // Written as "token_id:123".

    std::string text() const;  // Valid UTF-8.
};

// The token of one position, and the likeliest ones, as many as were asked for.
struct ShownLogprobs {
    ShownToken token;
    int rank = 1;
    std::vector<ShownToken> top;
};

// The first prompt token has no logprob: nothing predicted it.
using MaybeLogprobs = std::optional<ShownLogprobs>;

// A position of the prompt whose logprob is not known: its token alone.
struct LogprobRow {
    ShownToken token;  // Shown where logprobs is empty.
    MaybeLogprobs logprobs;
};

// How many characters the tokens' texts have.
int64_t characters(const std::vector<LogprobRow>& rows);

// {"text_offset":...,"token_logprobs":...,"tokens":...,"top_logprobs":...}: the form of
// completions. `offset`: characters of all tokens before.
std::string completion_logprobs_json(const std::vector<LogprobRow>& rows, int64_t offset);

// {"content":[{"token":...,"logprob":...,"bytes":...,"top_logprobs":[...]}]}: the form of chats. Of
// the likeliest tokens `top` are written, the token itself first.
std::string chat_logprobs_json(const std::vector<ShownLogprobs>& rows, int64_t top);

// [null,{"5":{"logprob":...,"rank":...,"decoded_token":...}},...]: one entry a prompt token.
std::string prompt_logprobs_json(const std::vector<LogprobRow>& rows);

}  // namespace fathom::api
