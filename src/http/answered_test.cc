// What the server says of each request once it is over, and what it adds to each answer.
#include "http/server_testing.h"

namespace fathom::http {
namespace {

template <class T>
T get(Result<T> result) {
    CHECK(result.ok(), result.error().message);
    return std::move(result).value();
}

TEST(Answered, OfAnAnswerAStreamAndAHead) {
    TestServer server;
    Client client = server.client();
    get(client.request("POST", "/echo?q", "12345"));
    get(client.request("HEAD", "/x"));
    EXPECT_NE(get(client.request("GET", "/events")).body.find("data: 4"), std::string::npos);
    const Answered echo = server.answered(0), head = server.answered(1),
                   events = server.answered(2);
    EXPECT_EQ(echo.method + echo.path, "POST/echo");
    EXPECT_TRUE(echo.peer.starts_with("127.0.0.1:")) << echo.peer;
    EXPECT_EQ(echo.status, 200);
    EXPECT_EQ(echo.bytes, 5);
    EXPECT_NE(echo.id, 0u);
    EXPECT_TRUE(echo.complete);
    EXPECT_GE(echo.seconds, 0);
    EXPECT_LT(echo.seconds, 5);
    EXPECT_EQ(head.bytes, 0);
    EXPECT_EQ(events.bytes, 5 * 14);  // "9\r\ndata: 0\n\n\r\n"
    EXPECT_EQ(events.peer, echo.peer);
}

TEST(Answered, OfRefusalsAndOfClientsThatLeft) {
    TestServer server({.body_bytes_max = 10});
    Client client = server.client();
    EXPECT_EQ(get(client.request("POST", "/echo", "more than ten")).status, 413);
    const Answered refused = server.answered(0);
    EXPECT_EQ(refused.path, "/echo");
    EXPECT_EQ(refused.status, 413);
    EXPECT_EQ(refused.id, 0u);
    Client leaves = server.client();
    ASSERT_TRUE(leaves.send("GET", "/hold").ok());
    const uint64_t id = server.held(0);
    leaves.reset();
    const Answered left = server.answered(1);
    EXPECT_EQ(left.id, id);
    EXPECT_EQ(left.path, "/hold");
    EXPECT_EQ(left.status, 0);
    EXPECT_FALSE(left.complete);
}

TEST(Answered, AddedHeadersAreOnEveryAnswer) {
    ServerOptions options;
    options.body_bytes_max = 10;
    options.answer_headers = [](const Request& request, std::vector<Header>& headers) {
        headers.push_back({"X-Path", request.path + std::string(request.header("X-Add"))});
    };
    TestServer server(options);
    Client client = server.client();
    EXPECT_EQ(get(client.request("GET", "/a", "", {{"X-Add", "1"}})).header("X-Path"), "/a1");
    EXPECT_EQ(get(client.request("GET", "/events")).header("X-Path"), "/events");
    EXPECT_EQ(get(client.request("POST", "/b", "more than ten")).header("X-Path"), "/b");
    Client broken = server.client();
    ASSERT_TRUE(broken.send_raw("rubbish\r\n\r\n").ok());
    EXPECT_EQ(get(broken.receive()).status, 400);
}

}  // namespace
}  // namespace fathom::http
