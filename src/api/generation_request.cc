#include "api/generation_request.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "api/json_text.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

// Fields that change the answer and are not acted on: asking for them is refused, by name. Their
// defaults are allowed, which clients send a lot.
constexpr const char* kNotBuilt[] = {"logits_processors", "prompt_embeds"};

void refuse_what_is_not_built(BodyReader& body) {
    for (const char* field : kNotBuilt)
        if (!body.is_off(field))
            body.fail(invalid(field, str("`", field, "` is not built yet; leave it out")));
    if (!body.is_off("use_beam_search"))
        body.fail(invalid("use_beam_search",
                          "use_beam_search is not supported; leave it out or set it to false"));
    if (body.integer("best_of").value_or(1) > 1)
        body.fail(invalid("best_of", "best_of must be 1; ask for several choices with n"));
}

void read_sampling(BodyReader& body, const SamplingDefaults& defaults, GenerationRequest& request) {
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

void read_logit_bias(BodyReader& body, GenerationRequest& request) {
    std::optional<BodyReader> bias = body.object("logit_bias");
    if (!bias) return;
    for (const std::string& key : bias->fields()) {
        Token id = 0;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
        const std::optional<double> value = bias->number(key.c_str());
        if (error != std::errc() || end != key.data() + key.size() || id < 0) {
            bias->fail(invalid("logit_bias", str("logit_bias has the key ", json_quoted(key),
                                                 "; keys are token ids of the vocabulary")));
        } else if (value) {
            request.logit_bias.emplace_back(id, std::clamp(*value, -100.0, 100.0));
        }
    }
    body.adopt(*bias);
}

void read_masks(BodyReader& body, GenerationRequest& request) {
    read_logit_bias(body, request);
    request.allowed_token_ids = body.tokens("allowed_token_ids");
    if (request.allowed_token_ids && request.allowed_token_ids->empty())
        body.fail(invalid("allowed_token_ids", "allowed_token_ids is not None and empty!"));
    request.bad_words = body.strings("bad_words").value_or(std::vector<std::string>{});
    if (std::ranges::any_of(request.bad_words, &std::string::empty))
        body.fail(invalid("bad_words", "bad_words cannot contain an empty string"));
}

void read_stops(BodyReader& body, GenerationRequest& request) {
    request.min_tokens = body.integer("min_tokens").value_or(0);
    // Evaluation harnesses send lists with nulls where a tokenizer has no end token.
    request.stop = body.strings("stop", /*drop_nulls=*/true).value_or(std::vector<std::string>{});
    request.include_stop_str_in_output = body.boolean("include_stop_str_in_output").value_or(false);
    request.stop_token_ids = body.tokens("stop_token_ids").value_or(std::vector<Token>{});
    request.ignore_eos = body.boolean("ignore_eos").value_or(false);
}

void read_stream(BodyReader& body, const RequestRules& rules, GenerationRequest& request) {
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
    if (request.stream && rules.force_usage)
        request.include_usage = request.continuous_usage_stats = true;
}

GrammarSpec spec_of(GrammarSpec::Kind kind, std::string text = "") {
    return {.kind = kind, .text = std::move(text)};
}

// A schema given as an object, or as the text of one.
std::optional<GrammarSpec> read_schema(BodyReader& body, const char* field) {
    if (!body.has(field)) return std::nullopt;
    return spec_of(GrammarSpec::Kind::json_schema,
                   body.is_string(field) ? *body.string(field) : *body.json(field));
}

// structured_outputs: {"json" | "regex" | "choice" | "grammar" | "json_object": ...}, of which one
// counts; the same under the older names guided_*.
std::optional<GrammarSpec> read_structured(BodyReader& body, const std::string& prefix) {
    const auto name = [&](const char* what) { return str(prefix, what); };
    std::vector<GrammarSpec> found;
    if (auto schema = read_schema(body, name("json").c_str())) found.push_back(*schema);
    if (auto regex = body.string(name("regex").c_str()))
        found.push_back(spec_of(GrammarSpec::Kind::regex, *regex));
    if (auto grammar = body.string(name("grammar").c_str()))
        found.push_back(spec_of(GrammarSpec::Kind::ebnf, *grammar));
    if (auto choices = body.strings(name("choice").c_str())) {
        found.push_back({.kind = GrammarSpec::Kind::choice, .choices = *choices});
        if (choices->empty())
            body.fail(invalid(name("choice"), "the list of choices is empty; name at least one"));
    }
    if (body.boolean(name("json_object").c_str()).value_or(false))
        found.push_back(spec_of(GrammarSpec::Kind::json_object));
    if (body.has(name("structural_tag").c_str()))
        body.fail(invalid(name("structural_tag"),
                          "structural_tag is not built yet; use json, "
                          "regex, choice or grammar"));
    if (found.size() > 1)
        body.fail(invalid(prefix.empty() ? "structured_outputs" : str(prefix, "*"),
                          str("You can only use one kind of structured output, got ", found.size(),
                              ": json, regex, choice, grammar or json_object")));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
}

void read_grammar(BodyReader& body, GenerationRequest& request) {
    request.grammar = read_response_format(body);
    const auto take = [&](std::optional<GrammarSpec> spec, const char* field) {
        if (!spec) return;
        if (request.grammar)
            body.fail(invalid(field,
                              "only one of response_format, structured_outputs and guided_* "
                              "can be used"));
        request.grammar = std::move(spec);
    };
    if (auto inner = body.object("structured_outputs")) {
        take(read_structured(*inner, ""), "structured_outputs");
        body.adopt(*inner);
    }
    take(read_structured(body, "guided_"), "guided_*");
}

void read_rest(BodyReader& body, const RequestRules& rules, GenerationRequest& request) {
    request.model = body.string("model").value_or("");
    request.skip_special_tokens = body.boolean("skip_special_tokens").value_or(true);
    request.return_token_ids = body.boolean("return_token_ids").value_or(false);
    request.return_tokens_as_token_ids =
        body.boolean("return_tokens_as_token_ids").value_or(rules.tokens_as_ids);
    request.truncate_prompt_tokens = body.integer("truncate_prompt_tokens");
    request.request_id = body.string("request_id").value_or("");
    request.priority = body.integer("priority").value_or(0);
    request.prompt_logprobs = body.integer("prompt_logprobs");
    // Checked for their types, and without a meaning here.
    body.boolean("spaces_between_special_tokens");
    body.string("user");
    if (auto params = body.object("kv_transfer_params")) body.adopt(*params);
    if (const auto salt = body.string("cache_salt")) {
        request.cache_salt = *salt;
        if (salt->empty())
            body.fail(invalid("cache_salt",
                              "Parameter 'cache_salt' must be a non-empty string if provided."));
    }
}

using Check = std::function<void(bool, const char*, const std::string&)>;

// Source: vLLM's SamplingParams (0.13), in its order.
void check_sampling(const Check& check, const RequestRules& rules, const GenerationRequest& r) {
    check(r.n >= 1, "n", str("n must be at least 1, got ", r.n, "."));
    check(r.n <= rules.choices_max, "n",
          str("n must be at most ", rules.choices_max, ", got ", r.n, "."));
    check(std::abs(r.presence_penalty) <= 2, "presence_penalty",
          str("presence_penalty must be in [-2, 2], got ", float_text(r.presence_penalty), "."));
    check(std::abs(r.frequency_penalty) <= 2, "frequency_penalty",
          str("frequency_penalty must be in [-2, 2], got ", float_text(r.frequency_penalty), "."));
    check(r.repetition_penalty > 0, "repetition_penalty",
          str("repetition_penalty must be greater than zero, got ",
              float_text(r.repetition_penalty), "."));
    check(r.temperature >= 0, "temperature",
          str("temperature must be non-negative, got ", float_text(r.temperature), "."));
    check(r.top_p > 0 && r.top_p <= 1, "top_p",
          str("top_p must be in (0, 1], got ", float_text(r.top_p), "."));
    check(r.top_k >= -1, "top_k",
          str("top_k must be 0 (disable), or at least 1, got ", r.top_k, "."));
    check(r.min_p >= 0 && r.min_p <= 1, "min_p",
          str("min_p must be in [0, 1], got ", float_text(r.min_p), "."));
    check(r.min_tokens >= 0, "min_tokens",
          str("min_tokens must be greater than or equal to 0, got ", r.min_tokens, "."));
    check(r.min_tokens <= std::max<int64_t>(r.max_tokens, 1), "min_tokens",
          str("min_tokens must be less than or equal to max_tokens=", r.max_tokens, ", got ",
              r.min_tokens, "."));
    const int64_t keep = r.truncate_prompt_tokens.value_or(-1);
    check(keep == -1 || keep >= 1, "truncate_prompt_tokens",
          str("truncate_prompt_tokens must be an integer >= 1, or -1 for the model's maximum, got ",
              keep, "."));
    check(std::ranges::none_of(r.stop, &std::string::empty), "stop",
          "stop cannot contain an empty string.");
    check(r.n <= 1 || r.temperature != 0, "n",
          str("n must be 1 when using greedy sampling, got ", r.n, "."));
}

void check_logprobs(const Check& check, const RequestRules& rules, const GenerationRequest& r) {
    const auto check_one = [&](const std::optional<int64_t>& asked, const char* field,
                               const char* what) {
        if (!asked) return;
        check(*asked >= -1, field, str("`", field, "` must be a positive value."));
        check(rules.max_logprobs == -1 || *asked <= rules.max_logprobs, field,
              str("Requested ", what, " logprobs of ", *asked,
                  ", which is greater than max allowed: ", rules.max_logprobs));
        check(rules.max_logprobs == -1 || *asked != -1, field,
              str("Requested all ", what,
                  " logprobs, which needs --max-logprobs -1; max allowed: ", rules.max_logprobs));
    };
    check_one(r.logprobs, "logprobs", "sample");
    check_one(r.prompt_logprobs, "prompt_logprobs", "prompt");
}

}  // namespace

