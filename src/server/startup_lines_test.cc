#include "server/startup_lines.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(StartupLines, FlagsThatDoNothingAreNamedInTwoLines) {
    ServeFlags flags;
    flags.model = "m";
    EXPECT_EQ(settings_lines(flags, CheckpointFormat::fp8, 2).size(), 1u);
    flags.no_meaning = {"--trust-remote-code", "--additional-config"};
    flags.not_built = {"--async-scheduling"};
    const auto lines = settings_lines(flags, CheckpointFormat::w8a8, 2);
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_NE(lines[0].find("m, w8a8, 2 threads"), std::string::npos);
    EXPECT_EQ(lines[1], "no meaning here: --trust-remote-code --additional-config");
    EXPECT_EQ(lines[2], "not built yet: --async-scheduling");
}

TEST(StartupLines, TheLastLineCanBePasted) {
    ServeFlags flags;
    ServedModel model{.names = {"it's \"mine\""}};
    flags.http.host = "0.0.0.0";
    EXPECT_EQ(ready_lines(flags, model, 8000, 1.25).back(),
              "curl http://127.0.0.1:8000/v1/completions -H 'Content-Type: application/json' -d "
              "'{\"model\":\"it'\\''s \\\"mine\\\"\",\"prompt\":\"The future of AI is\","
              "\"max_tokens\":50,\"temperature\":0}'");
    flags.http.host = "::1";
    EXPECT_EQ(ready_lines(flags, model, 80, 1).back().substr(0, 22), "curl http://[::1]:80/v");
    flags.http.ssl_keyfile = "key";
    EXPECT_TRUE(ready_lines(flags, model, 80, 1).back().starts_with("curl -k https://[::1]:80/v"));
    flags.http.uds = "/run/s";
    EXPECT_EQ(ready_lines(flags, model, 0, 1)[0], "ready after 1.0 s, listening on /run/s; try");
    EXPECT_TRUE(
        ready_lines(flags, model, 0, 1)
            .back()
            .starts_with("curl --unix-socket '/run/s' -k https://localhost/v1/completions -H"));
}

TEST(StartupLines, NoLineHoldsAKey) {
    ServeFlags flags;
    flags.model = "m";
    flags.http.api_keys = {"very-secret"};
    std::vector<std::string> lines = settings_lines(flags, CheckpointFormat::fp8, 2);
    for (std::string& line : ready_lines(flags, {.names = {"m"}}, 80, 1)) lines.push_back(line);
    for (const std::string& line : lines) EXPECT_EQ(line.find("very-secret"), line.npos) << line;
    EXPECT_NE(lines.back().find("-H \"Authorization: Bearer $VLLM_API_KEY\""), std::string::npos);
}

}  // namespace
}  // namespace fathom
