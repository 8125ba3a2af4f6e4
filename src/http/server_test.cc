#include "http/server.h"

#include <unistd.h>

#include <atomic>

#include "base/clock.h"
#include "http/server_testing.h"

namespace fathom::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

template <class T>
T get(Result<T> result) {
    CHECK(result.ok(), result.error().message);
    return std::move(result).value();
}

const std::string kHello = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(Server, TwoRequestsOnOneConnection) {
    TestServer server;
    Client client = server.client();
    const Response first = get(client.request("GET", "/a?b=c"));
    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(first.body, "hello GET /a?b=c");
    EXPECT_EQ(first.header("content-type"), "text/plain");
    EXPECT_EQ(first.header("Date").size(), std::string("Thu, 01 Jan 1970 00:00:00 GMT").size());
    EXPECT_EQ(first.header("Server"), "fathom");
    const std::string body(3 << 20, 'b');
    EXPECT_EQ(get(client.request("POST", "/echo", body)).body, body);
}

TEST(Server, HeadCountsTheBodyAndLeavesItOut) {
    TestServer server;
    Client client = server.client();
    const Response head = get(client.request("HEAD", "/x"));
    EXPECT_EQ(head.header("Content-Length"), "13");
    EXPECT_EQ(get(client.request("HEAD", "/events")).status, 200);
    EXPECT_EQ(get(client.request("OPTIONS", "*")).body, "hello OPTIONS *");
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
    TestServer server;
    Client client = server.client();
    std::string requests;
    for (int i = 0; i < 300; ++i) {
        if (i % 10 == 0) requests += "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n";
        requests += str("GET /", i, " HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    ASSERT_TRUE(client.send_raw(requests).ok());
    for (int i = 0; i < 300; ++i) {
        if (i % 10 == 0) {
            server.with(server.held(i / 10),
                        [](Exchange* http) { http->reply(200, "text/plain", "late"); });
            EXPECT_EQ(get(client.receive()).body, "late");
        }
        EXPECT_EQ(get(client.receive()).body, str("hello GET /", i));
    }
}

TEST(Server, EventsArriveOneByOne) {
    TestServer server;
    Client client = server.client();
    for (int repeat = 0; repeat < 2; ++repeat) {  // The connection is kept.
        ASSERT_TRUE(client.send("GET", "/events").ok());
        const Response head = get(client.receive_head());
        EXPECT_EQ(head.header("Content-Type"), "text/event-stream; charset=utf-8");
        for (int i = 0; i < 5; ++i) EXPECT_EQ(get(client.next_event()), str(i));
        EXPECT_EQ(get(client.next_event()), std::nullopt);
    }
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    const uint64_t id = server.held(0);
    server.with(id, [](Exchange* http) { http->begin_events(); });
    get(client.receive_head());
    for (int i = 0; i < 3; ++i) {  // Each is flushed: it is read before the next is sent.
        server.with(id, [&](Exchange* http) { http->send_event(str(i)); });
        EXPECT_EQ(get(client.next_event()), str(i));
    }
    server.with(id, [](Exchange* http) { http->end_events(); });
    EXPECT_EQ(get(client.next_event()), std::nullopt);
    server.with(id, [](Exchange* http) { EXPECT_EQ(http, nullptr); });
}

TEST(Server, EventsHaveNames) {
    TestServer server;
    Client client = server.client();
    ASSERT_TRUE(client.send_raw("GET /hold HTTP/1.0\r\n\r\n").ok());
    server.with(server.held(0), [](Exchange* http) {
        http->begin_events();
        http->send_event("one\ntwo", "first");
        http->send_event("three");
        http->end_events();
    });
    EXPECT_EQ(get(client.receive()).body, "event: first\ndata: one\ndata: two\n\ndata: three\n\n");
}

TEST(Server, ALineBreakInAnEventStartsAnotherLineOfData) {
    TestServer server;
    Client client = server.client();
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    server.with(server.held(0), [](Exchange* http) {
        http->begin_events();
        for (const char* data : {"a\nb", "", "\n"}) http->send_event(data);
        http->end_events();
    });
    EXPECT_EQ(get(client.receive()).body, "data: a\ndata: b\n\ndata: \n\ndata: \ndata: \n\n");
}

TEST(Server, Http10) {
    TestServer server;
    Client client = server.client();
    ASSERT_TRUE(client.send_raw("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").ok());
    const Response kept = get(client.receive());
    EXPECT_EQ(kept.header("Connection"), "keep-alive");
    EXPECT_EQ(kept.body, "hello GET /a");
    ASSERT_TRUE(client.send_raw("GET /events HTTP/1.0\r\n\r\n").ok());
    const Response events = get(client.receive());  // Until the server closes.
    EXPECT_EQ(events.header("Transfer-Encoding"), "");
    EXPECT_EQ(events.body, "data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n");
}

TEST(Server, ConnectionCloseIsObeyed) {
    TestServer server;
    Client client = server.client();
    const Response last = get(client.request("GET", "/", "", {{"Connection", "close"}}));
    EXPECT_EQ(last.header("Connection"), "close");
    EXPECT_TRUE(client.closed_by_server());
}

TEST(Server, AValueCannotEndItsHeader) {
    TestServer server;
    Client client = server.client();
    ASSERT_TRUE(client.send("GET", "/hold").ok());
    server.with(server.held(0), [](Exchange* http) {
        http->reply(200, "", "", {{"X-Id", "a\r\nX-Bad: b"}});
    });
    const Response response = get(client.receive());
    EXPECT_EQ(response.header("X-Id"), "a  X-Bad: b");
    EXPECT_EQ(response.header("X-Bad"), "");
    EXPECT_EQ(response.header("Content-Type"), "");
}

TEST(Server, ContinuesWhereTheClientWaitsForIt) {
    TestServer server({.body_bytes_max = 1000});
    Client client = server.client();
    const std::string head = "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n";
    ASSERT_TRUE(client.send_raw(head + "Content-Length: 5\r\n\r\n").ok());
    ASSERT_TRUE(client.readable());
    ASSERT_TRUE(client.send_raw("12345").ok());
    EXPECT_EQ(get(client.receive()).body, "12345");  // The client passes over 100 Continue.
    ASSERT_TRUE(client.send_raw(head + "Content-Length: 1001\r\n\r\n").ok());
    EXPECT_EQ(get(client.receive()).status, 413);
}

TEST(Server, RefusalsAreInTheShapeThatWasAskedFor) {
    ServerOptions options;
    options.header_bytes_max = 4096;
    options.body_bytes_max = 10;
    options.error_body = [](int status, std::string_view message) {
        return str("{\"code\":", status, ",\"message\":\"", message, "\"}");
    };
    TestServer server(options);
    const auto status_of = [&](const std::string& text) {
        Client client = server.client();
        EXPECT_TRUE(client.send_raw(text).ok());
        const Response response = get(client.receive());
        EXPECT_EQ(response.header("Content-Type"), "application/json");
        EXPECT_EQ(response.header("Connection"), "close");
        EXPECT_TRUE(response.body.starts_with(str("{\"code\":", response.status, ",")));
        EXPECT_TRUE(client.closed_by_server());
        return response.status;
    };
    EXPECT_EQ(status_of("rubbish\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(5000, 'x')), 431);
    EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n12345678901"),
              413);
    EXPECT_EQ(status_of("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"s), 400);
    EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
              400);
}

TEST(Server, ARefusalIsReadThoughTheClientStillSends) {
    TestServer server({.body_bytes_max = 1000});
    Client client = server.client();
    const std::string body(4 << 20, 'x');  // More than socket buffers hold.
    ASSERT_TRUE(client.send("POST", "/echo", body).ok());
    EXPECT_EQ(get(client.receive()).status, 413);
}

TEST(Server, SlowSenderIsToldAfterTheTimeout) {
    TestServer server({.idle_timeout = 10s, .request_timeout = 300ms});
    Client client = server.client();
    const auto begin = Clock::now();
    for (const char c : std::string("GET /hello HT")) {  // A byte every 20 ms is progress.
        ASSERT_TRUE(client.send_raw({&c, 1}).ok());
        std::this_thread::sleep_for(20ms);
    }
    EXPECT_EQ(get(client.receive()).status, 408);
    EXPECT_GE(seconds_since(begin), 0.3);
    EXPECT_LT(seconds_since(begin), 5);
}

TEST(Server, SlowButInTimeIsServed) {
    TestServer server;
    Client client = server.client();
    for (const char c : "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + kHello) {
        ASSERT_TRUE(client.send_raw({&c, 1}).ok());
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(get(client.receive()).body, "abc");
    EXPECT_EQ(get(client.receive()).body, "hello GET /hello");
}

TEST(Server, IdleConnectionsAreClosed) {
    TestServer server({.idle_timeout = 200ms});
    Client client = server.client();
    EXPECT_EQ(get(client.request("GET", "/")).status, 200);
    EXPECT_TRUE(client.closed_by_server());
    Client waiting = server.client();  // One that waits for its answer is not idle.
    ASSERT_TRUE(waiting.send("GET", "/hold").ok());
    const uint64_t id = server.held(0);
    std::this_thread::sleep_for(500ms);
    server.with(id, [](Exchange* http) {
        ASSERT_NE(http, nullptr);
        http->reply(200, "text/plain", "long thought");
    });
    EXPECT_EQ(get(waiting.receive()).body, "long thought");
}

TEST(Server, TruncatedBodyIsAnswered) {
    TestServer server;
    Client client = server.client();
    ASSERT_TRUE(
        client.send_raw("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n123").ok());
    client.shutdown_send();
    EXPECT_EQ(get(client.receive()).status, 400);
    EXPECT_TRUE(client.closed_by_server());
}

TEST(Server, ConnectionsBeyondTheLimitGet503) {
    TestServer server({.connections_max = 3});
    std::vector<Client> clients;
    while (clients.size() < 3) {
        clients.push_back(server.client());
        ASSERT_EQ(get(clients.back().request("GET", "/")).status, 200);
    }
    Client late = server.client();
    EXPECT_EQ(get(late.receive()).status, 503);
    clients.clear();
    for (int tries = 0;; ++tries) {
        ASSERT_LT(tries, 1000) << "places are not given back";
        Client again = server.client();
        if (get(again.request("GET", "/")).status == 200) break;
        std::this_thread::sleep_for(5ms);
    }
}

TEST(Server, AThousandConnectionsOpenedAndDropped) {
    TestServer server;
    for (int round = 0; round < 10; ++round) {
        std::vector<Client> clients;
        for (int i = 0; i < 100; ++i) {
            clients.push_back(server.client());
            ASSERT_TRUE(clients.back()
                            .send_raw(i % 3 == 0   ? kHello
                                      : i % 3 == 1 ? "GET"
                                                   : "")
                            .ok());
            if (i % 2) clients.back().reset();
        }
    }
    int open = -1;
    for (int tries = 0; open != 0 && tries < 1000; ++tries) {
        server.with(0, [&](Exchange*) { open = server.server.connections(); });
        std::this_thread::sleep_for(5ms);
    }
    EXPECT_EQ(open, 0);
    EXPECT_EQ(get(server.client().request("GET", "/")).status, 200);
}

TEST(Server, BindErrorsNameTheRemedy) {
    TestServer server;
    const auto message_of = [](std::string host, int port) {
        Server second({.host = std::move(host), .port = port});
        const Status status = second.bind();
        return status.ok() ? "" : status.error().message;
    };
    EXPECT_EQ(message_of("127.0.0.1", server.server.port()),
              str("127.0.0.1 port ", server.server.port(),
                  " is taken by another program; stop that one or choose another port (0 takes a "
                  "free one)"));
    EXPECT_NE(message_of("192.0.2.1", 0).find("192.0.2.1 is no address of this machine"),
              std::string::npos);
    EXPECT_NE(message_of("no such host", 0).find("is unknown"), std::string::npos);
    EXPECT_EQ(message_of("127.0.0.1", 70000), "port 70000: expected 0..65535");
    EXPECT_EQ(message_of("localhost", 0), "");
    EXPECT_EQ(message_of("::1", 0), "");
}

}  // namespace
}  // namespace fathom::http
