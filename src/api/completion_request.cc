#include "api/completion_request.h"

#include <algorithm>

#include "api/json_text.h"

namespace fathom::api {
namespace {

// Fields that change the answer and are not acted on: asking for them is refused, by name. Their
// defaults are allowed, which clients send a lot.
constexpr const char* kNotBuiltUnlessNull[] = {
    "logprobs",     "prompt_logprobs", "allowed_token_ids", "structured_outputs", "guided_json",
    "guided_regex", "guided_choice",   "guided_grammar",    "logits_processors",  "prompt_embeds"};
constexpr const char* kNotBuiltUnlessOff[] = {"echo",
                                              "logit_bias",
                                              "bad_words",
                                              "use_beam_search",
                                              "return_tokens_as_token_ids",
                                              "guided_json_object"};

RequestError invalid(const char* param, std::string message) {
    return {.message = std::move(message), .param = param};
}

void refuse_what_is_not_built(BodyReader& body) {
    const auto refuse = [&](const char* field) {
        body.fail(invalid(field, str("`", field, "` is not built yet; leave it out")));
    };
    for (const char* field : kNotBuiltUnlessNull)
        if (body.has(field)) refuse(field);
    for (const char* field : kNotBuiltUnlessOff)
        if (!body.is_off(field)) refuse(field);
    if (body.integer("best_of").value_or(1) > 1) refuse("best_of");
    if (body.has("suffix"))
        body.fail(invalid("suffix", "suffix is not currently supported; leave it out"));
    if (auto format = body.object("response_format")) {
        if (format->string("type").value_or("") != "text") refuse("response_format");
        body.adopt(*format);
    }
}

void read_prompt(BodyReader& body, CompletionRequest& request) {
    request.prompts = body.prompts("prompt").value_or(std::vector<Prompt>{});
    if (request.prompts.empty())
        body.fail(
            invalid("prompt", "Either prompt or prompt_embeds must be provided and non-empty."));
    for (const Prompt& prompt : request.prompts)
        if (const auto* ids = std::get_if<std::vector<Token>>(&prompt); ids && ids->empty())
            body.fail(invalid("prompt", "The decoder prompt cannot be empty"));
}

void read_sampling(BodyReader& body, const SamplingDefaults& defaults, CompletionRequest& request) {
    request.n =
        static_cast<int>(std::clamp<int64_t>(body.integer("n").value_or(1), -(1 << 30), 1 << 30));
    request.temperature = body.number("temperature").value_or(defaults.temperature);
    request.top_p = body.number("top_p").value_or(defaults.top_p);
    request.top_k = body.integer("top_k").value_or(defaults.top_k);
    request.min_p = body.number("min_p").value_or(defaults.min_p);
    request.presence_penalty = body.number("presence_penalty").value_or(0);
    request.frequency_penalty = body.number("frequency_penalty").value_or(0);
    request.repetition_penalty =
        body.number("repetition_penalty").value_or(defaults.repetition_penalty);
    request.seed = body.integer("seed");
    if (request.seed == -1) request.seed.reset();
}

void read_stops(BodyReader& body, CompletionRequest& request) {
    request.max_tokens = body.integer("max_tokens").value_or(16);
    request.min_tokens = body.integer("min_tokens").value_or(0);
    request.stop = body.strings("stop").value_or(std::vector<std::string>{});
    request.include_stop_str_in_output = body.boolean("include_stop_str_in_output").value_or(false);
    request.stop_token_ids = body.tokens("stop_token_ids").value_or(std::vector<Token>{});
    request.ignore_eos = body.boolean("ignore_eos").value_or(false);
}

void read_stream(BodyReader& body, CompletionRequest& request) {
    request.stream = body.boolean("stream").value_or(false);
    if (auto options = body.object("stream_options")) {
        request.include_usage = options->boolean("include_usage").value_or(false);
        request.continuous_usage_stats =
            options->boolean("continuous_usage_stats").value_or(false) && request.include_usage;
        body.adopt(*options);
        if (!request.stream)
            body.fail(invalid("stream_options",
                              "Stream options can only be defined when `stream=True`."));
    }
}

void read_rest(BodyReader& body, CompletionRequest& request) {
    request.model = body.string("model").value_or("");
    request.skip_special_tokens = body.boolean("skip_special_tokens").value_or(true);
    request.add_special_tokens = body.boolean("add_special_tokens").value_or(true);
    request.return_token_ids = body.boolean("return_token_ids").value_or(false);
    request.truncate_prompt_tokens = body.integer("truncate_prompt_tokens");
    request.request_id = body.string("request_id").value_or("");
    request.priority = body.integer("priority").value_or(0);
    // Checked for their types, and without a meaning here.
    body.boolean("spaces_between_special_tokens");
    body.string("user");
    if (auto params = body.object("kv_transfer_params")) body.adopt(*params);
    if (const auto salt = body.string("cache_salt"); salt && salt->empty())
        body.fail(invalid("cache_salt",
                          "Parameter 'cache_salt' must be a non-empty string if provided."));
}

// Source: vLLM's SamplingParams (0.13), in its order.
void check_sampling(BodyReader& body, const CompletionRequest& r) {
    const auto check = [&](bool good, const char* field, const auto&... message) {
        if (!good) body.fail(invalid(field, str(message...)));
    };
    check(r.n >= 1, "n", "n must be at least 1, got ", r.n, ".");
    check(r.n <= r.kChoicesMax, "n", "n must be at most ", r.kChoicesMax, ", got ", r.n, ".");
    check(std::abs(r.presence_penalty) <= 2, "presence_penalty",
          "presence_penalty must be in [-2, 2], got ", float_text(r.presence_penalty), ".");
    check(std::abs(r.frequency_penalty) <= 2, "frequency_penalty",
          "frequency_penalty must be in [-2, 2], got ", float_text(r.frequency_penalty), ".");
    check(r.repetition_penalty > 0, "repetition_penalty",
          "repetition_penalty must be greater than zero, got ", float_text(r.repetition_penalty),
          ".");
    check(r.temperature >= 0, "temperature", "temperature must be non-negative, got ",
          float_text(r.temperature), ".");
    check(r.top_p > 0 && r.top_p <= 1, "top_p", "top_p must be in (0, 1], got ",
          float_text(r.top_p), ".");
    check(r.top_k >= -1, "top_k", "top_k must be 0 (disable), or at least 1, got ", r.top_k, ".");
    check(r.min_p >= 0 && r.min_p <= 1, "min_p", "min_p must be in [0, 1], got ",
          float_text(r.min_p), ".");
    check(r.max_tokens >= 1, "max_tokens", "max_tokens must be at least 1, got ", r.max_tokens,
          ".");
    check(r.min_tokens >= 0, "min_tokens", "min_tokens must be greater than or equal to 0, got ",
          r.min_tokens, ".");
    check(r.min_tokens <= r.max_tokens, "min_tokens",
          "min_tokens must be less than or equal to max_tokens=", r.max_tokens, ", got ",
          r.min_tokens, ".");
    const int64_t keep = r.truncate_prompt_tokens.value_or(-1);
    check(keep == -1 || keep >= 1, "truncate_prompt_tokens",
          "truncate_prompt_tokens must be an integer >= 1, or -1 for the model's maximum, got ",
          keep, ".");
    check(std::ranges::none_of(r.stop, &std::string::empty), "stop",
          "stop cannot contain an empty string.");
    check(r.n <= 1 || r.temperature != 0, "n", "n must be 1 when using greedy sampling, got ", r.n,
          ".");
}

// What the numbers mean, once they are in range.
void settle_sampling(CompletionRequest& request) {
    if (request.top_k == -1) request.top_k = 0;
    if (request.temperature > 0) {
        request.temperature = std::max(request.temperature, 0.01);
        return;
    }
    request.temperature = 0;
    request.top_p = 1;
    request.top_k = 0;
    request.min_p = 0;
}

}  // namespace

std::variant<CompletionRequest, RequestError> parse_completion_request(
    std::string_view text, const SamplingDefaults& defaults) {
    BodyReader body(text);
    CompletionRequest request;
    refuse_what_is_not_built(body);
    read_rest(body, request);
    read_prompt(body, request);
    read_stream(body, request);
    read_stops(body, request);
    read_sampling(body, defaults, request);
    if (!body.error()) check_sampling(body, request);
    if (body.error()) return *body.error();
    settle_sampling(request);
    return request;
}

std::optional<RequestError> check_vocabulary(const std::vector<Token>& prompt, int64_t vocab_size) {
    if (prompt.empty()) return invalid("prompt", "The decoder prompt cannot be empty");
    for (const Token id : prompt)
        if (id < 0 || id >= vocab_size)
            return invalid("prompt", str("Token id ", id, " is out of vocabulary"));
    return std::nullopt;
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
