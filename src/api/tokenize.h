#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/chat_request.h"
#include "api/error.h"
#include "base/token.h"

namespace fathom::api {

// The body of POST /tokenize: a text, or a chat as /v1/chat/completions takes it.
struct TokenizeRequest {
    std::string model;                             // Empty: not given.
    std::variant<std::string, ChatRequest> input;  // Only the chat's conversation counts.
    bool add_special_tokens = true;                // Chats: false unless given.
    bool return_token_strs = false;
};

std::variant<TokenizeRequest, RequestError> parse_tokenize_request(std::string_view body);

// {"count":...,"max_model_len":...,"tokens":[...],"token_strs":...}
std::string tokenize_json(const std::vector<Token>& tokens, int64_t max_model_len,
                          const std::optional<std::vector<std::string>>& strings);

// The body of POST /detokenize.
struct DetokenizeRequest {
    std::string model;
    std::vector<Token> tokens;  // >= 0
};

std::variant<DetokenizeRequest, RequestError> parse_detokenize_request(std::string_view body);

// {"prompt":...}
std::string detokenize_json(std::string_view text);

}  // namespace fathom::api
