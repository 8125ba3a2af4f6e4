#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/body_reader.h"
#include "api/error.h"
#include "base/token.h"
#include "text/grammar.h"

namespace fathom::api {

// What the checkpoint's generation_config.json says for requests that do not.
struct SamplingDefaults {
    double temperature = 1, top_p = 1, min_p = 0, repetition_penalty = 1;
    int64_t top_k = 0;
};

// What this server allows, from its flags; the same for every request.
struct RequestRules {
    SamplingDefaults defaults;
    int64_t max_logprobs = 20;    // --max-logprobs; -1: no limit
    int64_t choices_max = 16384;  // prompts * n of one request
    bool force_usage = false;     // --enable-force-include-usage
    bool tokens_as_ids = false;   // --return-tokens-as-token-ids
};

// The fields that every endpoint which generates understands: how tokens are drawn, when a choice
// ends, what is reported. All numbers are in the ranges below. Names, ranges and defaults are
// vLLM's.
struct GenerationRequest {
    std::string model;        // Empty: not given.
    int64_t max_tokens = 16;  // >= 1; 0 only where an endpoint allows it
    int64_t min_tokens = 0;   // 0..max_tokens
    int n = 1;                // 1..choices_max; 1 if temperature is 0

    double temperature = 1;         // 0: greedy (then top_p 1, top_k 0, min_p 0); else >= 0.01
    double top_p = 1;               // (0, 1]
    int64_t top_k = 0;              // 0: off
    double min_p = 0;               // [0, 1]
    double presence_penalty = 0;    // [-2, 2]
    double frequency_penalty = 0;   // [-2, 2]
    double repetition_penalty = 1;  // > 0
    std::optional<int64_t> seed;    // None: drawn at admission.

    std::vector<std::pair<Token, double>> logit_bias;  // [-100, 100]
    std::optional<std::vector<Token>> allowed_token_ids;
    std::vector<std::string> bad_words;  // None empty.
    std::optional<GrammarSpec> grammar;  // response_format, structured_outputs, guided_*

    std::vector<std::string> stop;  // None empty.
    bool include_stop_str_in_output = false;
    std::vector<Token> stop_token_ids;
    bool ignore_eos = false;

    bool stream = false;
    bool include_usage = false, continuous_usage_stats = false;  // The second only with the first.

    // How many of the most likely tokens are reported; -1: all. None: no logprobs.
    std::optional<int64_t> logprobs, prompt_logprobs;
    bool return_tokens_as_token_ids = false;
    bool return_token_ids = false;
    bool skip_special_tokens = true;

    std::optional<int64_t> truncate_prompt_tokens;  // The last k tokens; -1: max_model_len
    std::string request_id;                         // Empty: not given.
    int64_t priority = 0;
    std::string cache_salt;
};

// Reads the shared fields but max_tokens and logprobs, whose names differ by endpoint. What is not
// built is refused by name.
void read_generation(BodyReader& body, const RequestRules& rules, GenerationRequest& request);

// The ranges; call when everything is read.
void check_generation(BodyReader& body, const RequestRules& rules,
                      const GenerationRequest& request);

// What the numbers mean, once they are in range.
void settle_generation(GenerationRequest& request);

// response_format of a body or of a message: null and "text" ask for nothing.
std::optional<GrammarSpec> read_response_format(BodyReader& body);

// A 400 about one field.
RequestError invalid(const std::string& param, std::string message);

// The checks that need the tokenizer. `prompt` is one tokenized prompt after truncation.
std::optional<RequestError> check_prompt(const std::vector<Token>& prompt, int64_t vocab_size);
std::optional<RequestError> check_vocabulary(const GenerationRequest& request, int64_t vocab_size);

}  // namespace fathom::api
