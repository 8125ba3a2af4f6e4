#include "api/completion_response.h"

#include <gtest/gtest.h>

#include "api/error.h"
#include "api/json_text.h"
#include "api/models.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

const CompletionHead kHead{.id = "cmpl-1", .created = 1760000000, .model = "dsv3"};

// The samples are those of the specification that clients were checked against.
TEST(CompletionResponse, WholeAnswerWritesNulls) {
    EXPECT_EQ(
        completion_json(kHead.json(), {{.text = " bright", .ending = {.finish_reason = "length"}}},
                        {.prompt_tokens = 5, .completion_tokens = 1}),
        R"({"id":"cmpl-1","object":"text_completion","created":1760000000,"model":"dsv3",)"
        R"("choices":[{"index":0,"text":" bright","logprobs":null,"finish_reason":"length",)"
        R"("stop_reason":null,"token_ids":null,"prompt_logprobs":null,"prompt_token_ids":null}],)"
        R"("service_tier":null,"system_fingerprint":null,"usage":{"prompt_tokens":5,)"
        R"("total_tokens":6,"completion_tokens":1,"prompt_tokens_details":null},)"
        R"("kv_transfer_params":null})");
}

TEST(CompletionResponse, SeveralChoicesWithIdsAndReasons) {
    const std::string json = completion_json(
        kHead.json(),
        {{.index = 0, .ending = {.finish_reason = "stop", .stop_reason = std::string("\n\n")}},
         {.index = 1,
          .ending = {.finish_reason = "stop", .stop_reason = Token{7}},
          .token_ids = std::vector<Token>{1, 7},
          .prompt_token_ids = std::vector<Token>{}}},
        {.prompt_tokens = 2, .completion_tokens = 3, .cached_tokens = 0});
    EXPECT_NE(json.find(R"("stop_reason":"\n\n","token_ids":null)"), json.npos) << json;
    EXPECT_NE(json.find(R"(},{"index":1,"text":"","logprobs":null,"finish_reason":"stop",)"
                        R"("stop_reason":7,"token_ids":[1,7],"prompt_logprobs":null,)"
                        R"("prompt_token_ids":[]}])"),
              json.npos)
        << json;
    EXPECT_NE(json.find(R"("prompt_tokens_details":{"cached_tokens":0})"), json.npos) << json;
}

TEST(CompletionResponse, Chunks) {
    EXPECT_EQ(completion_chunk_json(kHead.json(), {.text = " bright"}, {}),
              R"({"id":"cmpl-1","object":"text_completion","created":1760000000,"model":"dsv3",)"
              R"("choices":[{"index":0,"text":" bright","logprobs":null,"finish_reason":null,)"
              R"("stop_reason":null,"prompt_token_ids":null,"token_ids":null}],"usage":null})");
    const Usage usage{.prompt_tokens = 5, .completion_tokens = 2};
    EXPECT_TRUE(completion_chunk_json(kHead.json(), {}, usage)
                    .ends_with(R"("usage":{"prompt_tokens":5,"total_tokens":7,)"
                               R"("completion_tokens":2}})"));
    EXPECT_EQ(completion_usage_json(kHead.json(), usage),
              R"({"id":"cmpl-1","object":"text_completion","created":1760000000,"model":"dsv3",)"
              R"("choices":[],"usage":{"prompt_tokens":5,"total_tokens":7,)"
              R"("completion_tokens":2}})");
}

TEST(JsonText, Strings) {
    EXPECT_EQ(json_quoted("a\"b\\c/\n\t\r\b\f\x01\x1f\x7f"),
              "\"a\\\"b\\\\c/\\n\\t\\r\\b\\f\\u0001\\u001f\x7f\"");
    EXPECT_EQ(json_quoted("é 漢 😀"), "\"é 漢 😀\"");
    EXPECT_EQ(json_quoted("a\xff z"), "\"a\xef\xbf\xbd z\"");
    EXPECT_EQ(json_quoted(std::string_view("\0", 1)), "\"\\u0000\"");
    EXPECT_EQ(quoted_or_null(std::nullopt), "null");
    EXPECT_EQ(quoted_or_null(""), "\"\"");
}

TEST(JsonText, FloatsAsPythonPrintsThem) {
    EXPECT_EQ(float_text(3), "3.0");
    EXPECT_EQ(float_text(-0.1), "-0.1");
    EXPECT_EQ(float_text(1e-5), "1e-05");
    EXPECT_EQ(float_text(1e-4), "0.0001");
    EXPECT_EQ(float_text(100000), "100000.0");
    EXPECT_EQ(float_text(1e16), "1e+16");
}

TEST(Error, Shape) {
    EXPECT_EQ(to_json(model_not_found("no\"pe")),
              R"({"error":{"message":"The model `no\"pe` does not exist.","type":"NotFoundError",)"
              R"("param":"model","code":404}})");
    EXPECT_EQ(to_json(error_of({Code::overloaded, "full"})),
              R"({"error":{"message":"full","type":"RateLimitError","param":null,"code":429}})");
    EXPECT_EQ(error_of_status(413, "x").type, "BadRequestError");
    EXPECT_EQ(error_of_status(503, "x").type, "ServiceUnavailableError");
    EXPECT_EQ(error_of({Code::corrupt, "x"}).status, 500);
}

TEST(Error, MediaType) {
    EXPECT_TRUE(is_json_media_type("application/json"));
    EXPECT_TRUE(is_json_media_type("Application/JSON ; charset=utf-8"));
    EXPECT_FALSE(is_json_media_type("application/x-www-form-urlencoded"));
    EXPECT_FALSE(is_json_media_type("application/jsonp"));
    EXPECT_FALSE(is_json_media_type(""));
    EXPECT_NE(unsupported_media_type().message.find(
                  "Unsupported Media Type: Only 'application/json' is allowed"),
              std::string::npos);
}

TEST(Models, OneCardPerName) {
    const std::string json = to_json(ModelList{
        .names = {"dsv3", "b"}, .created = 1, .root = "/models/x", .max_model_len = 68000});
    EXPECT_TRUE(json.starts_with(
        R"({"object":"list","data":[{"id":"dsv3","object":"model","created":1,)"
        R"("owned_by":"fathom","root":"/models/x","parent":null,"max_model_len":68000,)"
        R"("permission":[{"id":"modelperm-)"))
        << json;
    EXPECT_NE(json.find(R"(]},{"id":"b",)"), json.npos) << json;
    EXPECT_TRUE(json.ends_with(R"("is_blocking":false}]}]})")) << json;
}

}  // namespace
}  // namespace fathom::api
