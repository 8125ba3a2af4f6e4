#include "text/reply_parser.h"

#include <gtest/gtest.h>

#include <random>

#include "text/golden_tokenizers.h"
#include "text/python_json.h"
#include "text/reply_testing.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using testing::golden_tokenizer;
using testing::whole;
using testing::WholeReply;

const Tokenizer& small() { return golden_tokenizer("small"); }

// How a text may come: as encoded, or with each byte that is in no added token as its own.
std::vector<Token> tokens_of(std::string_view text) { return small().encode(text); }

std::vector<Token> bytes_of(std::string_view text) {
    std::vector<Token> out;
    for (const Token token : small().encode(text)) {
        const std::string_view bytes = small().token_bytes(token);
        if (token < 3 || token >= 507) {
            out.push_back(token);
            continue;
        }
        for (const char byte : bytes) out.push_back(small().encode({&byte, 1})[0]);
    }
    return out;
}

struct Fed {
    WholeReply reply;
    std::optional<std::string> stopped;
    int tokens = 0;
};

Fed fed(const std::vector<Token>& tokens, ReplyParserOptions options, int min_tokens = 0) {
    ReplyParser parser(small(), std::move(options));
    std::vector<ReplyPiece> pieces;
    Fed out;
    for (const Token token : tokens) {
        parser.push(token, out.tokens + 1 >= min_tokens, pieces);
        ++out.tokens;
        if (parser.stopped()) break;
    }
    parser.finish(pieces);
    out.reply = whole(pieces);
    out.stopped = parser.stopped();
    EXPECT_EQ(parser.calls(), static_cast<int>(out.reply.calls.size()));
    for (const ReplyPiece& piece : pieces) EXPECT_EQ(to_valid_utf8(piece.text), piece.text);
    return out;
}

WholeReply reply_to(std::string_view text, ReplyParserOptions options) {
    const Fed whole_tokens = fed(tokens_of(text), options);
    EXPECT_EQ(whole_tokens.reply, fed(bytes_of(text), options).reply) << text;
    return whole_tokens.reply;
}

const ReplyParserOptions kChat;
const ReplyParserOptions kThinking{.in_reasoning = true};
const ReplyParserOptions kTools{.parse_calls = true};
const ReplyParserOptions kThinkingTools{.in_reasoning = true, .parse_calls = true};

constexpr const char* kNow =
    "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"now\">\n</｜DSML｜invoke>\n"
    "</｜DSML｜function_calls>";

TEST(ReplyParser, ContentAsItIs) {
    for (const char* text : {"Hello", "", "a < b", "\n\nHi \n", "é天😀", "2>&1 </p>"})
        for (const ReplyParserOptions& options : {kChat, kTools})
            EXPECT_EQ(reply_to(text, options), (WholeReply{"", text, {}})) << text;
}

TEST(ReplyParser, ThoughtAndAnswer) {
    EXPECT_EQ(reply_to("Hm.</think>Yes", kThinking), (WholeReply{"Hm.", "Yes", {}}));
    EXPECT_EQ(reply_to("Hm.</think>\n\nYes", kThinking), (WholeReply{"Hm.", "\n\nYes", {}}));
    EXPECT_EQ(reply_to("<think>Hm.</think>Yes", kThinking), (WholeReply{"Hm.", "Yes", {}}));
    EXPECT_EQ(reply_to("</think>Yes", kThinking), (WholeReply{"", "Yes", {}}));
    EXPECT_EQ(reply_to("cut off in th", kThinking), (WholeReply{"cut off in th", "", {}}));
    // A second one, and one in an answer without thought, are lost.
    EXPECT_EQ(reply_to("Hm.</think>Y</think>es", kThinking), (WholeReply{"Hm.", "Yes", {}}));
    for (const ReplyParserOptions& options : {kChat, kTools})
        EXPECT_EQ(reply_to("Y</think>es", options), (WholeReply{"", "Yes", {}}));
    // <think> is left out where it leads a thought only.
    EXPECT_EQ(reply_to("a<think>b", kThinking), (WholeReply{"a<think>b", "", {}}));
    EXPECT_EQ(reply_to("<think>b", kChat), (WholeReply{"", "<think>b", {}}));
}

