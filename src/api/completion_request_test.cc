#include "api/completion_request.h"

#include <gtest/gtest.h>

namespace fathom::api {
namespace {

using Parsed = std::variant<CompletionRequest, RequestError>;

Parsed parse(std::string_view body) { return parse_completion_request(body, {}); }

// A body with `fields` beside a prompt, quotes written as '.
std::string with(std::string fields) {
    std::string body = "{'prompt':'a'" + (fields.empty() ? "" : "," + fields) + "}";
    for (char& c : body)
        if (c == '\'') c = '"';
    return body;
}

CompletionRequest good(const std::string& fields) {
    Parsed parsed = parse(with(fields));
    if (const auto* error = std::get_if<RequestError>(&parsed)) {
        ADD_FAILURE() << fields << ": " << error->message;
        return {};
    }
    return std::get<CompletionRequest>(parsed);
}

RequestError bad_body(std::string_view body) {
    Parsed parsed = parse(body);
    if (const auto* error = std::get_if<RequestError>(&parsed)) return *error;
    ADD_FAILURE() << "accepted: " << body;
    return {};
}

RequestError bad(const std::string& fields) { return bad_body(with(fields)); }

TEST(CompletionRequest, TheTutorialsCurl) {
    const Parsed parsed =
        parse(R"({"model":"deepseek_v3.2","prompt":"The future of AI is","max_tokens":50,)"
              R"("temperature":0})");
    const auto& request = std::get<CompletionRequest>(parsed);
    EXPECT_EQ(request.model, "deepseek_v3.2");
    ASSERT_EQ(request.prompts.size(), 1u);
    EXPECT_EQ(std::get<std::string>(request.prompts[0]), "The future of AI is");
    EXPECT_EQ(request.max_tokens, 50);
    EXPECT_EQ(request.temperature, 0);
}

struct Rule {
    const char* fields;
    const char* param;
    const char* message;
};

class Rules : public ::testing::TestWithParam<Rule> {};

TEST_P(Rules, SaysWhatVllmSays) {
    const RequestError error = bad(GetParam().fields);
    EXPECT_EQ(error.message, GetParam().message);
    EXPECT_EQ(error.param, GetParam().param);
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.type, "BadRequestError");
}

const Rule kRules[] = {
    {"'n':0", "n", "n must be at least 1, got 0."},
    {"'n':-3000000000", "n", "n must be at least 1, got -1073741824."},
    {"'n':16385", "n", "n must be at most 16384, got 16385."},
    {"'n':2,'temperature':0", "n", "n must be 1 when using greedy sampling, got 2."},
    {"'presence_penalty':3", "presence_penalty", "presence_penalty must be in [-2, 2], got 3.0."},
    {"'frequency_penalty':-2.5", "frequency_penalty",
     "frequency_penalty must be in [-2, 2], got -2.5."},
    {"'repetition_penalty':0", "repetition_penalty",
     "repetition_penalty must be greater than zero, got 0.0."},
    {"'temperature':-1", "temperature", "temperature must be non-negative, got -1.0."},
    {"'top_p':0", "top_p", "top_p must be in (0, 1], got 0.0."},
    {"'top_p':1.5", "top_p", "top_p must be in (0, 1], got 1.5."},
    {"'top_k':-2", "top_k", "top_k must be 0 (disable), or at least 1, got -2."},
    {"'min_p':2", "min_p", "min_p must be in [0, 1], got 2.0."},
    {"'min_p':-1e-5", "min_p", "min_p must be in [0, 1], got -1e-05."},
    {"'max_tokens':0", "max_tokens", "max_tokens must be at least 1, got 0."},
    {"'min_tokens':-1", "min_tokens", "min_tokens must be greater than or equal to 0, got -1."},
    {"'max_tokens':5,'min_tokens':9", "min_tokens",
     "min_tokens must be less than or equal to max_tokens=5, got 9."},
    {"'stop':''", "stop", "stop cannot contain an empty string."},
    {"'stop':['a','']", "stop", "stop cannot contain an empty string."},
    {"'truncate_prompt_tokens':0", "truncate_prompt_tokens",
     "truncate_prompt_tokens must be an integer >= 1, or -1 for the model's maximum, got 0."},
    {"'stream_options':{}", "stream_options",
     "Stream options can only be defined when `stream=True`."},
    {"'prompt':null", "prompt", "Either prompt or prompt_embeds must be provided and non-empty."},
    {"'prompt':[]", "prompt", "Either prompt or prompt_embeds must be provided and non-empty."},
    {"'prompt':[[1],[]]", "prompt", "The decoder prompt cannot be empty"},
    {"'prompt':[1,-1]", "prompt", "Token id -1 is out of vocabulary"},
    {"'prompt':[4294967296]", "prompt", "Token id 4294967296 is out of vocabulary"},
    {"'suffix':'x'", "suffix", "suffix is not currently supported; leave it out"},
    {"'cache_salt':''", "cache_salt",
     "Parameter 'cache_salt' must be a non-empty string if provided."},
    {"'logprobs':21", "logprobs",
     "Requested sample logprobs of 21, which is greater than max allowed: 20"},
    {"'logprobs':-2", "logprobs", "`logprobs` must be a positive value."},
    {"'logprobs':-1", "logprobs",
     "Requested all sample logprobs, which needs --max-logprobs -1; max allowed: 20"},
    {"'prompt_logprobs':21", "prompt_logprobs",
     "Requested prompt logprobs of 21, which is greater than max allowed: 20"},
    {"'stream':true,'prompt_logprobs':1", "prompt_logprobs",
     "`prompt_logprobs` are not available when `stream=True`."},
    {"'echo':true,'max_tokens':-1", "max_tokens", "max_tokens must be at least 0, got -1."},
    {"'logit_bias':{'x':2}", "logit_bias",
     "logit_bias has the key \"x\"; keys are token ids of the vocabulary"},
    {"'logit_bias':{'-1':2}", "logit_bias",
     "logit_bias has the key \"-1\"; keys are token ids of the vocabulary"},
    {"'allowed_token_ids':[]", "allowed_token_ids", "allowed_token_ids is not None and empty!"},
    {"'bad_words':['a','']", "bad_words", "bad_words cannot contain an empty string"},
    {"'response_format':{'type':'json_schema'}", "response_format",
     "When response_format type is 'json_schema', the 'json_schema' field must be provided."},
    {"'response_format':{'type':'xml'}", "response_format",
     "response_format type \"xml\" is unknown; use \"text\", \"json_object\" or "
     "\"json_schema\""},
    {"'structured_outputs':{'json':{},'regex':'a'}", "structured_outputs",
     "You can only use one kind of structured output, got 2: json, regex, choice, grammar or "
     "json_object"},
    {"'structured_outputs':{'choice':[]}", "choice",
     "the list of choices is empty; name at least one"},
    {"'guided_regex':'a','structured_outputs':{'json':{}}", "guided_*",
     "only one of response_format, structured_outputs and guided_* can be used"},
    {"'use_beam_search':true", "use_beam_search",
     "use_beam_search is not supported; leave it out or set it to false"},
    {"'best_of':2", "best_of", "best_of must be 1; ask for several choices with n"},
    {"'prompt_embeds':'AA=='", "prompt_embeds", "`prompt_embeds` is not built yet; leave it out"},
    {"'prompt':['a','b','c'],'n':8192", "prompt",
     "prompts times n must be at most 16384, got 24576; send several requests"},
};
INSTANTIATE_TEST_SUITE_P(CompletionRequest, Rules, ::testing::ValuesIn(kRules));

class WrongTypes : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(WrongTypes, AreSchemaErrorsThatNameTheField) {
    const auto [fields, param] = GetParam();
    const RequestError error = bad(fields);
    EXPECT_EQ(error.type, "Bad Request");
    EXPECT_EQ(error.param, param);
    EXPECT_EQ(error.status, 400);
    EXPECT_NE(error.message.find(str("'loc': ('body', '", param, "')")), std::string::npos)
        << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    CompletionRequest, WrongTypes,
    ::testing::Values(
        std::pair{"'max_tokens':5.5", "max_tokens"}, std::pair{"'max_tokens':'5x'", "max_tokens"},
        std::pair{"'max_tokens':''", "max_tokens"}, std::pair{"'max_tokens':[5]", "max_tokens"},
        std::pair{"'max_tokens':9223372036854775808", "max_tokens"},
        std::pair{"'seed':1e30", "seed"}, std::pair{"'temperature':'hot'", "temperature"},
        std::pair{"'temperature':'nan'", "temperature"},
        std::pair{"'temperature':'1e999'", "temperature"}, std::pair{"'stream':'maybe'", "stream"},
        std::pair{"'stream':2", "stream"}, std::pair{"'model':5", "model"},
        std::pair{"'prompt':5", "prompt"}, std::pair{"'prompt':{}", "prompt"},
        std::pair{"'prompt':['a',5]", "prompt"}, std::pair{"'prompt':[5,'a']", "prompt"},
        std::pair{"'prompt':[[5],'a']", "prompt"}, std::pair{"'prompt':[[[5]]]", "prompt"},
        std::pair{"'prompt':[null]", "prompt"}, std::pair{"'stop':5", "stop"},
        std::pair{"'stop':['a',5]", "stop"}, std::pair{"'stop_token_ids':5", "stop_token_ids"},
        std::pair{"'stream_options':true", "stream_options"},
        std::pair{"'stream':true,'stream_options':{'include_usage':'?'}",
                  "stream_options.include_usage"},
        std::pair{"'kv_transfer_params':[]", "kv_transfer_params"},
        std::pair{"'cache_salt':5", "cache_salt"}, std::pair{"'priority':'high'", "priority"},
        std::pair{"'user':1", "user"}));

TEST(CompletionRequest, CoercesAsPydanticDoes) {
    const CompletionRequest r = good(
        "'max_tokens':' +5 ','temperature':'0.5','top_k':5.0,'n':true,'min_tokens':'2.00',"
        "'stream':'Yes','ignore_eos':1,'skip_special_tokens':'off','add_special_tokens':0.0,"
        "'top_p':1,'seed':'-7','stop':'x'");
    EXPECT_EQ(r.max_tokens, 5);
    EXPECT_EQ(r.temperature, 0.5);
    EXPECT_EQ(r.top_k, 5);
    EXPECT_EQ(r.n, 1);
    EXPECT_EQ(r.min_tokens, 2);
    EXPECT_TRUE(r.stream);
    EXPECT_TRUE(r.ignore_eos);
    EXPECT_FALSE(r.skip_special_tokens);
    EXPECT_FALSE(r.add_special_tokens);
    EXPECT_EQ(r.seed, -7);
    EXPECT_EQ(r.stop, std::vector<std::string>{"x"});
}

TEST(CompletionRequest, NullIsTheDefaultAndUnknownFieldsAreIgnored) {
    const SamplingDefaults defaults{.temperature = 0.6, .top_p = 0.95, .top_k = 7};
    std::string fields =
        "{\"prompt\":\"a\",\"no_such_field\":{\"deep\":[1]},\"best_of\":1,"
        "\"response_format\":{\"type\":\"text\"},\"logit_bias\":{},\"echo\":false";
    for (const char* field : {"model",
                              "max_tokens",
                              "temperature",
                              "top_p",
                              "top_k",
                              "min_p",
                              "presence_penalty",
                              "frequency_penalty",
                              "repetition_penalty",
                              "seed",
                              "n",
                              "stop",
                              "stop_token_ids",
                              "include_stop_str_in_output",
                              "ignore_eos",
                              "min_tokens",
                              "stream",
                              "stream_options",
                              "skip_special_tokens",
                              "add_special_tokens",
                              "truncate_prompt_tokens",
                              "request_id",
                              "user",
                              "return_token_ids",
                              "priority",
                              "cache_salt",
                              "kv_transfer_params",
                              "logprobs",
                              "prompt_logprobs",
                              "suffix",
                              "allowed_token_ids",
                              "bad_words",
                              "structured_outputs"})
        fields += str(",\"", field, "\":null");
    const Parsed parsed = parse_completion_request(fields + "}", {.defaults = defaults});
    const auto* r = std::get_if<CompletionRequest>(&parsed);
    ASSERT_NE(r, nullptr) << std::get<RequestError>(parsed).message;
    EXPECT_EQ(r->max_tokens, 16);
    EXPECT_EQ(r->temperature, 0.6);
    EXPECT_EQ(r->top_p, 0.95);
    EXPECT_EQ(r->top_k, 7);
    EXPECT_EQ(r->repetition_penalty, 1);
    EXPECT_EQ(r->seed, std::nullopt);
    EXPECT_EQ(r->n, 1);
    EXPECT_TRUE(r->add_special_tokens && r->skip_special_tokens);
    EXPECT_FALSE(r->stream || r->ignore_eos || r->return_token_ids || r->include_usage);
}

TEST(CompletionRequest, PromptForms) {
    const auto prompts = [](const std::string& prompt) {
        return good("'prompt':" + prompt).prompts;  // The later of two fields holds.
    };
    EXPECT_EQ(prompts("''"), (std::vector<Prompt>{""}));
    EXPECT_EQ(prompts("['a','b']"), (std::vector<Prompt>{"a", "b"}));
    EXPECT_EQ(prompts("[1,2,3]"), (std::vector<Prompt>{std::vector<Token>{1, 2, 3}}));
    EXPECT_EQ(prompts("[[1,2],[3]]"),
              (std::vector<Prompt>{std::vector<Token>{1, 2}, std::vector<Token>{3}}));
    EXPECT_EQ(prompts("[1.0,'2']"), (std::vector<Prompt>{std::vector<Token>{1, 2}}));
}

TEST(CompletionRequest, TemperatureNearZero) {
    const CompletionRequest greedy = good("'temperature':0,'top_p':0.5,'top_k':5,'min_p':0.1");
    EXPECT_EQ(greedy.top_p, 1);
    EXPECT_EQ(greedy.top_k, 0);
    EXPECT_EQ(greedy.min_p, 0);
    EXPECT_EQ(good("'temperature':1e-6").temperature, 0.01);
    EXPECT_EQ(good("'top_k':-1").top_k, 0);
    EXPECT_EQ(good("'seed':-1").seed, std::nullopt);
}

TEST(CompletionRequest, StreamOptions) {
    const CompletionRequest r =
        good("'stream':true,'stream_options':{'include_usage':true,'continuous_usage_stats':true}");
    EXPECT_TRUE(r.include_usage && r.continuous_usage_stats);
    EXPECT_FALSE(good("'stream':true,'stream_options':{}").include_usage);
    EXPECT_FALSE(good("'stream':true,'stream_options':{'continuous_usage_stats':true}")
                     .continuous_usage_stats);
}

TEST(CompletionRequest, Logprobs) {
    const CompletionRequest r = good("'logprobs':5,'prompt_logprobs':0,'echo':true,'max_tokens':0");
    EXPECT_EQ(r.logprobs, 5);
    EXPECT_EQ(r.prompt_logprobs, 0);
    EXPECT_TRUE(r.echo);
    EXPECT_EQ(r.max_tokens, 0);
    EXPECT_EQ(good("'logprobs':0").logprobs, 0);
    EXPECT_EQ(good("").logprobs, std::nullopt);
    EXPECT_FALSE(good("").return_tokens_as_token_ids);
    const Parsed all = parse_completion_request(with("'logprobs':-1,'prompt_logprobs':999"),
                                                {.max_logprobs = -1, .tokens_as_ids = true});
    ASSERT_TRUE(std::holds_alternative<CompletionRequest>(all));
    EXPECT_EQ(std::get<CompletionRequest>(all).logprobs, -1);
    EXPECT_TRUE(std::get<CompletionRequest>(all).return_tokens_as_token_ids);
}

TEST(CompletionRequest, WhatMayBeDrawn) {
    const CompletionRequest r = good(
        "'logit_bias':{'7':1.5,'8':-900,'9':'200'},'allowed_token_ids':[7,'8'],'bad_words':'no'");
    EXPECT_EQ(r.logit_bias, (std::vector<std::pair<Token, double>>{{7, 1.5}, {8, -100}, {9, 100}}));
    EXPECT_EQ(r.allowed_token_ids, (std::vector<Token>{7, 8}));
    EXPECT_EQ(r.bad_words, std::vector<std::string>{"no"});
    EXPECT_EQ(check_vocabulary(r, 10), std::nullopt);
    EXPECT_EQ(check_vocabulary(r, 9)->message,
              "token_id(s) [9] in logit_bias contain out-of-vocab token ids. Vocabulary size: 9");
    EXPECT_EQ(check_vocabulary(good("'allowed_token_ids':[3]"), 3)->param, "allowed_token_ids");
    EXPECT_EQ(good("'logit_bias':{}").allowed_token_ids, std::nullopt);
}

TEST(CompletionRequest, WhatTheTextMustBe) {
    using Kind = GrammarSpec::Kind;
    const auto is = [](const std::string& fields, Kind kind, const std::string& text) {
        const std::optional<GrammarSpec> spec = good(fields).grammar;
        return spec && spec->kind == kind && spec->text == text;
    };
    const std::string schema = R"({"z":1,"a":{"$ref":"#/x"}})";
    EXPECT_TRUE(is("'response_format':{'type':'json_object'}", Kind::json_object, ""));
    EXPECT_TRUE(
        is("'response_format':{'type':'json_schema','json_schema':{'name':'n','strict':"
           "true,'schema':" +
               schema + "}}",
           Kind::json_schema, schema));
    EXPECT_TRUE(is("'structured_outputs':{'json':" + schema + "}", Kind::json_schema, schema));
    EXPECT_TRUE(is("'guided_json':'{}'", Kind::json_schema, "{}"));
    EXPECT_TRUE(is("'structured_outputs':{'regex':'a+'}", Kind::regex, "a+"));
    EXPECT_TRUE(is("'guided_grammar':'root ::= x'", Kind::ebnf, "root ::= x"));
    EXPECT_TRUE(is("'structured_outputs':{'json_object':true}", Kind::json_object, ""));
    EXPECT_EQ(good("'guided_choice':['a','b']").grammar->choices,
              (std::vector<std::string>{"a", "b"}));
    EXPECT_FALSE(good("'response_format':{'type':'text'},'structured_outputs':{}").grammar);
}

TEST(CompletionRequest, OnlyAStopListMayHoldNulls) {
    EXPECT_EQ(good("'stop':[null,'a',null]").stop, std::vector<std::string>{"a"});
    EXPECT_EQ(bad("'bad_words':['a',null]").param, "bad_words");
}

TEST(CompletionRequest, UsageCanBeForced) {
    const Parsed parsed = parse_completion_request(with("'stream':true"), {.force_usage = true});
    EXPECT_TRUE(std::get<CompletionRequest>(parsed).include_usage);
    EXPECT_TRUE(std::get<CompletionRequest>(parsed).continuous_usage_stats);
}

TEST(CompletionRequest, BrokenBodies) {
    for (const char* body : {"", "{", "nonsense", "{\"prompt\":\"a\",}", "{\"prompt\":\"\xff\"}",
                             "{\"prompt\":\"\\ud800\"}", "{\"temperature\":1e400}",
                             "{\"temperature\":NaN}", "{\"prompt\":\"a\"} x"}) {
        const RequestError error = bad_body(body);
        EXPECT_NE(error.message.find("json_invalid"), std::string::npos) << body;
        EXPECT_NE(error.message.find("JSON decode error"), std::string::npos) << body;
        EXPECT_EQ(error.type, "Bad Request");
    }
    EXPECT_NE(bad_body("[1]").message.find("valid dictionary"), std::string::npos);
    const auto nested = [](int depth) {
        return "{\"prompt\":\"[[\\\"[\",\"x\":" + std::string(depth - 1, '[') +
               std::string(depth - 1, ']') + "}";
    };
    EXPECT_TRUE(std::holds_alternative<CompletionRequest>(parse(nested(128))));
    EXPECT_NE(bad_body(nested(129)).message.find("128 levels"), std::string::npos);
    EXPECT_NE(bad_body(std::string(1 << 20, '[')).message.find("128 levels"), std::string::npos);
}

TEST(CompletionRequest, ChecksThatNeedTheModel) {
    EXPECT_EQ(check_prompt({0, 9}, 10), std::nullopt);
    EXPECT_EQ(check_prompt({0, 10}, 10)->message, "Token id 10 is out of vocabulary");
    EXPECT_EQ(check_prompt({}, 10)->message, "The decoder prompt cannot be empty");
    EXPECT_EQ(check_length(90, 10, 100), std::nullopt);
    EXPECT_EQ(
        check_length(91, 10, 100)->message,
        "This model's maximum context length is 90 tokens. However, your request has 91 input "
        "tokens. Please reduce the length of the input messages.");
    EXPECT_EQ(
        check_length(1, 100, 100)->message,
        "This model's maximum context length is 100 tokens. However, you requested 100 output "
        "tokens and your prompt contains 1 input tokens. Please reduce max_tokens.");
    EXPECT_NE(check_length(1, INT64_MAX, 100), std::nullopt);
}

}  // namespace
}  // namespace fathom::api
