// `fathom serve` from its first line to its last: what it says, what it answers, how it ends.
#include <nlohmann/json.hpp>

#include "base/token.h"
#include "program.h"
#include "testing/golden.h"

namespace fathom::testing {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

Json post(int port, const Json& body) {
    Result<http::Response> answer = connect(port).request("POST", "/v1/completions", body.dump());
    CHECK(answer.ok(), answer.error().message);
    EXPECT_EQ(answer.value().status, 200) << answer.value().body;
    return Json::parse(answer.value().body);
}

// A streamed request of so many tokens, its first chunk read.
http::Client begin_stream(int port, int max_tokens) {
    http::Client client = connect(port);
    const Json body{{"prompt", "The future of AI is"},
                    {"max_tokens", max_tokens},
                    {"ignore_eos", true},
                    {"stream", true}};
    CHECK(client.send("POST", "/v1/completions", body.dump()).ok(), "send");
    EXPECT_EQ(client.receive_head().value().status, 200);
    EXPECT_TRUE(client.next_event().value().has_value());
    return client;
}

// The rest of a stream: the last finish reason, "" when it broke off before "[DONE]".
struct Ending {
    std::string finish_reason;
    int chunks = 0;
};
Ending end_of(http::Client& client) {
    Ending ending;
    for (std::string finish_reason;;) {
        Result<std::optional<std::string>> event = client.next_event();
        if (!event.ok() || !event.value()) break;
        if (*event.value() == "[DONE]") {
            ending.finish_reason = finish_reason;
            continue;
        }
        ++ending.chunks;
        const Json chunk = Json::parse(*event.value());
        if (chunk["choices"][0]["finish_reason"].is_string())
            finish_reason = chunk["choices"][0]["finish_reason"];
    }
    client.shutdown_send();  // Or the server waits a moment for more requests to refuse.
    return ending;
}

// Whether the server has begun to shut down: it takes no more requests.
bool refuses(int port) {
    Result<http::Client> client = http::Client::connect("127.0.0.1", port, 1s);
    if (!client.ok()) return true;
    Result<http::Response> answer =
        client.value().request("POST", "/v1/completions", R"({"prompt":"x","max_tokens":1})");
    return !answer.ok() || answer.value().status == 503;
}

// The words of a line as a shell makes them; single quotes only.
std::vector<std::string> shell_words(const std::string& line) {
    std::vector<std::string> words(1);
    bool quoted = false;
    for (const char c : line) {
        if (c == '\'')
            quoted = !quoted;
        else if (c == ' ' && !quoted)
            words.emplace_back();
        else
            words.back() += c;
    }
    return words;
}

TEST(ServeRun, TheLastStartUpLineWorksWhenPasted) {
    ServeProgram program({"--tensor-parallel-size", "4", "--trust-remote-code"});
    const std::vector<std::string> words = shell_words(program.lines.back());
    ASSERT_EQ(words.size(), 6u);
    ASSERT_EQ(words[2] + words[4], "-H-d");
    const std::string& header = words[3];
    const size_t colon = header.find(": "), path = words[1].find('/', words[1].find("://") + 3);
    Result<http::Response> answer =
        connect(program.port)
            .request("POST", words[1].substr(path), words[5],
                     {{header.substr(0, colon), header.substr(colon + 2)}});
    ASSERT_TRUE(answer.ok());
    ASSERT_EQ(answer.value().status, 200) << answer.value().body;
    const Json json = Json::parse(answer.value().body);
    EXPECT_EQ(json["usage"]["prompt_tokens"].get<int>() > 0, true);
    EXPECT_FALSE(json["choices"][0]["text"].get<std::string>().empty());
    EXPECT_FALSE(json["choices"][0]["finish_reason"].is_null());

    std::string all;
    for (const std::string& line : program.lines) all += line + "\n";
    EXPECT_NE(all.find("no meaning here: --trust-remote-code"), std::string::npos) << all;
    EXPECT_NE(all.find("not built yet: --tensor-parallel-size"), std::string::npos) << all;
    EXPECT_NE(all.find("memory"), std::string::npos) << all;
}

TEST(ServeRun, TheReferencesTokensInFloat32) {
    const Golden golden("models/bf16-plain/len-0065.safetensors");
    const auto row = [&](const char* name) {
        const Tensor ids = golden[name];
        return std::vector<Token>{ids.as<int32_t>(), ids.as<int32_t>() + ids.dim(0)};
    };
    ServeProgram program({"--dtype", "float32"}, tiny_checkpoint("reference", "bf16"));
    const Json answer = post(program.port, {{"prompt", row("ids")},
                                            {"max_tokens", 32},
                                            {"temperature", 0},
                                            {"ignore_eos", true},
                                            {"return_token_ids", true}});
    EXPECT_EQ(answer["choices"][0]["token_ids"].get<std::vector<Token>>(), row("greedy_tokens"));
}

TEST(ServeRun, EveryFormatIsServed) {
    const std::vector<std::vector<std::string>> flags{{"bf16", "--kv-cache-dtype", "bf16"},
                                                      {"fp8", "--quantization", "fp8"},
                                                      {"w8a8", "--quantization", "ascend"}};
    for (std::vector<std::string> more : flags) {
        const std::string model = tiny_checkpoint("reference", more[0]);
        more.erase(more.begin());
        ServeProgram program(more, model);
        const Json answer = post(program.port, {{"prompt", "x"}, {"max_tokens", 4}});
        EXPECT_EQ(answer["choices"].size(), 1u) << model;
    }
}

TEST(ServeRun, SignalsWhenNothingRuns) {
    for (const int signal : {SIGTERM, SIGINT}) {
        ServeProgram program;
        post(program.port, {{"prompt", "x"}, {"max_tokens", 2}});
        program.signal(signal);
        EXPECT_EQ(program.exit_code(5s), 0);
        EXPECT_FALSE(http::Client::connect("127.0.0.1", program.port, 1s).ok());
    }
}

TEST(ServeRun, ARunningStreamEndsWithItsLastToken) {
    ServeProgram program;
    http::Client client = begin_stream(program.port, 600);
    program.signal(SIGTERM);
    for (int i = 0; i < 1000 && !refuses(program.port); ++i) ::usleep(1000);
    const Ending ending = end_of(client);
    EXPECT_EQ(ending.finish_reason, "length");
    EXPECT_EQ(ending.chunks, 599);
    EXPECT_EQ(program.exit_code(10s), 0);
}

TEST(ServeRun, WithoutTimeTheStreamIsToldThatItWasAborted) {
    ServeProgram program({"--shutdown-timeout", "0"});
    http::Client client = begin_stream(program.port, 8000);
    program.signal(SIGTERM);
    EXPECT_EQ(end_of(client).finish_reason, "abort");
    EXPECT_EQ(program.exit_code(5s), 0);
}

TEST(ServeRun, AfterTheTimeoutTheStreamIsAborted) {
    ServeProgram program({"--shutdown-timeout", "1"});
    http::Client client = begin_stream(program.port, 8000);
    program.signal(SIGTERM);
    const Ending ending = end_of(client);
    EXPECT_EQ(ending.finish_reason, "abort");
    EXPECT_GT(ending.chunks, 10);
    EXPECT_EQ(program.exit_code(5s), 0);
}

TEST(ServeRun, ASecondSignalLeavesAtOnce) {
    ServeProgram program;
    http::Client client = begin_stream(program.port, 8000);
    program.signal(SIGTERM);
    for (int i = 0; i < 1000 && !refuses(program.port); ++i) ::usleep(1000);
    EXPECT_TRUE(program.running());
    program.signal(SIGINT);
    EXPECT_EQ(program.exit_code(2s), 1);
    EXPECT_EQ(end_of(client).finish_reason, "");
}

TEST(ServeRun, AClientThatVanishesHarmsNobody) {
    ServeProgram program({"--max-num-seqs", "2"});
    http::Client stays = begin_stream(program.port, 300);
    for (int i = 0; i < 5; ++i)
        begin_stream(program.port, 8000).reset();  // One place for all five.
    const Ending ending = end_of(stays);
    EXPECT_EQ(ending.finish_reason, "length");
    EXPECT_EQ(ending.chunks, 299);
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(5s), 0);
}

}  // namespace
}  // namespace fathom::testing
