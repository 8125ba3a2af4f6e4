#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/ending.h"
#include "api/logprobs.h"
#include "api/usage.h"
#include "base/token.h"

namespace fathom::api {

// What all pieces of one answer share.
struct CompletionHead {
    std::string id;       // "cmpl-..."
    int64_t created = 0;  // Unix time, s.
    std::string model;    // The first served name.

    // The beginning of each piece, to its choices: written once, sent with every token.
    std::string json() const;
};

// One choice of a whole answer, or what one step added to it.
struct CompletionChoice {
    int index = 0;  // prompt * n + sample
    std::string text;
    Ending ending;
    // With return_token_ids; of a stream: prompt_token_ids with the first chunk of a choice only.
    std::optional<std::vector<Token>> token_ids, prompt_token_ids;
    // Where asked for: of this text (the prompt's first, with echo), which begins `text_offset`
    // characters after the beginning of the choice; and of the prompt's tokens.
    std::optional<std::vector<LogprobRow>> logprobs, prompt_logprobs;
    int64_t text_offset = 0;
};

// `head` is CompletionHead::json(). The whole answer, null fields written. Source: vLLM's
// CompletionResponse (0.13).
std::string completion_json(const std::string& head, const std::vector<CompletionChoice>& choices,
                            const Usage& usage);

// One event of a stream; `usage` with continuous_usage_stats only.
std::string completion_chunk_json(const std::string& head, const CompletionChoice& choice,
                                  const std::optional<Usage>& usage);
// The last event before "[DONE]" with include_usage: no choices.
std::string completion_usage_json(const std::string& head, const Usage& usage);

}  // namespace fathom::api
