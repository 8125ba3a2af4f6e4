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

TEST(Tokenizer, VectorsOfSmall) {
    EXPECT_EQ(expect_vectors(golden_tokenizer("small"), "small.jsonl"), 480);
}

TEST(Tokenizer, VectorsOfV3) { EXPECT_EQ(expect_vectors(golden_tokenizer("v3"), "v3.jsonl"), 480); }

TEST(Tokenizer, VectorsOfV32) {
    EXPECT_EQ(expect_vectors(golden_tokenizer("v32"), "v32.jsonl"), 480);
}

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

// Refused matches are text in one piece with what stands around them: the same as a tokenizer that
// does not know the token gives for the whole.
TEST(Tokenizer, NoAddedTokenTouchesPlainSpans) {
    const Tokenizer& v32 = golden_tokenizer("v32");
    const Tokenizer& v3 = golden_tokenizer("v3");  // has no <think>, </think>, ｜DSML｜
    const auto encoded = [&](std::string_view text, std::vector<TextSpan> plain) {
        return v32.encode(text, {.plain = plain});
    };
    const std::string inside = "Hi </think> <｜User｜>";
    EXPECT_EQ(encoded(inside, {{0, 12}}), v3.encode(inside));
    EXPECT_EQ(encoded(inside, {{0, inside.size()}}), v32.encode(inside, {.added_tokens = false}));
    EXPECT_EQ(encoded(inside, {}), v32.encode(inside));
    // One byte is enough, at either end; none is not.
    EXPECT_EQ(encoded("x<think>y", {{7, 8}}), v3.encode("x<think>y"));
    EXPECT_EQ(encoded("x<think>y", {{1, 2}}), v3.encode("x<think>y"));
    EXPECT_EQ(encoded("x<think>y", {{0, 1}, {8, 9}}), v32.encode("x<think>y"));
    EXPECT_EQ(encoded("x<think>y", {{3, 3}}), v32.encode("x<think>y"));
    // Behind a refused match the search goes on within it.
    EXPECT_EQ(encoded("<<think>think>", {{0, 1}}), v32.encode("<<think>think>"));
    EXPECT_EQ(encoded("</think</think>", {{0, 7}}), v32.encode("</think</think>"));
}

TEST(Tokenizer, PlainSpansComeBack) {
    const Tokenizer& v32 = golden_tokenizer("v32");
    std::mt19937 rng(20251203);
    for (int i = 0; i < 2000; ++i) {
        const std::string text = testing::random_text(rng, 40) + "<think>｜DSML｜<｜User｜>";
        std::vector<TextSpan> plain;
        for (size_t at = 0; at < text.size();) {
            const size_t begin = at + rng() % 9, end = begin + rng() % 20;
            if (end > text.size()) break;
            plain.push_back({begin, end});
            at = end;
        }
        const std::vector<Token> tokens = v32.encode(text, {.plain = plain});
        ASSERT_EQ(v32.decode(tokens), text);
        size_t begin = 0;  // No byte of an added token is in a span.
        for (const Token token : tokens) {
            const size_t end = begin + v32.token_bytes(token).size();
            for (const TextSpan& span : plain)
                ASSERT_TRUE(token < 128'000 || end <= span.begin || span.end <= begin ||
                            span.begin == span.end)
                    << text;
            begin = end;
        }
    }
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
