// `fathom serve` behind keys, TLS and a Unix socket.
#include <nlohmann/json.hpp>

#include "http/tls_testing.h"
#include "program.h"

namespace fathom::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Json = nlohmann::json;

// The sentence with which it does not start.
std::string refusal(const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"serve", shipped_model(), "--port", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Program program(arguments);
    EXPECT_EQ(program.exit_code(), 2);
    EXPECT_EQ(std::ranges::count(program.errors(), '\n'), 1) << program.errors();
    return program.errors();
}

#define EXPECT_SAYS(sentence, words) \
    EXPECT_NE((sentence).find(words), std::string::npos) << (sentence)

class ServeGuard : public ::testing::Test {
protected:
    std::string file(const char* name) const { return folder.path() / name; }
    const TemporaryFolder folder;
};

TEST_F(ServeGuard, KeysAreAskedForAndNeverShown) {
    ServeProgram program(
        {"--api-key", "very-secret", "other-secret", "--uvicorn-log-level", "debug"});
    const auto status = [&](const char* path, const char* authorization) {
        return connect(program.port)
            .request("GET", path, "", {{"Authorization", authorization}})
            .value()
            .status;
    };
    EXPECT_EQ(status("/v1/models", "Bearer other-secret"), 200);
    EXPECT_EQ(status("/v1/models", "Bearer none"), 401);
    EXPECT_EQ(status("/health", "Bearer none"), 200);
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(5s), 0);
    std::string said = program.errors() + program.rest();
    for (const std::string& line : program.lines) said += line + "\n";
    EXPECT_EQ(said.find("secret"), std::string::npos) << said;
    EXPECT_SAYS(said, "\"GET /v1/models\" 401 ");
}

TEST_F(ServeGuard, Https) {
    http::write_identity(file("key"), file("certificate"));
    ServeProgram program({"--ssl-keyfile", file("key"), "--ssl-certfile", file("certificate")});
    EXPECT_SAYS(program.lines.back(), "curl -k https://127.0.0.1:");
    http::TlsClient client(program.port);
    ASSERT_TRUE(client.connected());
    const std::string body = R"({"prompt":"x","max_tokens":3,"stream":true})";
    ASSERT_TRUE(
        client.send(str("POST /v1/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                        "Content-Type: application/json\r\nContent-Length: ",
                        body.size(), "\r\n\r\n", body)));
    const std::string answer = client.receive();
    EXPECT_SAYS(answer, "HTTP/1.1 200 OK");
    EXPECT_SAYS(answer, "data: [DONE]");
    EXPECT_TRUE(client.ended_properly());
}

TEST_F(ServeGuard, KeysAndCertificatesThatCannotBeUsed) {
    http::write_identity(file("key"), file("certificate"));
    http::write_identity(file("other.key"), file("other"));
    std::ofstream(file("rubbish")) << "rubbish";
    const auto with = [&](const char* key, const char* certificate) {
        return refusal({"--ssl-keyfile", file(key), "--ssl-certfile", file(certificate)});
    };
    EXPECT_SAYS(with("missing", "certificate"), file("missing"));
    EXPECT_SAYS(with("key", "rubbish"), file("rubbish"));
    EXPECT_SAYS(with("other.key", "certificate"), file("other.key"));
    EXPECT_SAYS(refusal({"--ssl-keyfile", file("key")}), "--ssl-certfile");
}

TEST_F(ServeGuard, AUnixSocketIsServedAndRemoved) {
    const std::string path = file("socket");
    Program program({"serve", shipped_model(), "--uds", path, "--threads", "2", "--max-model-len",
                     "512", "--max-num-seqs", "4"});
    std::string line;
    while (!line.starts_with("curl ")) {
        const std::optional<std::string> next = program.line();
        ASSERT_TRUE(next.has_value()) << program.errors();
        line = *next;
    }
    EXPECT_SAYS(line, "curl --unix-socket '" + path + "' http://localhost/v1/completions");
    Result<http::Client> client = http::Client::connect_unix(path);
    ASSERT_TRUE(client.ok());
    EXPECT_EQ(client.value()
                  .request("POST", "/v1/completions", R"({"prompt":"x","max_tokens":2})")
                  .value()
                  .status,
              200);
    EXPECT_SAYS(refusal({"--uds", path}), path + " is taken by another program");
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(10s), 0);
    EXPECT_FALSE(fs::exists(path));
}

TEST_F(ServeGuard, ProfilesHoldStepsAndOps) {
    ServeProgram program({"--profile-dir", file("traces")});
    http::Client client = connect(program.port);
    EXPECT_EQ(client.request("POST", "/start_profile").value().status, 200);
    EXPECT_EQ(client.request("POST", "/v1/completions", R"({"prompt":"x","max_tokens":4})")
                  .value()
                  .status,
              200);
    const http::Response stopped = client.request("POST", "/stop_profile").value();
    ASSERT_EQ(stopped.status, 200) << stopped.body;
    const std::string trace = read_file(Json::parse(stopped.body)["trace"].get<std::string>());
    ASSERT_TRUE(Json::accept(trace));
    for (const char* span : {"\"step\"", "\"rms_norm\"", "\"linear\"", "\"sample\""})
        EXPECT_SAYS(trace, span);
}

}  // namespace
}  // namespace fathom::testing
