// Clients that leave, stop reading, or are left: what the handler learns, and when.
#include <atomic>

#include "base/clock.h"
#include "http/server_testing.h"

namespace fathom::http {
namespace {

using namespace std::chrono_literals;

template <class T>
T get(Result<T> result) {
    CHECK(result.ok(), result.error().message);
    return std::move(result).value();
}

constexpr bool kReset = true, kStreaming = true;

class Leaving : public ::testing::TestWithParam<std::pair<bool, bool>> {};

// Nothing is sent meanwhile: the server waits for tokens.
TEST_P(Leaving, IsNoticedAtOnce) {
    const auto [reset, streaming] = GetParam();
    TestServer server;
    uint64_t id = 0;
    Clock::time_point begin;
    {
        Client client = server.client();
        ASSERT_TRUE(client.send("GET", "/hold").ok());
        id = server.held(0);
        if (streaming) {
            server.with(id, [](Exchange* http) {
                http->begin_events();
                http->send_event("one");
            });
            get(client.receive_head());
            EXPECT_EQ(get(client.next_event()), "one");
        }
        begin = Clock::now();
        if (reset) client.reset();
    }
    EXPECT_EQ(server.left(0), id);
    EXPECT_LT(seconds_since(begin), 1);
    server.with(id, [](Exchange* http) { EXPECT_EQ(http, nullptr); });
}

INSTANTIATE_TEST_SUITE_P(Disconnect, Leaving,
                         ::testing::Values(std::pair(kReset, kStreaming),
                                           std::pair(kReset, !kStreaming),
                                           std::pair(!kReset, kStreaming),
                                           std::pair(!kReset, !kStreaming)));

class HalfClosed : public ::testing::TestWithParam<bool> {};

TEST_P(HalfClosed, StillGetsItsAnswer) {
    const bool streaming = GetParam();
    TestServer server;
    Client client = server.client();
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    ASSERT_TRUE(client.send("GET", "/hello").ok());
    const uint64_t id = server.held(0);
    if (streaming) server.with(id, [](Exchange* http) { http->begin_events(); });
    client.shutdown_send();
    std::this_thread::sleep_for(100ms);  // The server sees the end before it answers.
    server.with(id, [&](Exchange* http) {
        ASSERT_NE(http, nullptr);
        if (!streaming) return http->reply(200, "text/plain", "answer");
        http->send_event("answer");
        http->end_events();
    });
    if (streaming) {
        get(client.receive_head());
        EXPECT_EQ(get(client.next_event()), "answer");
        EXPECT_EQ(get(client.next_event()), std::nullopt);
    } else {
        EXPECT_EQ(get(client.receive()).body, "answer");
    }
    EXPECT_EQ(get(client.receive()).body, "hello GET /hello");
    EXPECT_TRUE(client.closed_by_server());
    EXPECT_EQ(server.left_count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Disconnect, HalfClosed, ::testing::Bool());

TEST(Disconnect, AStreamMayEndRightAfterTheProbe) {  // "0" and then "0\r\n\r\n".
    TestServer server;
    Client client = server.client();
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    const uint64_t id = server.held(0);
    server.with(id, [](Exchange* http) { http->begin_events(); });
    client.shutdown_send();
    std::this_thread::sleep_for(100ms);
    server.with(id, [](Exchange* http) { http->end_events(); });
    get(client.receive_head());
    EXPECT_EQ(get(client.next_event()), std::nullopt);
}

TEST(Disconnect, AClientThatReadsNothingIsDroppedAndDelaysNobody) {
    TestServer server({.output_bytes_max = 1 << 20});
    Client deaf = server.client();
    ASSERT_TRUE(deaf.send("GET", "/flood").ok());
    const auto begin = Clock::now();
    EXPECT_EQ(get(server.client().request("GET", "/")).status, 200);
    EXPECT_NE(server.left(0), 0u);
    EXPECT_LT(seconds_since(begin), 2);
}

TEST(Disconnect, AReplyThatNobodyReadsIsDroppedAfterTheTimeout) {
    TestServer server({.write_timeout = 200ms});
    Client deaf = server.client();
    ASSERT_TRUE(deaf.send("GET", "/hold").ok());
    const std::string large(16 << 20, 'x');
    server.with(server.held(0), [&](Exchange* http) { http->reply(200, "text/plain", large); });
    int open = -1;
    for (int tries = 0; open != 0 && tries < 1000; ++tries) {
        server.with(0, [&](Exchange*) { open = server.server.connections(); });
        std::this_thread::sleep_for(5ms);
    }
    EXPECT_EQ(open, 0);
}

TEST(Disconnect, AReplyLargerThanTheBufferIsNoReasonToDrop) {
    TestServer server({.output_bytes_max = 1 << 20});
    Client client = server.client();
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    const std::string large(16 << 20, 'x');
    server.with(server.held(0), [&](Exchange* http) { http->reply(200, "text/plain", large); });
    EXPECT_EQ(get(client.receive()).body, large);
}

// Pipelined far beyond what is read ahead, by a client that meanwhile waits for the first answer.
TEST(Disconnect, ReadingPausesAndGoesOn) {
    TestServer server({.pipelined_bytes_max = 4096});
    Client client = server.client();
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    const std::string body(1 << 20, 'b');
    std::thread sender([&] { ASSERT_TRUE(client.send("POST", "/echo", body).ok()); });
    const uint64_t id = server.held(0);
    std::this_thread::sleep_for(50ms);
    server.with(id, [](Exchange* http) { http->reply(200, "text/plain", "first"); });
    sender.join();
    EXPECT_EQ(get(client.receive()).body, "first");
    EXPECT_EQ(get(client.receive()).body, body);
}

TEST(Stop, AStreamUnderWayIsFinished) {
    TestServer server;
    Client client = server.client(), idle = server.client();
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    const uint64_t id = server.held(0);
    server.with(id, [](Exchange* http) { http->begin_events(); });
    server.server.stop(10s);
    EXPECT_TRUE(idle.closed_by_server());
    EXPECT_FALSE(Client::connect("127.0.0.1", server.server.port()).ok());
    server.with(id, [](Exchange* http) {
        http->send_event("last words");
        http->end_events();
    });
    get(client.receive_head());
    EXPECT_EQ(get(client.next_event()), "last words");
    EXPECT_EQ(get(client.next_event()), std::nullopt);
    EXPECT_TRUE(client.closed_by_server());
    { const Client closed = std::move(client); }
    server.join();  // run() returned.
    EXPECT_EQ(server.left_count(), 0u);
}

TEST(Stop, WhatIsNotDoneByTheDeadlineIsDropped) {
    TestServer server;
    Client client = server.client();
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    const uint64_t id = server.held(0);
    const auto begin = Clock::now();
    server.server.stop(200ms);
    server.join();
    EXPECT_GE(seconds_since(begin), 0.2);
    EXPECT_LT(seconds_since(begin), 3);
    EXPECT_EQ(server.left(0), id);
    EXPECT_TRUE(client.closed_by_server());
}

TEST(Stop, ASecondStopShortensTheFirst) {
    TestServer server;
    Client client = server.client();
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    server.held(0);
    const auto begin = Clock::now();
    server.server.stop(60s);
    server.server.stop(0s);
    server.join();
    EXPECT_LT(seconds_since(begin), 5);
}

}  // namespace
}  // namespace fathom::http