TEST(ReplyParser, ThoughtsEndByTokenOnly) {
    std::vector<Token> spelled;
    for (const char byte : std::string_view("Hm </think> still"))
        spelled.push_back(small().encode({&byte, 1})[0]);
    for (const ReplyParserOptions& options : {kThinking, kThinkingTools})
        EXPECT_EQ(fed(spelled, options).reply, (WholeReply{"Hm </think> still", "", {}}));
    // V3's file has no such token.
    ReplyParser parser(golden_tokenizer("v3"), kThinking);
    std::vector<ReplyPiece> pieces;
    for (const Token token : golden_tokenizer("v3").encode("a</think>b"))
        parser.push(token, true, pieces);
    parser.finish(pieces);
    EXPECT_EQ(whole(pieces), (WholeReply{"a</think>b", "", {}}));
}

TEST(ReplyParser, Calls) {
    EXPECT_EQ(reply_to(kNow, kTools), (WholeReply{"", "", {{"now", "{}"}}}));
    EXPECT_EQ(reply_to(str("Need it.</think>", kNow), kThinkingTools),
              (WholeReply{"Need it.", "", {{"now", "{}"}}}));
    EXPECT_EQ(
        reply_to(str("Need it.</think>I look.", kNow, "<｜end▁of▁sentence｜>"), kThinkingTools),
        (WholeReply{"Need it.", "I look.", {{"now", "{}"}}}));
    // In an unfinished thought.
    EXPECT_EQ(reply_to(str("Need it.", kNow), kThinkingTools),
              (WholeReply{"Need it.", "", {{"now", "{}"}}}));
    EXPECT_EQ(reply_to(str("Need it.", kNow, "</think>Done"), kThinkingTools),
              (WholeReply{"Need it.", "Done", {{"now", "{}"}}}));
    // A value may speak of </think>; the thought's end may interrupt a block that is none yet.
    EXPECT_EQ(
        reply_to("<｜DSML｜function_calls><｜DSML｜invoke name=\"f\"><｜DSML｜parameter name=\"k\" "
                 "string=\"true\">a</think></｜DSML｜parameter>",
                 kTools),
        (WholeReply{"", "", {{"f", R"({"k": "a</think>"})"}}}));
    EXPECT_EQ(reply_to(str("a\n\n<｜DSML｜function_calls>\n</think>b", kNow), kThinkingTools),
              (WholeReply{"a\n\n<｜DSML｜function_calls>\n", "b", {{"now", "{}"}}}));
    // Not asked for: nothing is parsed, in either form of the token.
    EXPECT_EQ(reply_to(str("a", kNow), kChat).calls.size(), 0u);
}

TEST(ReplyParser, SpecialTokens) {
    const char* text = "a<｜▁pad▁｜>b｜DSML｜c<｜end▁of▁sentence｜>";
    EXPECT_EQ(reply_to(text, kChat).content, "abc");
    EXPECT_EQ(reply_to(text, {.skip_special_tokens = false}).content, "a<｜▁pad▁｜>b｜DSML｜c");
    EXPECT_EQ(reply_to(text, kTools).content, "ab｜DSML｜c");
    EXPECT_EQ(reply_to("Use the <｜DSML｜ token", kTools).content, "Use the <｜DSML｜ token");
    EXPECT_EQ(reply_to(text, {.parse_calls = true, .skip_special_tokens = false}).content,
              "a<｜▁pad▁｜>b｜DSML｜c");
}

