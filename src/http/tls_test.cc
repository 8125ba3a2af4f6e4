// HTTPS: the same server over TLS, who may connect, and what stops it from starting.
#include <sys/stat.h>

#include <fstream>

#include "http/server_testing.h"
#include "http/tls_testing.h"
#include "testing/tiny_checkpoint.h"

namespace fathom::http {
namespace {

using namespace std::chrono_literals;

class TlsTest : public ::testing::Test {
protected:
    TlsTest() { write_identity(file("key"), file("certificate")); }

    std::string file(const char* name) const { return folder.path() / name; }
    TlsOptions identity() const {
        return {.key_file = file("key"), .certificate_file = file("certificate")};
    }
    static ServerOptions with(TlsOptions tls) {
        ServerOptions options;
        options.tls = std::move(tls);
        return options;
    }
    // Why a server with these does not start.
    static std::string refusal(TlsOptions tls) {
        Server server(with(std::move(tls)));
        const Status bound = server.bind();
        EXPECT_FALSE(bound.ok());
        return bound.ok() ? "" : bound.error().message;
    }

    const testing::TemporaryFolder folder;
};

const std::string kHello = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(TlsTest, RequestsStreamsAndLargeBodies) {
    TestServer server(with(identity()));
    TlsClient client(server.server.port());
    ASSERT_TRUE(client.connected());
    ASSERT_TRUE(client.send(kHello));
    EXPECT_NE(client.receive("hello GET /hello").find("HTTP/1.1 200 OK"), std::string::npos);
    ASSERT_TRUE(client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n"));
    EXPECT_NE(client.receive("0\r\n\r\n").find("data: 4\n\n"), std::string::npos);
    const std::string body(3 << 20, 'b');
    ASSERT_TRUE(client.send(
        str("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: ", body.size(), "\r\n\r\n", body)));
    const std::string all = client.receive(body);
    EXPECT_EQ(all.size() - all.find("\r\n\r\n") - 4, body.size());
}

// Without close_notify a client cannot tell an answer's end from a cut.
TEST_F(TlsTest, TheEndOfTheConnectionIsSaid) {
    TestServer server(with(identity()));
    TlsClient client(server.server.port());
    ASSERT_TRUE(client.send("GET /events HTTP/1.0\r\n\r\n"));
    EXPECT_NE(client.receive().find("data: 4\n\n"), std::string::npos);
    EXPECT_TRUE(client.ended_properly());
}

TEST_F(TlsTest, AClientThatVanishesIsNoticed) {
    TestServer server(with(identity()));
    {
        TlsClient client(server.server.port());
        ASSERT_TRUE(client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
        ASSERT_NE(server.held(0), 0u);
    }
    EXPECT_EQ(server.left(0), server.held(0));
}

TEST_F(TlsTest, PlainHttpAndHalfHandshakesDelayNobody) {
    TestServer server(with(identity()));
    std::vector<Client> idle;
    for (int i = 0; i < 50; ++i) {
        idle.push_back(server.client());
        if (i % 2) ASSERT_TRUE(idle.back().send_raw("\x16\x03\x01").ok());
    }
    Client plain = server.client();
    ASSERT_TRUE(plain.send("GET", "/hello").ok());
    EXPECT_FALSE(plain.receive().ok());
    TlsClient client(server.server.port());
    ASSERT_TRUE(client.send(kHello));
    EXPECT_NE(client.receive("hello GET").find("200 OK"), std::string::npos);
}

TEST_F(TlsTest, VersionsFrom12On) {
    TestServer server(with(identity()));
    EXPECT_FALSE(TlsClient(server.server.port(), {.version_max = TLS1_1_VERSION}).connected());
    EXPECT_TRUE(TlsClient(server.server.port(), {.version_max = TLS1_2_VERSION}).connected());
}

TEST_F(TlsTest, ClientsMayHaveToShowACertificate) {
    write_identity(file("friend.key"), file("friend"));
    write_identity(file("stranger.key"), file("stranger"));
    TlsOptions tls = identity();
    tls.client_ca_file = file("friend");
    tls.client_certificate = TlsOptions::ClientCertificate::required;
    TestServer server(with(tls));
    const auto answered = [&](const TlsClient::Options& options) {
        TlsClient client(server.server.port(), options);
        return client.connected() && client.send(kHello) &&
               client.receive("hello GET").find("200 OK") != std::string::npos;
    };
    EXPECT_TRUE(answered({.key_file = file("friend.key"), .certificate_file = file("friend")}));
    EXPECT_FALSE(
        answered({.key_file = file("stranger.key"), .certificate_file = file("stranger")}));
    EXPECT_FALSE(answered({}));
}

TEST_F(TlsTest, WhatCannotBeUsedIsNamed) {
    const std::string missing = file("missing"), rubbish = file("rubbish");
    std::ofstream(rubbish) << "no PEM";
    write_identity(file("other.key"), file("other"));
    const auto says = [](const std::string& sentence, const std::string& words) {
        EXPECT_NE(sentence.find(words), std::string::npos) << sentence;
        EXPECT_EQ(sentence.find('\n'), std::string::npos);
    };
    says(refusal({.key_file = missing, .certificate_file = file("certificate")}),
         missing + " cannot be used: there is no such file");
    says(refusal({.key_file = file("key"), .certificate_file = missing}), missing);
    says(refusal({.key_file = rubbish, .certificate_file = file("certificate")}), rubbish);
    says(refusal({.key_file = file("key"), .certificate_file = rubbish}), rubbish);
    says(refusal({.key_file = file("other.key"), .certificate_file = file("certificate")}),
         "key values mismatch");
    says(refusal({.key_file = file("key")}), "the certificate file is not named");
    TlsOptions tls = identity();
    tls.client_ca_file = rubbish;
    says(refusal(tls), rubbish);
    tls.client_ca_file.clear();
    tls.client_certificate = TlsOptions::ClientCertificate::required;
    says(refusal(tls), "no CA file");
    tls = identity();
    tls.ciphers = "ROT13";
    says(refusal(tls), "'ROT13'");
}

}  // namespace
}  // namespace fathom::http
