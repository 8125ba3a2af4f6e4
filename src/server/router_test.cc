#include "server/router.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/version.h"
#include "server/server_testing.h"

namespace fathom::testing {
namespace {

using Json = nlohmann::json;

class RouterTest : public ::testing::Test {
protected:
    explicit RouterTest(HttpFlags flags = Service::Options::quiet())
        : service({.next = Service::says("hello"), .http = std::move(flags)}) {}

    http::Response request(const char* method, const std::string& path,
                           const std::string& body = "",
                           const std::vector<http::Header>& headers = {}) {
        return service.client().request(method, path, body, headers).value();
    }
    // Of the refusal of a completion; its status is beside it.
    Json refusal(const std::string& body, int status = 400) {
        const http::Response answer = service.post(body);
        EXPECT_EQ(answer.status, status) << body << " -> " << answer.body;
        const Json json = Json::parse(answer.body, nullptr, false);
        EXPECT_TRUE(json.is_object() && json["error"]["code"] == status) << answer.body;
        return json.is_object() ? json["error"] : Json();
    }

    Service service;
};

TEST_F(RouterTest, WhileTheModelLoads) {
    EXPECT_EQ(service.get("/health").status, 503);
    EXPECT_EQ(service.get("/ping").status, 503);
    EXPECT_EQ(service.get("/version").status, 200);
    EXPECT_EQ(service.get("/v1/models").status, 200);
    refusal(R"({"prompt":"x"})", 503);
    service.open();
    EXPECT_EQ(service.get("/health").status, 200);
    EXPECT_EQ(service.post(R"({"prompt":"x"})").status, 200);
}

TEST_F(RouterTest, PathsWithoutAModel) {
    service.open();
    EXPECT_EQ(service.get("/health").body, "");
    EXPECT_EQ(request("POST", "/ping").status, 200);
    EXPECT_EQ(Json::parse(service.get("/version").body), (Json{{"version", kVersion}}));
    const Json models = Json::parse(service.get("/v1/models").body);
    EXPECT_EQ(models["object"], "list");
    ASSERT_EQ(models["data"].size(), 2u);
    EXPECT_EQ(models["data"][0]["id"], "tiny");
    EXPECT_EQ(models["data"][0]["root"], "/models/tiny");
    EXPECT_EQ(models["data"][0]["max_model_len"], 512);
}

TEST_F(RouterTest, EachApiHasItsFormOfErrors) {
    const auto ask = [&](const char* path, const char* body) {
        return Json::parse(service.post(body, {}, path).body);
    };
    EXPECT_EQ(ask("/v1/messages", "{}")["error"]["type"], "overloaded_error");
    EXPECT_EQ(ask("/v1/messages/count_tokens", "{}")["error"]["type"], "overloaded_error");
    EXPECT_EQ(ask("/v1/responses", "{}")["error"]["code"], 503);
    service.open();
    EXPECT_EQ(ask("/v1/messages", "{")["error"]["type"], "invalid_request_error");
    EXPECT_EQ(ask("/v1/messages/count_tokens", "{}")["type"], "error");
    EXPECT_EQ(ask("/v1/responses", "{}")["error"]["param"], "input");
}

TEST_F(RouterTest, EveryApiAnswers) {
    service.open();
    const auto ask = [&](const char* path, const char* body) {
        return Json::parse(service.post(body, {}, path).body);
    };
    EXPECT_EQ(ask("/v1/responses", R"({"input":"x","max_output_tokens":1})")["object"], "response");
    constexpr const char* kMessage =
        R"({"messages":[{"role":"user","content":"x"}],"max_tokens":1})";
    EXPECT_EQ(ask("/v1/messages", kMessage)["type"], "message");
    EXPECT_GT(ask("/v1/messages/count_tokens", kMessage)["input_tokens"], 0);
}

TEST_F(RouterTest, WhatHasNoRoute) {
    service.open();
    EXPECT_EQ(service.get("/nowhere").status, 404);
    EXPECT_EQ(service.get("/nowhere").body, R"({"detail":"Not Found"})");
    EXPECT_EQ(service.get("/v1/models/").status, 404);
    const http::Response wrong = service.get("/v1/completions");
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(wrong.body, R"({"detail":"Method Not Allowed"})");
    EXPECT_EQ(wrong.header("Allow"), "POST");
    EXPECT_EQ(request("OPTIONS", "/v1/completions").header("Allow"), "POST, OPTIONS");
    EXPECT_EQ(request("OPTIONS", "/ping").header("Allow"), "GET, HEAD, POST, OPTIONS");
    EXPECT_EQ(request("OPTIONS", "/nowhere").status, 404);
    EXPECT_EQ(request("POST", "/v1/embeddings").status, 404);
    EXPECT_EQ(wrong.header("Content-Type"), "application/json");
    EXPECT_EQ(request("DELETE", "/health").status, 405);
}

const std::vector<http::Header> kPreflight{
    {"Origin", "http://page"},
    {"Access-Control-Request-Method", "POST"},
    {"Access-Control-Request-Headers", "authorization, content-type"}};

TEST_F(RouterTest, PagesOfOtherOriginsMayCall) {
    service.open();
    const http::Response preflight = request("OPTIONS", "/v1/completions", "", kPreflight);
    EXPECT_EQ(preflight.status, 200);
    EXPECT_NE(preflight.header("Access-Control-Allow-Methods").find("POST"), std::string::npos);
    EXPECT_EQ(preflight.header("Access-Control-Allow-Headers"), "authorization, content-type");
    EXPECT_EQ(preflight.header("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(service.post(R"({"prompt":"x"})").header("Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(service.post("{").header("Access-Control-Allow-Origin"), "*");
}

// Every flag that guards, at once.
class GuardedRouterTest : public RouterTest {
protected:
    GuardedRouterTest() : RouterTest(flags()) { service.open(); }
    static HttpFlags flags() {
        HttpFlags flags = Service::Options::quiet();
        flags.api_keys = {"secret"};
        flags.allowed_origins = {"http://page", "http://other"};
        flags.allowed_methods = {"POST"};
        flags.allowed_headers = {"X-Own", "Authorization"};
        flags.allow_credentials = true;
        flags.root_path = "/llm";
        flags.enable_request_id_headers = true;
        return flags;
    }
    const http::Header key{"Authorization", "Bearer secret"};
};

TEST_F(GuardedRouterTest, V1AsksForTheKey) {
    const http::Response refused = request("POST", "/v1/completions", R"({"prompt":"x"})");
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(refused.body, R"({"error":"Unauthorized"})");
    EXPECT_EQ(request("GET", "/v1/models").status, 401);
    EXPECT_EQ(request("GET", "/llm/v1/models").status, 401);
    EXPECT_EQ(request("GET", "/v1/nowhere").status, 401);
    EXPECT_EQ(request("GET", "/v1/models", "", {{"Authorization", "Bearer wrong"}}).status, 401);
    EXPECT_EQ(request("GET", "/v1/models", "", {key}).status, 200);
    EXPECT_EQ(request("POST", "/v1/completions", R"({"prompt":"x"})", {key}).status, 200);
    for (const char* path : {"/health", "/metrics", "/version"})
        EXPECT_EQ(request("GET", path).status, 200) << path;
}

TEST_F(GuardedRouterTest, TheRootPathIsTakenOff) {
    EXPECT_EQ(request("GET", "/llm/health").status, 200);
    EXPECT_EQ(request("GET", "/health").status, 200);
    EXPECT_EQ(request("GET", "/llmhealth").status, 404);
    EXPECT_EQ(request("GET", "/llm").status, 404);
    EXPECT_EQ(request("GET", "/llm/llm/health").status, 404);
}

TEST_F(GuardedRouterTest, OriginsByName) {
    const auto origin = [&](const char* name) {
        return request("GET", "/health", "", {{"Origin", name}});
    };
    EXPECT_EQ(origin("http://other").header("Access-Control-Allow-Origin"), "http://other");
    EXPECT_EQ(origin("http://other").header("Access-Control-Allow-Credentials"), "true");
    EXPECT_EQ(origin("http://other").header("Vary"), "Origin");
    EXPECT_EQ(origin("http://evil").header("Access-Control-Allow-Origin"), "");
    EXPECT_EQ(origin("http://evil").header("Vary"), "Origin");
    EXPECT_EQ(request("GET", "/health").header("Access-Control-Allow-Origin"), "");
    // Answers of http itself carry them, too.
    http::Client client = service.client();
    ASSERT_TRUE(client
                    .send_raw("GET /x HTTP/1.1\r\nHost: h\r\nOrigin: http://page\r\n"
                              "Expect: cookies\r\n\r\n")
                    .ok());
    EXPECT_EQ(client.receive().value().header("Access-Control-Allow-Origin"), "http://page");
}

TEST_F(GuardedRouterTest, PreflightsSayWhatIsAllowed) {
    const auto preflight = [&](const char* origin, const char* method, const char* headers) {
        return request("OPTIONS", "/v1/completions", "",
                       {{"Origin", origin},
                        {"Access-Control-Request-Method", method},
                        {"Access-Control-Request-Headers", headers}});
    };
    const http::Response allowed =
        preflight("http://page", "POST", "content-type, AUTHORIZATION, x-own");
    EXPECT_EQ(allowed.status, 200);
    EXPECT_EQ(allowed.header("Access-Control-Allow-Methods"), "POST");
    EXPECT_EQ(allowed.header("Access-Control-Allow-Headers"), "X-Own, Authorization");
    EXPECT_EQ(allowed.header("Access-Control-Max-Age"), "600");
    EXPECT_EQ(preflight("http://evil", "POST", "").body, "Disallowed CORS origin");
    EXPECT_EQ(preflight("http://page", "PUT", "").body, "Disallowed CORS method");
    EXPECT_EQ(preflight("http://page", "POST", "x-own,x-evil").body, "Disallowed CORS headers");
    EXPECT_EQ(preflight("http://evil", "PUT", "x-evil").status, 400);
}

TEST_F(GuardedRouterTest, RequestIdsAreGivenBack) {
    EXPECT_EQ(request("GET", "/health", "", {{"X-Request-Id", "abc"}}).header("X-Request-Id"),
              "abc");
    const std::string first(request("GET", "/health").header("X-Request-Id"));
    EXPECT_EQ(first.size(), 32u);
    EXPECT_NE(first, request("GET", "/health").header("X-Request-Id"));
    EXPECT_EQ(request("GET", "/v1/models").header("X-Request-Id").size(), 32u) << "a 401";
}

TEST_F(RouterTest, RequestIdsAreGivenBackOnlyWhereAskedFor) {
    EXPECT_EQ(request("GET", "/version", "", {{"X-Request-Id", "abc"}}).header("X-Request-Id"), "");
}

TEST_F(RouterTest, EncodedBodiesAreRefused) {
    service.open();
    const auto encoded = [&](const char* encoding) {
        return service.post(R"({"prompt":"x"})", {{"Content-Encoding", encoding}});
    };
    EXPECT_EQ(encoded("gzip").status, 415);
    EXPECT_NE(encoded("gzip").body.find("Content-Encoding gzip"), std::string::npos);
    EXPECT_EQ(encoded("identity").status, 200);
}

TEST_F(RouterTest, NamesOfTheModel) {
    service.open();
    EXPECT_EQ(service.post(R"({"model":"dsv3","prompt":"x"})").status, 200);
    const Json error = refusal(R"({"model":"gpt","prompt":"x"})", 404);
    EXPECT_EQ(error["type"], "NotFoundError");
    EXPECT_NE(error["message"].get<std::string>().find("gpt"), std::string::npos);
}

TEST_F(RouterTest, RefusalsNameWhatIsWrong) {
    service.open();
    const auto body = [](Json fields) {
        fields.emplace("prompt", "x");
        return fields.dump();
    };
    EXPECT_EQ(refusal(body({{"temperature", -1}}))["param"], "temperature");
    EXPECT_EQ(refusal(body({{"max_tokens", 0}}))["param"], "max_tokens");
    EXPECT_EQ(refusal(body({{"n", 2}, {"temperature", 0}}))["param"], "n");
    EXPECT_EQ(refusal(R"({"max_tokens":4})")["param"], "prompt");
    EXPECT_EQ(refusal(R"({"prompt":[]})")["param"], "prompt");
    EXPECT_EQ(refusal(R"({"prompt":""})")["param"], "prompt");
    for (const char* field : {"use_beam_search", "prompt_embeds", "suffix", "logits_processors"})
        EXPECT_EQ(refusal(body({{field, "1"}}))["param"], field);
}

TEST_F(RouterTest, PromptsThatCannotBe) {
    service.open();
    const std::vector<Token> longest(511, 65), too_long(512, 65);
    EXPECT_EQ(service.post(Json{{"prompt", longest}, {"max_tokens", 1}}.dump()).status, 200);
    const Json error = refusal(Json{{"prompt", too_long}, {"max_tokens", 1}}.dump());
    EXPECT_EQ(error["param"], "prompt");
    EXPECT_NE(error["message"].get<std::string>().find("512"), std::string::npos);
    EXPECT_EQ(refusal(R"({"prompt":"x","max_tokens":100000})")["param"], "max_tokens");
    EXPECT_EQ(refusal(R"({"prompt":[511, 512]})")["message"], "Token id 512 is out of vocabulary");
    refusal(R"({"prompt":[-1]})");
    refusal(R"({"prompt":[[1],[99999999999]]})");
    EXPECT_EQ(
        service
            .post(
                Json{{"prompt", too_long}, {"max_tokens", 1}, {"truncate_prompt_tokens", 8}}.dump())
            .status,
        200);
}

TEST_F(RouterTest, BodiesThatAreNotWhatTheySay) {
    service.open();
    for (const char* body : {"", "{", "[]", "null", "\"x\"", R"({"prompt":})", "\xff\xfe",
                             R"({"prompt":"x"} trailing)"})
        refusal(body);
    refusal(std::string(100'000, '['));
    refusal("{\"prompt\":\"x\",\"stop\":" + std::string(50'000, '[') + std::string(50'000, ']') +
            "}");
    const http::Response wrong =
        request("POST", "/v1/completions", R"({"prompt":"x"})", {{"Content-Type", "text/plain"}});
    EXPECT_EQ(wrong.status, 400);
    EXPECT_NE(Json::parse(wrong.body)["error"]["message"].get<std::string>().find("Unsupported"),
              std::string::npos);
    EXPECT_EQ(
        service.post(R"({"prompt":"x"})", {{"Content-Type", "Application/JSON; charset=utf-8"}})
            .status,
        200);
}

}  // namespace
}  // namespace fathom::testing