TEST(ReplyParser, StopStringsSeeTheWholeReply) {
    const auto stopped = [](std::string_view text, ReplyParserOptions options,
                            std::vector<std::string> stop, bool include = false) {
        options.stop = std::move(stop);
        options.include_stop_str_in_output = include;
        const Fed tokens = fed(tokens_of(text), options), bytes = fed(bytes_of(text), options);
        EXPECT_EQ(tokens.reply, bytes.reply) << text;
        EXPECT_EQ(tokens.stopped, bytes.stopped) << text;
        return tokens;
    };
    const std::string text = "One two.</think>Three four";
    EXPECT_EQ(stopped(text, kThinking, {"two"}).reply, (WholeReply{"One ", "", {}}));
    EXPECT_EQ(stopped(text, kThinking, {"two"}).stopped, "two");
    EXPECT_EQ(stopped(text, kThinking, {"two"}, true).reply, (WholeReply{"One two", "", {}}));
    EXPECT_EQ(stopped(text, kThinking, {"e f"}).reply, (WholeReply{"One two.", "Thre", {}}));
    EXPECT_EQ(stopped(text, kThinking, {"</think>"}).reply, (WholeReply{"One two.", "", {}}));
    EXPECT_EQ(stopped(text, kThinking, {"</think>"}, true).reply, (WholeReply{"One two.", "", {}}));
    EXPECT_EQ(stopped(text, kThinking, {".</think>T"}).reply, (WholeReply{"One two", "", {}}));
    EXPECT_EQ(stopped(text, kThinking, {".</think>T"}, true).reply,
              (WholeReply{"One two.", "T", {}}));
    EXPECT_EQ(stopped(text, kThinking, {"nk>Th"}).reply, (WholeReply{"One two.", "", {}}));
    // What only looked like one comes out.
    EXPECT_EQ(stopped(text, kThinking, {"</think>Thin", "four!"}).reply,
              (WholeReply{"One two.", "Three four", {}}));
    EXPECT_EQ(stopped(text, kThinking, {"nk>Q"}).reply, (WholeReply{"One two.", "Three four", {}}));
    EXPECT_EQ(stopped(text, kThinking, {"four!"}).stopped, std::nullopt);
    EXPECT_EQ(stopped(str("a", kNow, "b"), kTools, {"invoke name"}).reply.calls.size(), 0u);
    EXPECT_EQ(stopped(str("a", kNow, "b"), kTools, {"</"}).reply,
              (WholeReply{"", "a", {{"now", "{}"}}}));
    // The tokens are counted: the first two cannot stop.
    ReplyParserOptions options;
    options.stop = {"b"};
    EXPECT_EQ(fed(bytes_of("abab"), options, 3).reply.content, "aba");
    EXPECT_EQ(fed(bytes_of("abab"), options, 2).reply.content, "a");
}

TEST(ReplyParser, CharactersInSeveralTokens) {
    const std::string text = "é天😀";
    ReplyParser parser(small(), {});
    for (const Token token : bytes_of(text)) {
        std::vector<ReplyPiece> pieces;
        parser.push(token, true, pieces);
        for (const ReplyPiece& piece : pieces)
            EXPECT_NE(text.find(piece.text), std::string::npos) << piece.text;
    }
    // A character that is cut by the end, and by the thought's.
    EXPECT_EQ(fed(bytes_of("a\xf0\x9f"), {}).reply.content, "a\ufffd");
    std::vector<Token> cut = bytes_of("a\xf0\x9f");
    cut.push_back(*small().added_token("</think>"));
    cut.push_back(bytes_of("b")[0]);
    EXPECT_EQ(fed(cut, kThinking).reply, (WholeReply{"a\ufffd", "b", {}}));
}

// Replies of all kinds of parts, as tokens and as bytes; no end of a thought or DSML shows where
// the rules say that none does, and arguments are JSON.
TEST(ReplyParser, RandomRepliesDoNotDependOnTokens) {
    const char* kParts[] = {"</think>",
                            "<think>",
                            "\n\n",
                            "\n",
                            "a",
                            " ",
                            "<",
                            "é",
                            "😀",
                            "stop",
                            "st",
                            "<｜DSML｜function_calls>",
                            "</｜DSML｜function_calls>",
                            "<｜DSML｜invoke name=\"f\">",
                            "</｜DSML｜invoke>",
                            "<｜DSML｜parameter name=\"k\" string=\"true\">",
                            "<｜DSML｜parameter name=\"n\" string=\"false\">",
                            "</｜DSML｜parameter>",
                            "5",
                            "<｜▁pad▁｜>",
                            "｜DSML｜",
                            "\""};
    std::mt19937 rng(20251205);
    for (int i = 0; i < 15'000; ++i) {
        std::string text;
        for (auto n = rng() % 16; n > 0; --n) text += kParts[rng() % std::size(kParts)];
        ReplyParserOptions options{.in_reasoning = rng() % 2 == 0,
                                   .parse_calls = rng() % 4 != 0,
                                   .include_stop_str_in_output = rng() % 4 == 0,
                                   .skip_special_tokens = rng() % 4 != 0};
        if (rng() % 3 == 0) options.stop = {"stop"};
        const Fed tokens = fed(tokens_of(text), options), bytes = fed(bytes_of(text), options);
        ASSERT_EQ(tokens.reply, bytes.reply) << text;
        ASSERT_EQ(tokens.stopped, bytes.stopped) << text;
        ASSERT_EQ(tokens.reply.content.find("</think>"), std::string::npos) << text;
        for (const auto& [name, arguments] : tokens.reply.calls)
            ASSERT_TRUE(python_loads(arguments).ok()) << text << ": " << arguments;
    }
}

}  // namespace
}  // namespace fathom
