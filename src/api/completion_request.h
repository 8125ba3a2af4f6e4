#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/body_reader.h"
#include "api/error.h"
#include "base/token.h"

namespace fathom::api {

// What the checkpoint's generation_config.json says for requests that do not.
struct SamplingDefaults {
    double temperature = 1, top_p = 1, min_p = 0, repetition_penalty = 1;
    int64_t top_k = 0;
};

// The body of POST /v1/completions, checked as far as that is possible without a vocabulary: all
// numbers are in the ranges below. Names, ranges and defaults are vLLM's.
struct CompletionRequest {
    std::string model;            // Empty: not given.
    std::vector<Prompt> prompts;  // At least one; ids are >= 0.
    int64_t max_tokens = 16;      // >= 1
    int64_t min_tokens = 0;       // 0..max_tokens
    int n = 1;                    // 1..kChoicesMax; 1 if temperature is 0

    double temperature = 1;         // 0: greedy (then top_p 1, top_k 0, min_p 0); else >= 0.01
    double top_p = 1;               // (0, 1]
    int64_t top_k = 0;              // 0: off
    double min_p = 0;               // [0, 1]
    double presence_penalty = 0;    // [-2, 2]
    double frequency_penalty = 0;   // [-2, 2]
    double repetition_penalty = 1;  // > 0
    std::optional<int64_t> seed;    // None: drawn at admission.

    std::vector<std::string> stop;  // None empty.
    bool include_stop_str_in_output = false;
    std::vector<Token> stop_token_ids;
    bool ignore_eos = false;

    bool stream = false;
    bool include_usage = false, continuous_usage_stats = false;  // The second only with the first.

    bool skip_special_tokens = true;
    bool add_special_tokens = true;
    bool return_token_ids = false;
    std::optional<int64_t> truncate_prompt_tokens;  // The last k tokens; -1: max_model_len
    std::string request_id;                         // Empty: not given.
    int64_t priority = 0;

    static constexpr int kChoicesMax = 16384;
};

// The request, or why it is refused: broken JSON, a field of a wrong type, a value out of range, or
// a field that this version does not act on and that asks for something.
std::variant<CompletionRequest, RequestError> parse_completion_request(
    std::string_view body, const SamplingDefaults& defaults);

// The checks that need the tokenizer. `prompt` is one tokenized prompt after truncation.
std::optional<RequestError> check_vocabulary(const std::vector<Token>& prompt, int64_t vocab_size);
std::optional<RequestError> check_length(int64_t prompt_tokens, int64_t max_tokens,
                                         int64_t max_model_len);

}  // namespace fathom::api
