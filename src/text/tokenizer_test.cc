#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "text/golden_tokenizers.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using Json = nlohmann::json;
using testing::golden_tokenizer;
using testing::golden_tokenizer_text;

std::vector<Token> ids_of(const Json& row) {
    if (row.contains("ids")) return row["ids"].get<std::vector<Token>>();
    std::vector<Token> ids;
    for (const Json& run : row["id_runs"]) ids.insert(ids.end(), run[1].get<size_t>(), run[0]);
    return ids;
}

std::string text_of(const Json& row) {
    if (row.contains("text")) return row["text"];
    std::string text;
    for (int64_t i = 0; i < row["repeat"][1].get<int64_t>(); ++i)
        text += row["repeat"][0].get<std::string>();
    return text;
}

// Ids and both decoded forms of each line of a file of vectors; returns how many lines.
int expect_vectors(const Tokenizer& tokenizer, const std::string& name) {
    std::istringstream lines(golden_tokenizer_text(name));
    int rows = 0;
    for (std::string line; std::getline(lines, line); ++rows) {
        const Json row = Json::parse(line);
        const std::string text = text_of(row);
        const std::vector<Token> ids = ids_of(row);
        EXPECT_EQ(tokenizer.encode(text), ids) << name << ": " << line.substr(0, 300);
        EXPECT_EQ(to_valid_utf8(tokenizer.decode(ids)), row.value("decoded", text)) << line;
        EXPECT_EQ(to_valid_utf8(tokenizer.decode(ids, true)),
                  row.value("decoded_skip_special", text))
            << line;
    }
    return rows;
}

// V3's file as V3.2 has it: three tokens renamed.
Tokenizer v32_tokenizer() {
    struct Renamed {
        Token token;
        const char* content;
        bool special;
    };
    Json json = Json::parse(golden_tokenizer_text("v3/tokenizer.json"));
    for (const Renamed& renamed : {Renamed{128793, "｜DSML｜", true},
                                   {128798, "<think>", false},
                                   {128799, "</think>", false}})
        for (Json& added : json["added_tokens"])
            if (added["id"] == renamed.token) {
                added["content"] = renamed.content;
                added["special"] = renamed.special;
            }
    Result<Tokenizer> tokenizer =
        Tokenizer::parse(json.dump(), golden_tokenizer_text("v3/tokenizer_config.json"));
    CHECK(tokenizer.ok(), tokenizer.error().message);
    return std::move(tokenizer).value();
}

TEST(Tokenizer, VectorsOfSmall) {
    EXPECT_EQ(expect_vectors(golden_tokenizer("small"), "small.jsonl"), 480);
}

TEST(Tokenizer, VectorsOfV3) { EXPECT_EQ(expect_vectors(golden_tokenizer("v3"), "v3.jsonl"), 480); }

TEST(Tokenizer, VectorsOfV32) { EXPECT_EQ(expect_vectors(v32_tokenizer(), "v32.jsonl"), 480); }

TEST(Tokenizer, RandomTextComesBack) {
    std::mt19937 rng(20251201);
    for (int i = 0; i < 10'000; ++i) {
        const Tokenizer& tokenizer = golden_tokenizer(i % 2 ? "v3" : "small");
        const std::string text = testing::random_text(rng, 60);
        for (const bool added : {true, false}) {
            const std::vector<Token> tokens = tokenizer.encode(text, {.added_tokens = added});
            ASSERT_EQ(tokenizer.decode(tokens), text) << "string " << i;
        }
    }
}

TEST(Tokenizer, RandomBytesComeBack) {
    std::mt19937 rng(20251202);
    for (int i = 0; i < 10'000; ++i) {
        const Tokenizer& tokenizer = golden_tokenizer(i % 2 ? "v3" : "small");
        std::string bytes = testing::random_bytes(rng, 100);
        if (i % 4 == 0)
            bytes.insert(0, testing::random_text(rng, 9)).append(testing::random_text(rng, 9));
        ASSERT_EQ(tokenizer.decode(tokenizer.encode(bytes)), bytes) << "string " << i;
    }
}

