#include "server/served_model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "testing/tiny_checkpoint.h"

namespace fathom::testing {
namespace {

using Names = std::vector<std::string>;

class ServedModelTest : public ::testing::Test {
protected:
    ServedModelTest() {
        args.vocab_size = 512;
        args.eos_token_id = 1;
    }
    std::string folder() const { return temporary.path().string(); }
    void write(const std::string& text) const {
        std::ofstream(temporary.path() / "generation_config.json") << text;
    }

    const TemporaryFolder temporary;
    ModelArgs args;
};

TEST(ServedNames, ThePathItsLastPartAndUsualNames) {
    for (const char* path : {"models/tiny", "models/tiny/"}) {
        const Names names = served_names({}, path);
        ASSERT_GE(names.size(), 2u);
        EXPECT_EQ(names[0], path);
        EXPECT_EQ(names[1], "tiny");
    }
    EXPECT_EQ(served_names({"a", "b"}, "models/tiny"), (Names{"a", "b"}));
    EXPECT_EQ(served_names({}, "dsv3"),
              (Names{"dsv3", "deepseek_v3.2", "deepseek-ai/DeepSeek-V3.2"}));
}

TEST(ServedNames, ARequestWithoutANameIsServed) {
    const ServedModel model{.names = {"a", "b"}, .path = ""};
    EXPECT_TRUE(model.is_served(""));
    EXPECT_TRUE(model.is_served("b"));
    EXPECT_FALSE(model.is_served("B"));
    EXPECT_TRUE((ServedModel{.names = {"a"}, .accept_any = true}).is_served("B"));
}

TEST_F(ServedModelTest, DefaultsOfTheGenerationConfig) {
    EXPECT_EQ(load_sampling_defaults(folder()).value().temperature, 1);  // Without the file.
    write(R"({"temperature": 0.6, "top_p": 0.95, "top_k": 40, "min_p": "no number"})");
    const api::SamplingDefaults defaults = load_sampling_defaults(folder()).value();
    EXPECT_EQ(defaults.temperature, 0.6);
    EXPECT_EQ(defaults.top_p, 0.95);
    EXPECT_EQ(defaults.top_k, 40);
    EXPECT_EQ(defaults.min_p, 0);
    EXPECT_EQ(defaults.repetition_penalty, 1);
    write("{");
    const Result<api::SamplingDefaults> broken = load_sampling_defaults(folder());
    ASSERT_FALSE(broken.ok());
    EXPECT_NE(broken.error().message.find("generation_config.json"), std::string::npos);
}

TEST_F(ServedModelTest, FlagsGoBeforeTheGenerationConfig) {
    write(R"({"temperature": 0.6, "top_p": 0.95})");
    EXPECT_EQ(load_sampling_defaults("").value().temperature, 1);
    auto defaults = load_sampling_defaults(folder(), R"({"temperature":0.2,"top_k":5})");
    EXPECT_EQ(defaults.value().temperature, 0.2);
    EXPECT_EQ(defaults.value().top_k, 5);
    EXPECT_EQ(defaults.value().top_p, 0.95);
    for (const char* bad : {R"({"max_new_tokens":5})", R"({"top_p":"x"})"}) {
        const auto refused = load_sampling_defaults(folder(), bad);
        ASSERT_FALSE(refused.ok()) << bad;
        EXPECT_NE(refused.error().message.find("--override-generation-config: "),
                  std::string::npos);
    }
}

TEST_F(ServedModelTest, EndTokens) {
    const auto ends = [&] { return load_end_tokens(folder(), args).value(); };
    EXPECT_EQ(ends(), (std::vector<Token>{1}));
    write(R"({"eos_token_id": 7})");
    EXPECT_EQ(ends(), (std::vector<Token>{1, 7}));
    write(R"({"eos_token_id": [7, 1, 9, 512, -1, 99999999999, "x", null]})");
    EXPECT_EQ(ends(), (std::vector<Token>{1, 7, 9}));
}

}  // namespace
}  // namespace fathom::testing
