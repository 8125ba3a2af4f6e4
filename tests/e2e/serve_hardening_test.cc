// What strangers send to `fathom serve`: every answer is the right one, the connection goes on or
// is closed as HTTP asks, and the server answers the next client as if nothing had been.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <sys/socket.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "program.h"

namespace fathom::testing {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Json = nlohmann::json;

// One server for all: what one test leaves behind, the next would notice.
class Hardening : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        program = new ServeProgram({"--max-body-bytes", "1M", "--disable-uvicorn-access-log"});
    }
    static void TearDownTestSuite() {
        EXPECT_TRUE(program->running());
        program->signal(SIGTERM);
        EXPECT_EQ(program->exit_code(10s), 0);
        delete program;
    }
    void TearDown() override {
        EXPECT_EQ(get("/health").status, 200);
        EXPECT_EQ(complete(R"({"prompt":"x","max_tokens":1})").status, 200);
    }

    static http::Client connect(std::chrono::milliseconds timeout = 60s) {
        return testing::connect(program->port, timeout);
    }
    static http::Response get(const char* path) {
        Result<http::Response> answer = connect().request("GET", path);
        CHECK(answer.ok(), answer.error().message);
        return std::move(answer).value();
    }
    static http::Response complete(const std::string& body) {
        Result<http::Response> answer = connect().request("POST", "/v1/completions", body);
        CHECK(answer.ok(), answer.error().message);
        return std::move(answer).value();
    }
    // The value of a metric without labels of its own.
    static double metric(const std::string& name) {
        const std::string text = get("/metrics").body;
        const size_t at = text.find("\n" + name + "{");
        CHECK(at != std::string::npos, name);
        return std::stod(text.substr(text.find("} ", at) + 2));
    }
    static int64_t resident_kb() {
        const std::string status = read_file(str("/proc/", program->id(), "/status"));
        return std::stoll(status.substr(status.find("VmRSS:") + 6));
    }
    static std::string head(const std::string& headers) {
        return "POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" +
               headers + "\r\n";
    }

    static ServeProgram* program;
};
ServeProgram* Hardening::program = nullptr;

