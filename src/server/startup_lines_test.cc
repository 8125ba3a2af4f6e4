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
    flags.host = "0.0.0.0";
    EXPECT_EQ(ready_lines(flags, model, 8000, 1.25).back(),
              "curl http://127.0.0.1:8000/v1/completions -H 'Content-Type: application/json' -d "
              "'{\"model\":\"it'\\''s \\\"mine\\\"\",\"prompt\":\"The future of AI is\","
              "\"max_tokens\":50,\"temperature\":0}'");
    flags.host = "::1";
    EXPECT_EQ(ready_lines(flags, model, 80, 1).back().substr(0, 22), "curl http://[::1]:80/v");
}

}  // namespace
}  // namespace fathom
