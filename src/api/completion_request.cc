#include "api/completion_request.h"

#include "api/json_text.h"

namespace fathom::api {
namespace {

void read_prompt(BodyReader& body, CompletionRequest& request) {
    request.prompts = body.prompts("prompt").value_or(std::vector<Prompt>{});
    if (request.prompts.empty())
        body.fail(
            invalid("prompt", "Either prompt or prompt_embeds must be provided and non-empty."));
    for (const Prompt& prompt : request.prompts)
        if (const auto* ids = std::get_if<std::vector<Token>>(&prompt); ids && ids->empty())
            body.fail(invalid("prompt", "The decoder prompt cannot be empty"));
    if (body.has("suffix"))
        body.fail(invalid("suffix", "suffix is not currently supported; leave it out"));
}

void read_output(BodyReader& body, CompletionRequest& request) {
    request.max_tokens = body.integer("max_tokens").value_or(16);
    request.echo = body.boolean("echo").value_or(false);
    request.add_special_tokens = body.boolean("add_special_tokens").value_or(true);
    request.logprobs = body.integer("logprobs");
    const int64_t least = request.echo ? 0 : 1;
    if (request.max_tokens < least)
        body.fail(invalid("max_tokens", str("max_tokens must be at least ", least, ", got ",
                                            request.max_tokens, ".")));
}

}  // namespace

std::variant<CompletionRequest, RequestError> parse_completion_request(std::string_view text,
                                                                       const RequestRules& rules) {
    BodyReader body(text);
    CompletionRequest request;
    read_generation(body, rules, request);
    read_prompt(body, request);
    read_output(body, request);
    check_generation(body, rules, request);
    const auto choices = std::ssize(request.prompts) * request.n;
    if (choices > rules.choices_max)
        body.fail(invalid("prompt", str("prompts times n must be at most ", rules.choices_max,
                                        ", got ", choices, "; send several requests")));
    if (body.error()) return *body.error();
    settle_generation(request);
    return request;
}

std::optional<RequestError> check_length(int64_t prompt_tokens, int64_t max_tokens,
                                         int64_t max_model_len) {
    if (max_tokens < max_model_len) {
        const int64_t room = max_model_len - max_tokens;
        if (prompt_tokens <= room) return std::nullopt;
        return invalid("prompt", str("This model's maximum context length is ", room,
                                     " tokens. However, your request has ", prompt_tokens,
                                     " input tokens. Please reduce the length of the input "
                                     "messages."));
    }
    return invalid("max_tokens", str("This model's maximum context length is ", max_model_len,
                                     " tokens. However, you requested ", max_tokens,
                                     " output tokens and your prompt contains ", prompt_tokens,
                                     " input tokens. Please reduce max_tokens."));
}

}  // namespace fathom::api