TEST_F(Hardening, BodiesThatAreNoRequests) {
    const std::string deep = "{\"prompt\":\"x\",\"y\":" + std::string(200'000, '[');
    const std::pair<const char*, std::string> bodies[] = {
        {"nothing", ""},
        {"not closed", R"({"prompt":"x")"},
        {"nested without end", deep},
        {"nested", deep + std::string(200'000, ']') + "}"},
        {"invalid UTF-8", "{\"prompt\":\"\xff\xfe\"}"},
        {"cut UTF-8", "{\"prompt\":\"\xe4\xb8\"}"},
        {"UTF-8 of a surrogate", "{\"prompt\":\"\xed\xa0\x80\"}"},
        {"a lone surrogate", R"({"prompt":"\ud800"})"},
        {"surrogates in the wrong order", R"({"prompt":"\udc00\ud800"})"},
        {"a BOM", "\xef\xbb\xbf{\"prompt\":\"x\"}"},
        {"a raw NUL", "{\"prompt\":\"a\0b\"}"s},
        {"NaN", R"({"prompt":"x","temperature":NaN})"},
        {"Infinity", R"({"prompt":"x","temperature":Infinity})"},
        {"1e400", R"({"prompt":"x","temperature":1e400})"},
        {"more than int64", R"({"prompt":"x","max_tokens":99999999999999999999})"},
        {"a billion choices", R"({"prompt":"x","n":1000000000,"max_tokens":1})"},
        {"a number too many", R"({"prompt":[1,2,18446744073709551616]})"},
        {"two values", R"({"prompt":"x"}{"prompt":"y"})"}};
    http::Client kept = connect();  // Keep-alive goes on after a 400.
    for (const auto& [name, body] : bodies) {
        Result<http::Response> answer = kept.request("POST", "/v1/completions", body);
        ASSERT_TRUE(answer.ok()) << name;
        EXPECT_EQ(answer.value().status, 400) << name << ": " << answer.value().body;
        const Json error = Json::parse(answer.value().body, nullptr, false).value("error", Json());
        EXPECT_TRUE(error.is_object() && error.value("code", 0) == 400) << name;
    }
}

TEST_F(Hardening, BodiesThatAreOddAndAllowed) {
    EXPECT_EQ(complete(R"({"prompt":"a\u0000b","max_tokens":1})").status, 200);
    EXPECT_EQ(complete(R"({"prompt":"\ud83d\ude00","max_tokens":1})").status, 200);
    const http::Response last = complete(R"({"max_tokens":7,"prompt":"x","max_tokens":2,)"
                                         R"("ignore_eos":true,"unknown":{"a":[1,null]}})");
    ASSERT_EQ(last.status, 200);
    EXPECT_EQ(Json::parse(last.body)["usage"]["completion_tokens"], 2) << "the last key counts";
}

TEST_F(Hardening, ChunkedBodies) {
    http::Client client = connect();
    const std::string chunked = head("Transfer-Encoding: chunked\r\n");
    ASSERT_TRUE(client.send_raw(chunked + "c\r\n{\"prompt\":\"x\r\n").ok());
    ASSERT_TRUE(client.send_raw("11\r\n\",\"max_tokens\":1}\r\n0\r\nX-Trailer: y\r\n\r\n").ok());
    EXPECT_EQ(client.receive().value().status, 200);
    for (const char* broken : {"zz\r\n", "2\r\n{\"x", "-1\r\n", "ffffffffffffffffff\r\n"}) {
        http::Client other = connect();
        ASSERT_TRUE(other.send_raw(chunked + broken + "\r\n0\r\n\r\n").ok());
        EXPECT_EQ(other.receive().value().status, 400) << broken;
        EXPECT_TRUE(other.closed_by_server()) << broken;
    }
}

TEST_F(Hardening, WhatCouldHideASecondRequestEndsTheConnection) {
    const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    for (const std::string& headers :
         {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"s,
          "Content-Length: 5\r\nContent-Length: 6\r\n"s, "Content-Length: +5\r\n"s,
          "Content-Length : 5\r\n"s, "Transfer-Encoding: chunked, chunked\r\n"s,
          "Transfer-Encoding: \x0b"
          "chunked\r\n"s}) {
        http::Client client = connect();
        ASSERT_TRUE(client.send_raw(head(headers) + "0\r\n\r\n" + hidden).ok());
        const int status = client.receive().value().status;
        EXPECT_TRUE(status == 400 || status == 501) << headers << status;
        EXPECT_FALSE(client.receive().ok()) << "a second answer after " << headers;
    }
}

TEST_F(Hardening, ExpectContinue) {
    http::Client client = connect();
    const std::string body = R"({"prompt":"x","max_tokens":1})";
    const std::string expect = "Expect: 100-continue\r\n";
    ASSERT_TRUE(client.send_raw(head(expect + str("Content-Length: ", body.size(), "\r\n"))).ok());
    ASSERT_TRUE(client.readable());
    ASSERT_TRUE(client.send_raw(body).ok());
    EXPECT_EQ(client.receive().value().status, 200);
    ASSERT_TRUE(client.send_raw(head(expect + "Content-Length: 1048577\r\n")).ok());
    EXPECT_EQ(client.receive().value().status, 413) << "before the body is sent";
}

TEST_F(Hardening, EightPipelinedAreAnsweredInOrder) {
    http::Client client = connect();
    for (int i = 1; i <= 8; ++i) {
        const Json body{{"prompt", "x"}, {"max_tokens", 9 - i}, {"ignore_eos", true}};
        ASSERT_TRUE(client.send("POST", "/v1/completions", body.dump()).ok());
    }
    for (int i = 1; i <= 8; ++i) {
        const http::Response answer = client.receive().value();
        ASSERT_EQ(answer.status, 200);
        EXPECT_EQ(Json::parse(answer.body)["usage"]["completion_tokens"], 9 - i);
    }
}

TEST_F(Hardening, SlowSendersGetTheirAnswer) {
    http::Client client = connect();
    const std::string body = R"({"prompt":"x","max_tokens":1})";
    for (const char c : head(str("Content-Length: ", body.size(), "\r\n")) + body) {
        ASSERT_TRUE(client.send_raw({&c, 1}).ok());
        ::usleep(2000);
    }
    EXPECT_EQ(client.receive().value().status, 200);
}

TEST_F(Hardening, SizesAreRefusedByTheirHeader) {
    http::Client large = connect();
    ASSERT_TRUE(large.send_raw(head("Content-Length: 99999999999\r\n")).ok());
    EXPECT_EQ(large.receive().value().status, 413);
    EXPECT_TRUE(large.closed_by_server());
    http::Client long_header = connect();
    ASSERT_TRUE(
        long_header.send_raw("GET /health HTTP/1.1\r\nX: " + std::string(100'000, 'x')).ok());
    EXPECT_EQ(long_header.receive().value().status, 431);
    http::Client truncated = connect();
    ASSERT_TRUE(truncated.send_raw(head("Content-Length: 100\r\n") + "{\"prompt\"").ok());
    truncated.shutdown_send();
    EXPECT_EQ(truncated.receive().value().status, 400);
    http::Client exactly = connect();
    const std::string prompt(1'000'000, ' ');  // Within --max-body-bytes, beyond the context.
    EXPECT_EQ(
        exactly.request("POST", "/v1/completions", Json{{"prompt", prompt}}.dump()).value().status,
        400);
}

TEST_F(Hardening, Http10StreamsUntilItCloses) {
    http::Client client = connect();
    const std::string body = R"({"prompt":"x","max_tokens":4,"ignore_eos":true,"stream":true})";
    ASSERT_TRUE(client
                    .send_raw(str("POST /v1/completions HTTP/1.0\r\nContent-Type: application/json"
                                  "\r\nContent-Length: ",
                                  body.size(), "\r\n\r\n", body))
                    .ok());
    const http::Response whole = client.receive().value();
    EXPECT_EQ(whole.status, 200);
    EXPECT_EQ(whole.header("Transfer-Encoding"), "");
    EXPECT_TRUE(whole.body.starts_with("data: {")) << whole.body;
    EXPECT_TRUE(whole.body.ends_with("data: [DONE]\n\n")) << whole.body;
}

TEST_F(Hardening, AConnectionOutlivesAStreamAndSevenSecondsOfSilence) {
    http::Client client = connect();
    const std::string body = R"({"prompt":"x","max_tokens":3,"stream":true})";
    EXPECT_EQ(client.request("POST", "/v1/completions", body).value().status, 200);
    std::this_thread::sleep_for(7s);
    EXPECT_EQ(client.request("GET", "/health").value().status, 200);
}

TEST_F(Hardening, IdleAndHalfOpenConnectionsBlockNobody) {
    std::vector<http::Client> idle, half;
    for (int i = 0; i < 300; ++i) idle.push_back(connect());
    for (int i = 0; i < 200; ++i) {
        half.push_back(connect());
        const std::string begun = i % 2 ? head("Content-Length: 50\r\n") + "{" : "POST /v1/comp";
        ASSERT_TRUE(half.back().send_raw(begun).ok());
    }
    const auto begin = Clock::now();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(get("/health").status, 200);
    EXPECT_EQ(complete(R"({"prompt":"x","max_tokens":2})").status, 200);
    EXPECT_LT(seconds_since(begin), 5);
    EXPECT_EQ(idle.back().request("GET", "/health").value().status, 200);
}

TEST_F(Hardening, ClientsThatVanishLeaveTheEngineIdle) {
    std::vector<http::Client> clients;
    for (int i = 0; i < 16; ++i) {
        clients.push_back(connect());
        const Json body{
            {"prompt", "x"}, {"max_tokens", 8000}, {"ignore_eos", true}, {"stream", i % 4 < 2}};
        ASSERT_TRUE(clients.back().send("POST", "/v1/completions", body.dump()).ok());
    }
    auto begin = Clock::now();
    const auto wait_until = [&](const std::function<bool()>& done) {
        while (!done() && seconds_since(begin) < 8) ::usleep(20'000);
        EXPECT_TRUE(done());
    };
    wait_until([] { return metric("vllm:num_requests_running") == 16; });
    begin = Clock::now();
    for (int i = 0; i < 16; i += 2) clients[i].reset();
    clients.clear();  // The other half by FIN.
    wait_until([] { return metric("vllm:num_requests_running") == 0; });
    wait_until([] { return metric("vllm:kv_cache_usage_perc") == 0; });
}

// What AddressSanitizer holds back of freed memory; that nothing leaks, it says itself.
int64_t quarantine_kb() { return ::dlsym(RTLD_DEFAULT, "__asan_init") ? 256 << 10 : 0; }

TEST_F(Hardening, TenThousandConnectionsOpenedAndDropped) {
    const auto open_and_drop = [](int count) {
        for (int i = 0; i < count; ++i) {
            http::Client client = connect();
            Status sent = Unit{};
            if (i % 4 == 1) sent = client.send_raw("GET");
            if (i % 4 == 2) sent = client.send_raw(head("Content-Length: 9\r\n") + "{");
            if (i % 4 == 3) sent = client.send("GET", "/health");
            ASSERT_TRUE(sent.ok());
            if (i % 2) client.reset();
        }
    };
    open_and_drop(1000);  // What is allocated once, is.
    const int64_t before = resident_kb();
    open_and_drop(10'000);
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_LT(resident_kb(), before + 4096 + quarantine_kb()) << "kB";
}

}  // namespace
}  // namespace fathom::testing