RequestError invalid(const std::string& param, std::string message) {
    return {.message = std::move(message), .param = param};
}

std::optional<GrammarSpec> read_response_format(BodyReader& body) {
    std::optional<BodyReader> format = body.object("response_format");
    if (!format) return std::nullopt;
    const std::string type = format->string("type").value_or("");
    std::optional<GrammarSpec> spec;
    if (type == "json_object") {
        spec = spec_of(GrammarSpec::Kind::json_object);
    } else if (type == "json_schema") {
        std::optional<BodyReader> inner = format->object("json_schema");
        if (!inner || !inner->has("schema")) {
            format->fail(invalid("response_format",
                                 "When response_format type is 'json_schema', the 'json_schema' "
                                 "field must be provided."));
        } else {
            spec = read_schema(*inner, "schema");
        }
    } else if (type != "text") {
        format->fail(invalid("response_format",
                             str("response_format type ", json_quoted(type),
                                 " is unknown; use \"text\", \"json_object\" or \"json_schema\"")));
    }
    body.adopt(*format);
    return spec;
}

void read_generation(BodyReader& body, const RequestRules& rules, GenerationRequest& request) {
    refuse_what_is_not_built(body);
    read_rest(body, rules, request);
    read_stream(body, rules, request);
    read_stops(body, request);
    read_sampling(body, rules.defaults, request);
    read_masks(body, request);
    read_grammar(body, request);
}

