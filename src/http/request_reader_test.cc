#include "http/request_reader.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace fathom::http {
namespace {

using namespace std::string_literals;
using State = RequestReader::State;

std::string post(std::string_view headers, std::string_view body) {
    return str("POST /p HTTP/1.1\r\nHost: h\r\n", headers, "\r\n", body);
}

// Parses `text`, given in pieces of `piece` bytes: each body, or the status of the refusal.
std::vector<std::string> read_all(std::string_view text, size_t piece) {
    RequestReader reader(1024, 64);
    std::vector<std::string> results;
    for (size_t at = 0; at < text.size(); at += piece) {
        reader.append(text.substr(at, piece));
        State state;
        while ((state = reader.parse()) == State::complete) results.push_back(reader.take().body);
        if (state != State::refused) continue;
        results.push_back(std::to_string(reader.status()));
        break;
    }
    if (reader.started()) results.push_back("more");
    return results;
}

using Strings = std::vector<std::string>;

struct Case {
    const char* name;
    std::string text;
    Strings results;
};

class Cases : public ::testing::TestWithParam<Case> {};

TEST_P(Cases, SameInPiecesOfAnySize) {
    Strings want = GetParam().results;
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{1} << 20}) {
        Strings got = read_all(GetParam().text, piece);
        if (got.size() > want.size() && got.back() == "more") got.pop_back();  // Of a refused one.
        EXPECT_EQ(got, want) << "in pieces of " << piece;
    }
}

const Case kCases[] = {
    {"Nothing", "", {}},
    {"Get", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", {""}},
    {"EmptyLinesBefore", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n\r\n", {""}},
    {"Body", post("Content-Length: 3\r\n", "abc"), {"abc"}},
    {"BodyAndHalfTheNext", post("Content-Length: 3\r\n", "abcGET /"), {"abc", "more"}},
    {"TwoPipelined",
     post("Content-Length: 1\r\n", "a") + post("Content-Length: 1\r\n", "b"),
     {"a", "b"}},
    {"Chunks",
     post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n00A;x=y\r\n0123456789\r\n0\r\n\r\n"),
     {"abc0123456789"}},
    {"Trailers",
     post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX: y\r\n\r\n") +
         post("Content-Length: 1\r\n", "b"),
     {"a", "b"}},
    {"NulInBody", post("Content-Length: 3\r\n", std::string("a\0b", 3)), {std::string("a\0b", 3)}},
    {"Http10", "GET / HTTP/1.0\r\n\r\n", {""}},
    {"Truncated", post("Content-Length: 5\r\n", "abc"), {"more"}},
    {"Rubbish", "\x16\x03\x01 hello there\r\n\r\n", {"400"}},
    {"NulInHeader", "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"s, {"400"}},
    {"NulInTarget", "GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"s, {"400"}},
    {"NoHost", "GET / HTTP/1.1\r\n\r\n", {"400"}},
    {"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {"400"}},
    {"NewVersion", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", {"505"}},
    {"InvalidChunk", post("Transfer-Encoding: chunked\r\n", "xyz\r\nabc\r\n"), {"400"}},
    {"ChunkLongerThanSaid",
     post("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n0\r\n\r\n"),
     {"400"}},
    {"ChunkSizeOverflow",
     post("Transfer-Encoding: chunked\r\n", "10000000000000000\r\na\r\n"),
     {"400"}},
    {"LengthAndChunked",
     post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "abc"),
     {"400"}},
    {"TwoLengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), {"400"}},
    {"NegativeLength", post("Content-Length: -1\r\n", ""), {"400"}},
    {"GzipEncoding", post("Transfer-Encoding: gzip\r\n", "abc"), {"501"}},
    {"GzipThenChunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), {"501"}},
    {"ChunkedInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {"400"}},
    {"OtherExpectation", post("Expect: cookies\r\nContent-Length: 1\r\n", "a"), {"417"}},
    {"BodyTooLong", post("Content-Length: 65\r\n", ""), {"413"}},
    {"BodyAsLongAsAllowed",
     post("Content-Length: 64\r\n", std::string(64, 'a')),
     {std::string(64, 'a')}},
    {"ChunksTooLong",
     post("Transfer-Encoding: chunked\r\n", "20\r\n" + std::string(32, 'a') + "\r\n21\r\n"),
     {"413"}},
    {"HeaderTooLong", post("X: " + std::string(1024, 'a') + "\r\n", ""), {"431"}},
    {"EndlessHeader", "GET / HTTP/1.1\r\nX: " + std::string(2048, 'a'), {"431"}},
    {"EndlessTarget", "GET /" + std::string(2048, 'a'), {"431"}},
};

INSTANTIATE_TEST_SUITE_P(RequestReader, Cases, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(RequestReader, EndlessChunkHeaderIsRefused) {
    RequestReader reader(1024, 64);
    reader.append(post("Transfer-Encoding: chunked\r\n", "1;"));
    State state = reader.parse();
    for (int i = 0; i < 100 && state == State::need_more; ++i) {
        reader.append(std::string(100, 'a'));
        state = reader.parse();
    }
    ASSERT_EQ(state, State::refused);
    EXPECT_EQ(reader.status(), 431);
}

TEST(RequestReader, FillsTheFields) {
    RequestReader reader(1024, 64);
    reader.append(
        "POST http://host/a/b?c=d&e?f HTTP/1.1\r\nHost: h\r\nX-A:  b \r\nx-a: c\r\n"
        "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-B: late\r\n\r\n");
    ASSERT_EQ(reader.parse(), State::complete);
    const Request request = reader.take();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/a/b");
    EXPECT_EQ(request.query, "c=d&e?f");
    EXPECT_EQ(request.version, 11);
    EXPECT_FALSE(request.keep_alive);
    EXPECT_EQ(request.header("X-a"), "b");
    EXPECT_EQ(request.header("X-B"), "") << "a trailer must not pass for a header";
    EXPECT_FALSE(reader.started());
}

TEST(RequestReader, AsksForTheBodyOnce) {
    RequestReader reader(1024, 64);
    reader.append(post("Expect: 100-Continue\r\nContent-Length: 1\r\n", ""));
    ASSERT_EQ(reader.parse(), State::need_more);
    EXPECT_TRUE(reader.wants_continue());
    EXPECT_FALSE(reader.wants_continue());
    reader.append("a");
    EXPECT_EQ(reader.parse(), State::complete);
}

TEST(RequestReader, AHeaderBeyondBeastsOwnLimitIsRefused) {
    RequestReader reader(1 << 20, 64);
    reader.append(post("X: " + std::string(100'000, 'a') + "\r\n", ""));
    ASSERT_EQ(reader.parse(), State::refused);
    EXPECT_EQ(reader.status(), 431);
}

}  // namespace
}  // namespace fathom::http
