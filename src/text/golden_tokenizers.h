// The tokenizers of tests/golden/tokenizer, for tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>

#include "base/file.h"
#include "text/tokenizer.h"

namespace fathom::testing {

inline std::filesystem::path golden_tokenizer_folder() {
    return std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/golden/tokenizer";
}

inline std::string golden_tokenizer_text(const std::string& name) {
    Result<std::string> text = read_text(golden_tokenizer_folder() / name, 16 << 20);
    CHECK(text.ok(), text.error().message);
    return std::move(text).value();
}

// V3's file as V3.2 has it: three tokens renamed.
inline Tokenizer make_v32_tokenizer() {
    struct Renamed {
        Token token;
        const char* content;
        bool special;
    };
    std::string json = golden_tokenizer_text("v3/tokenizer.json");
    for (const auto& [token, content, special] : {Renamed{128793, "｜DSML｜", true},
                                                  {128798, "<think>", false},
                                                  {128799, "</think>", false}}) {
        const size_t begin = json.find(str("\"id\": ", token, ","));
        CHECK(begin != json.npos, "no token ", token);
        const size_t end = json.find('}', begin);
        json.replace(begin, end - begin,
                     str("\"id\": ", token, ", \"content\": \"", content,
                         "\", \"special\": ", special ? "true" : "false"));
    }
    Result<Tokenizer> tokenizer =
        Tokenizer::parse(json, golden_tokenizer_text("v3/tokenizer_config.json"));
    CHECK(tokenizer.ok(), tokenizer.error().message);
    return std::move(tokenizer).value();
}

// DeepSeek-V3's, 128,815 tokens; V3.2's ("v32"); and one of V3's first 507 and five chat tokens
// ("small"). Loaded once.
inline const Tokenizer& golden_tokenizer(const std::string& name) {
    const auto open = [](const char* folder) {
        Result<Tokenizer> tokenizer = Tokenizer::open(golden_tokenizer_folder() / folder);
        CHECK(tokenizer.ok(), tokenizer.error().message);
        return std::move(tokenizer).value();
    };
    if (name == "v3") {
        static const Tokenizer kV3 = open("v3");
        return kV3;
    }
    if (name == "v32") {
        static const Tokenizer kV32 = make_v32_tokenizer();
        return kV32;
    }
    static const Tokenizer kSmall = open("small");
    return kSmall;
}

// Any bytes: mostly not UTF-8.
inline std::string random_bytes(std::mt19937& rng, int bytes_max) {
    std::string bytes(rng() % (bytes_max + 1), '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng() % 256);
    return bytes;
}

// Valid UTF-8 of code points of all lengths, and of those that the rules look at.
inline std::string random_text(std::mt19937& rng, int chars_max) {
    static constexpr const char* kNotable[] = {
        " ",      "  ",     "\n",     "\r\n",    "\t",         "1",   "234", ".",
        "'s",     "the",    "é",      "e\u0301", "的",         "カ",  "・",  "😀",
        "\u3000", "\u180e", "\u0897", "<think>", "<｜User｜>", "<｜", "｜>"};
    std::string text;
    for (auto left = rng() % (chars_max + 1); left > 0; --left) {
        if (rng() % 2 == 0) {
            text += kNotable[rng() % std::size(kNotable)];
            continue;
        }
        constexpr char32_t kLimits[] = {0x80, 0x800, 0xd800, 0x110000};
        const char32_t code = rng() % kLimits[rng() % 4];
        if (code < 0x80) {
            text += static_cast<char>(code);
        } else if (code < 0x800) {
            text += {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
        } else if (code < 0x10000) {
            if (code >= 0xd800 && code < 0xe000) continue;
            text +=
                {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
                 static_cast<char>(0x80 | (code & 63))};
        } else {
            text +=
                {static_cast<char>(0xf0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
                 static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
        }
    }
    return text;
}

}  // namespace fathom::testing
