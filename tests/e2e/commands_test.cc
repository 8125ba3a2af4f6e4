// The program's other commands: what they print and their exit codes.
#include "program.h"

namespace fathom::testing {
namespace {

struct Outcome {
    int code;
    std::string output, errors;
};

Outcome run(const std::vector<std::string>& arguments) {
    Program program(arguments);
    std::string output = program.rest();
    const int code = program.exit_code();
    return {code, std::move(output), program.errors()};
}

bool has(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
}

TEST(Commands, HelpAndVersion) {
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{}, {"--help"}, {"help"}}) {
        const Outcome help = run(arguments);
        EXPECT_EQ(help.code, 0);
        for (const char* command : {"serve", "inspect", "tiny"})
            EXPECT_TRUE(has(help.output, command)) << help.output;
    }
    EXPECT_TRUE(run({"--version"}).output.starts_with("fathom "));
    for (const char* command : {"serve", "inspect", "tiny"}) {
        const Outcome help = run({command, "--help"});
        EXPECT_EQ(help.code, 0);
        EXPECT_TRUE(has(help.output, std::string("fathom ") + command)) << help.output;
        EXPECT_EQ(help.errors, "");
    }
}

TEST(Commands, WhatIsNoCommand) {
    const Outcome unknown = run({"serv"});
    EXPECT_EQ(unknown.code, 2);
    EXPECT_TRUE(has(unknown.errors, "unknown command serv"));
    EXPECT_EQ(run({"tiny"}).code, 2);
    EXPECT_EQ(run({"inspect"}).code, 2);
    const Outcome flag = run({"tiny", "/tmp/x", "--presets", "bench"});
    EXPECT_EQ(flag.code, 2);
    EXPECT_TRUE(has(flag.errors, "--preset")) << flag.errors;
}

TEST(Commands, TinyWritesWhatInspectFindsNothingWrongWith) {
    const TemporaryFolder temporary;
    const std::string folder = temporary.path() / "model";
    for (const char* format : {"bf16", "fp8", "w8a8"}) {
        const Outcome tiny =
            run({"tiny", folder, "--format", format, "--seed", "7", "--overwrite"});
        EXPECT_EQ(tiny.code, 0) << tiny.errors;
        EXPECT_TRUE(has(tiny.output, folder)) << tiny.output;
        const Outcome inspect = run({"inspect", folder});
        EXPECT_EQ(inspect.code, 0) << inspect.errors;
        EXPECT_EQ(inspect.errors, "");
        for (const std::string& words :
             {std::string("DeepSeek-V3.2: 3 layers"), std::string(format),
              std::string("nothing is wrong with it")})
            EXPECT_TRUE(has(inspect.output, words)) << words << " in " << inspect.output;
    }
    const Outcome again = run({"tiny", folder});
    EXPECT_EQ(again.code, 2);
    EXPECT_TRUE(has(again.errors, folder)) << again.errors;
}

TEST(Commands, InspectSaysEverythingThatIsWrong) {
    EXPECT_EQ(run({"inspect", "/no/such/folder"}).code, 2);
    const TemporaryFolder temporary;
    const std::string folder = temporary.path() / "model";
    ASSERT_EQ(run({"tiny", folder}).code, 0);
    const std::filesystem::path config = folder + "/config.json";
    std::string text = read_file(config);
    const size_t at = text.find("\"vocab_size\": 512");
    ASSERT_NE(at, std::string::npos);
    text.replace(at, 17, "\"vocab_size\": 480");
    std::ofstream(config) << text;
    const Outcome inspect = run({"inspect", folder});
    EXPECT_EQ(inspect.code, 2);
    for (const char* words :
         {"wrong: ", "model.embed_tokens.weight", "lm_head.weight", "tokenizer.json"})
        EXPECT_TRUE(has(inspect.errors, words)) << inspect.errors;
}

}  // namespace
}  // namespace fathom::testing