void check_generation(BodyReader& body, const RequestRules& rules,
                      const GenerationRequest& request) {
    if (body.error()) return;
    const Check check = [&](bool good, const char* field, const std::string& message) {
        if (!good) body.fail(invalid(field, message));
    };
    check_sampling(check, rules, request);
    check_logprobs(check, rules, request);
    check(!request.stream || request.prompt_logprobs.value_or(0) == 0, "prompt_logprobs",
          "`prompt_logprobs` are not available when `stream=True`.");
}

void settle_generation(GenerationRequest& request) {
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

std::optional<RequestError> check_prompt(const std::vector<Token>& prompt, int64_t vocab_size) {
    if (prompt.empty()) return invalid("prompt", "The decoder prompt cannot be empty");
    for (const Token id : prompt)
        if (id < 0 || id >= vocab_size)
            return invalid("prompt", str("Token id ", id, " is out of vocabulary"));
    return std::nullopt;
}

std::optional<RequestError> check_vocabulary(const GenerationRequest& request, int64_t vocab_size) {
    const auto outside = [&](Token id) { return id < 0 || id >= vocab_size; };
    for (const auto& [id, bias] : request.logit_bias)
        if (outside(id))
            return invalid("logit_bias", str("token_id(s) [", id,
                                             "] in logit_bias contain out-of-vocab token ids. "
                                             "Vocabulary size: ",
                                             vocab_size));
    for (const Token id : request.allowed_token_ids.value_or(std::vector<Token>{}))
        if (outside(id))
            return invalid("allowed_token_ids",
                           str("token_id(s) [", id,
                               "] in allowed_token_ids contain out-of-vocab token ids. "
                               "Vocabulary size: ",
                               vocab_size));
    return std::nullopt;
}

}  // namespace fathom::api