TEST(Tokenizer, LongRunsComeBack) {
    for (const char* repeated : {" ", "a", "1", "\n", ".", "的", "\u00e9", " \n", "\xff", "\xe4"}) {
        std::string text;
        while (text.size() < 300'000) text += repeated;
        for (const char* end : {"", "b", "\n"}) {
            const std::string ended = str(text, end);
            const std::vector<Token> tokens = golden_tokenizer("v3").encode(ended);
            ASSERT_EQ(golden_tokenizer("v3").decode(tokens), ended) << repeated;
        }
    }
}

TEST(Tokenizer, AddedTokensOnlyWhereAsked) {
    const Tokenizer& small = golden_tokenizer("small");
    const std::vector<Token> think = small.encode("<think>");
    ASSERT_EQ(think, std::vector<Token>{510});
    EXPECT_EQ(small.added_token("<think>"), 510);
    EXPECT_EQ(small.added_token("<thin"), std::nullopt);
    EXPECT_EQ(small.token_bytes(510), "<think>");
    const std::vector<Token> spelled = small.encode("<think>", {.added_tokens = false});
    EXPECT_GT(spelled.size(), 1u);
    for (const Token token : spelled) EXPECT_LT(token, 507);
    EXPECT_EQ(small.decode(spelled), "<think>");
}

TEST(Tokenizer, TheLongestOfAddedTokensCounts) {
    const AddedTokens added({{"ab", 1}, {"abcd", 2}, {"b", 3}, {"bce", 4}});
    const auto at = [&](std::string_view text, size_t from) {
        const auto found = added.find(text, from);
        return found ? std::vector<size_t>{found->begin, found->end, size_t(found->token)}
                     : std::vector<size_t>{};
    };
    EXPECT_EQ(at("xabcd", 0), (std::vector<size_t>{1, 5, 2}));
    EXPECT_EQ(at("xabce", 0), (std::vector<size_t>{1, 3, 1}));  // leftmost before longest
    EXPECT_EQ(at("xabce", 2), (std::vector<size_t>{2, 5, 4}));
    EXPECT_EQ(at("aab", 0), (std::vector<size_t>{1, 3, 1}));
    EXPECT_EQ(at("ccb", 0), (std::vector<size_t>{2, 3, 3}));  // the last byte of the text
    EXPECT_EQ(at("cca", 0), (std::vector<size_t>{}));
    EXPECT_EQ(at("", 0), (std::vector<size_t>{}));
}

TEST(Tokenizer, SaysWhatItHolds) {
    const Tokenizer& v3 = golden_tokenizer("v3");
    EXPECT_EQ(v3.vocab_size(), 128'815);
    EXPECT_EQ(v3.token_count(), 128'815);
    EXPECT_EQ(v3.bos(), 0);
    EXPECT_EQ(v3.eos(), 1);
    EXPECT_TRUE(v3.add_bos());
    EXPECT_TRUE(v3.is_special(0));
    EXPECT_FALSE(v3.is_special(128'803));  // <｜User｜>
    EXPECT_FALSE(v3.is_special(671));
    EXPECT_EQ(v3.token_bytes(671), "The");
    EXPECT_EQ(v3.token_bytes(3988), " future");
    // Padding rows of the model, and what is no id at all.
    for (const Token token : {128'815, 129'279, -1}) {
        EXPECT_EQ(v3.token_bytes(token), "");
        EXPECT_FALSE(v3.is_special(token));
    }
    EXPECT_FALSE(golden_tokenizer("small").add_bos());
    EXPECT_EQ(golden_tokenizer("small").vocab_size(), 512);
}

TEST(Tokenizer, ThreadsShareIt) {
    const Tokenizer& tokenizer = golden_tokenizer("small");
    const std::string text = golden_tokenizer_text("LICENSE");
    const std::vector<Token> expected = tokenizer.encode(text);
    std::vector<std::vector<Token>> got(4);
    std::vector<std::thread> threads;
    threads.reserve(got.size());
    for (std::vector<Token>& tokens : got)
        threads.emplace_back([&] { tokens = tokenizer.encode(text); });
    for (std::thread& thread : threads) thread.join();
    for (const std::vector<Token>& tokens : got) EXPECT_EQ(tokens, expected);
}

}  // namespace
}  // namespace fathom
