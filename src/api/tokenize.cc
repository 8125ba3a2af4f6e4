#include "api/tokenize.h"

#include "base/check.h"
#include "text/json_value.h"

namespace fathom::api {

std::variant<TokenizeRequest, RequestError> parse_tokenize_request(std::string_view text) {
    BodyReader body(text);
    TokenizeRequest request;
    request.model = body.string("model").value_or("");
    request.return_token_strs = body.boolean("return_token_strs").value_or(false);
    const bool is_chat = body.has("messages");
    request.add_special_tokens = body.boolean("add_special_tokens").value_or(!is_chat);
    if (is_chat) {
        request.input.emplace<ChatRequest>().conversation = read_conversation(body);
    } else if (auto prompt = body.string("prompt")) {
        request.input = *std::move(prompt);
    } else {
        body.fail(invalid("prompt", "Either prompt or messages must be provided."));
    }
    if (body.error()) return *body.error();
    return request;
}

std::string tokenize_json(const std::vector<Token>& tokens, int64_t max_model_len,
                          const std::optional<std::vector<std::string>>& strings) {
    std::string out =
        str(R"({"count":)", tokens.size(), R"(,"max_model_len":)", max_model_len, R"(,"tokens":[)");
    for (size_t i = 0; i < tokens.size(); ++i) out += str(i == 0 ? "" : ",", tokens[i]);
    out += R"(],"token_strs":)";
    if (!strings) return out += "null}";
    out += '[';
    for (size_t i = 0; i < strings->size(); ++i)
        out += str(i == 0 ? "" : ",", json_quoted((*strings)[i]));
    return out += "]}";
}

std::variant<DetokenizeRequest, RequestError> parse_detokenize_request(std::string_view text) {
    BodyReader body(text);
    DetokenizeRequest request;
    request.model = body.string("model").value_or("");
    if (auto tokens = body.tokens("tokens"))
        request.tokens = *std::move(tokens);
    else
        body.fail(invalid("tokens", "tokens must be provided: a list of token ids"));
    if (body.error()) return *body.error();
    return request;
}

std::string detokenize_json(std::string_view text) {
    return str(R"({"prompt":)", json_quoted(text), "}");
}

}  // namespace fathom::api
