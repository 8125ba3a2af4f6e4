#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/generation_request.h"

namespace fathom::api {

// The body of POST /v1/completions, checked as far as that is possible without a vocabulary.
struct CompletionRequest : GenerationRequest {
    std::vector<Prompt> prompts;  // At least one; ids are >= 0.
    bool echo = false;            // The prompt is a part of the answer; allows max_tokens 0.
    bool add_special_tokens = true;
};

// The request, or why it is refused: broken JSON, a field of a wrong type, a value out of range, or
// a field that this version does not act on and that asks for something.
std::variant<CompletionRequest, RequestError> parse_completion_request(std::string_view body,
                                                                       const RequestRules& rules);

// Whether prompt and output fit a sequence.
std::optional<RequestError> check_length(int64_t prompt_tokens, int64_t max_tokens,
                                         int64_t max_model_len);

}  // namespace fathom::api
