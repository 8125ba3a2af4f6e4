// The routes that need no model, against the server as `fathom serve` puts it together.
#include "server/status_routes.h"

#include <nlohmann/json.hpp>

#include "base/version.h"
#include "server/metrics_testing.h"
#include "server/server_testing.h"

namespace fathom::testing {
namespace {

using Json = nlohmann::json;

http::Response ask(Service& service, const char* method, const std::string& path,
                   const std::vector<http::Header>& headers = {}) {
    return service.client().request(method, path, "", headers).value();
}

TEST(StatusRoutes, HealthIsTheEngines) {
    Service service({.next = Service::says("hello")});
    for (const char* path : {"/health", "/ping"}) {
        EXPECT_EQ(service.get(path).status, 503);
    }
    service.open();
    for (const char* path : {"/health", "/ping"}) {
        EXPECT_EQ(service.get(path).status, 200);
        EXPECT_EQ(service.get(path).body, "");
    }
    EXPECT_EQ(ask(service, "POST", "/ping").status, 200);
    EXPECT_EQ(ask(service, "POST", "/health").header("Allow"), "GET, HEAD");
    service.healthy = false;
    EXPECT_EQ(service.get("/health").status, 503);
}

TEST(StatusRoutes, WhatIsServed) {
    Service service({.next = Service::says("hello")});
    EXPECT_EQ(Json::parse(service.get("/version").body), (Json{{"version", kVersion}}));
    const Json info = Json::parse(service.get("/server_info?config_format=json").body);
    EXPECT_EQ(info["model"], "tiny");
    EXPECT_EQ(info["max_model_len"], 512);
    const http::Response head = ask(service, "HEAD", "/v1/models");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("Content-Length"), str(service.get("/v1/models").body.size()));
}

TEST(StatusRoutes, LoadCountsWhatIsUnderWay) {
    Service service({.next = Service::says("a long answer"), .track_load = true});
    service.open();
    service.gate.close();
    http::Client client = service.client();
    ASSERT_TRUE(client.send("POST", "/v1/completions", R"({"prompt":"x"})").ok());
    const auto load = [&] { return Json::parse(service.get("/load").body)["server_load"]; };
    EXPECT_TRUE(wait_until([&] { return load() == 1; }));
    service.gate.open();
    EXPECT_EQ(client.receive().value().status, 200);
    EXPECT_TRUE(wait_until([&] { return load() == 0; }));
}

TEST(StatusRoutes, LoadOfAClientThatLeft) {
    Service service({.next = Service::says("a long answer"), .track_load = true});
    service.open();
    service.gate.close();
    const auto load = [&] { return Json::parse(service.get("/load").body)["server_load"]; };
    {
        http::Client client = service.client();
        ASSERT_TRUE(client.send("POST", "/v1/completions", R"({"prompt":"x"})").ok());
        EXPECT_TRUE(wait_until([&] { return load() == 1; }));
        client.reset();
    }
    EXPECT_TRUE(wait_until([&] { return load() == 0; }));
}

TEST(StatusRoutes, LoadStaysZeroWithoutItsFlag) {
    Service service({.next = Service::says("a long answer")});
    service.open();
    service.gate.close();
    http::Client client = service.client();
    ASSERT_TRUE(client.send("POST", "/v1/completions", R"({"prompt":"x"})").ok());
    ASSERT_TRUE(wait_until([&] { return service.gate.arrivals() > 0; }));
    EXPECT_EQ(service.get("/load").body, R"({"server_load":0})");
}

TEST(StatusRoutes, Metrics) {
    Service service({.next = Service::says("hello")});
    for (const char* path : {"/metrics", "/metrics/"}) {
        const http::Response answer = service.get(path);
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
        const Exposition seen(answer.body);
        EXPECT_TRUE(seen.families.contains("vllm:num_requests_running"));
        EXPECT_EQ(ask(service, "HEAD", path).status, 200);
    }
    const auto scrapes = [&] {
        const Exposition seen(service.get("/metrics").body);
        return seen.value("http_requests_total",
                          {{"handler", "/metrics"}, {"method", "GET"}, {"status", "2xx"}});
    };
    const double before = scrapes();
    EXPECT_GT(before, 0);
    EXPECT_GT(scrapes(), before);
}

TEST(StatusRoutes, ResetPrefixCache) {
    Service service({.next = Service::says("hello")});
    EXPECT_EQ(ask(service, "POST", "/reset_prefix_cache").status, 503);
    service.open();
    const http::Response done =
        ask(service, "POST", "/reset_prefix_cache?reset_running_requests=false");
    EXPECT_EQ(done.status, 200);
    EXPECT_EQ(done.body, "");
    EXPECT_EQ(service.get("/reset_prefix_cache").status, 405);
}

TEST(StatusRoutes, PathsThatThereAreNot) {
    Service service({.next = Service::says("hello")});
    service.open();
    for (const char* path : {"/docs", "/redoc", "/openapi.json", "/v1/embeddings", "/sleep",
                             "/start_profile", "/", "//health", "/health/"}) {
        EXPECT_EQ(service.get(path).status, 404) << path;
        EXPECT_EQ(service.get(path).body, R"({"detail":"Not Found"})") << path;
    }
}

}  // namespace
}  // namespace fathom::testing
