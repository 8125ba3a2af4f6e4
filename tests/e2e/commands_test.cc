// The program's other commands: what they print and their exit codes.
#include <algorithm>

#include "program.h"

namespace fathom::testing {
namespace {

using namespace std::string_literals;

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
        for (const char* command : {"serve", "inspect", "quantize", "tiny"})
            EXPECT_TRUE(has(help.output, command)) << help.output;
    }
    EXPECT_TRUE(run({"--version"}).output.starts_with("fathom "));
    for (const char* command : {"serve", "inspect", "quantize", "tiny"}) {
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
    EXPECT_EQ(run({"quantize", "/tmp/x"}).code, 2);
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

// A bf16 checkpoint and what is made of it, in a folder of the test's own.
class Quantize : public ::testing::Test {
protected:
    Quantize() {
        const Outcome tiny = run({"tiny", in, "--format", "bf16"});
        EXPECT_EQ(tiny.code, 0) << tiny.errors;
    }
    // The only line on stderr of a run that must fail with 2 and leave nothing at `out`.
    std::string refusal(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "quantize");
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.code, 2) << outcome.output;
        EXPECT_EQ(outcome.output, "");
        EXPECT_TRUE(outcome.errors.starts_with("fathom quantize: ")) << outcome.errors;
        EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1);
        EXPECT_FALSE(std::filesystem::exists(out + "/config.json"));
        return outcome.errors;
    }

    const TemporaryFolder temporary;
    const std::string in = temporary.path() / "in", out = temporary.path() / "out";
};

TEST_F(Quantize, WritesWhatInspectFindsNothingWrongWith) {
    const std::string text = temporary.path() / "text";
    std::ofstream(text) << "Some words.\n---\n<｜User｜>Hello<｜Assistant｜>";
    const std::vector<std::vector<std::string>> runs = {
        {in, out + "-fp8", "--format", "fp8"},
        {in, out + "-w8a8", "--format", "w8a8"},
        {in, out + "-text", "--format", "w8a8", "--calibration", text},
        {out + "-fp8", out + "-both", "--format", "w8a8", "--threads", "1"}};
    for (std::vector<std::string> arguments : runs) {
        const std::string folder = arguments[1], format = arguments[3];
        arguments.insert(arguments.begin(), "quantize");
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.code, 0) << outcome.errors;
        EXPECT_EQ(outcome.errors, "");
        EXPECT_TRUE(outcome.output.starts_with(folder + ": ")) << outcome.output;
        const Outcome inspect = run({"inspect", folder});
        EXPECT_EQ(inspect.code, 0) << inspect.errors;
        for (const std::string& words : {"weights (" + format + ")", "nothing is wrong with it"s})
            EXPECT_TRUE(has(inspect.output, words)) << words << " in " << inspect.output;
    }
    const char* const kIndex = "/quant_model_weights.safetensors.index.json";
    EXPECT_EQ(read_file(out + "-w8a8" + kIndex), read_file(out + "-text" + kIndex));
}

TEST_F(Quantize, RefusesInOneSentence) {
    EXPECT_TRUE(has(refusal({in, out}), "--format"));
    EXPECT_TRUE(has(refusal({in, out, "--format", "int4"}), "--format"));
    EXPECT_TRUE(has(refusal({"/no/such/folder", out, "--format", "fp8"}), "/no/such/folder"));
    EXPECT_TRUE(has(refusal({in, in + "/", "--format", "fp8", "--overwrite"}), "to read"));
    EXPECT_TRUE(has(refusal({in, temporary.path(), "--format", "fp8"}), "--overwrite"));
    EXPECT_TRUE(has(refusal({in, out, "--format", "fp8", "--calibration", "x"}), "--calibration"));
    const auto calibration = [&](const std::string& path) {
        return refusal({in, out, "--format", "w8a8", "--calibration", path});
    };
    EXPECT_TRUE(has(calibration("/no/such/text"), "/no/such/text"));
    const std::string text = temporary.path() / "text";
    std::ofstream(text) << "\xff\xfe";
    EXPECT_TRUE(has(calibration(text), text + ": the text is not UTF-8"));
    std::ofstream(text, std::ios::trunc) << "---\n";
    EXPECT_TRUE(has(calibration(text), text + ": the text holds no document"));
    for (const char* format : {"fp8", "w8a8"}) {
        const std::string made = temporary.path() / format;
        ASSERT_EQ(run({"quantize", in, made, "--format", format}).code, 0);
        EXPECT_TRUE(has(refusal({made, out, "--format", format}), "already"));
    }
}

TEST_F(Quantize, RefusesWhatInspectFindsWrong) {
    const std::string text = read_file(in + "/config.json"), size = "\"vocab_size\": 512";
    const size_t at = text.find(size);
    ASSERT_NE(at, std::string::npos);
    std::ofstream(in + "/config.json")
        << text.substr(0, at) << "\"vocab_size\": 480" << text.substr(at + size.size());
    EXPECT_TRUE(has(refusal({in, out, "--format", "fp8"}), "more: fathom inspect " + in));
    std::ofstream(in + "/config.json") << text;
    std::filesystem::remove(in + "/tokenizer.json");
    EXPECT_TRUE(has(refusal({in, out, "--format", "fp8"}), "tokenizer.json"));
    EXPECT_FALSE(std::filesystem::exists(out));
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
