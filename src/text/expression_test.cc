#include "text/expression.h"

#include <gtest/gtest.h>

#include <string>

namespace fathom {
namespace {

std::string refusal(std::string_view expression) {
    Result<int64_t> cost = expression_cost(expression);
    return cost.ok() ? "" : cost.error().message;
}

TEST(Expression, TakesWhatAGrammarCanSay) {
    for (const char* expression :
         {"", "a", "^a$", "^a|b$", "^a$|^b$", "[a-z]+", "[^\"\\n]*", "(ab)+?", "(?:a|b){2,3}",
          "(?<year>\\d{4})-\\d\\d", "\\u00e9\\x41", "[\\b\\]]", "\\.\\-\\/", ".{0,100}", "世界"})
        EXPECT_EQ(refusal(expression), "") << expression;
}

TEST(Expression, RefusesWithTheByte) {
    const std::pair<const char*, const char*> kRefusals[] = {
        {"(a", "missing closing parenthesis (byte 2)"},
        {"a)", "unmatched closing parenthesis (byte 1)"},
        {"[a", "missing terminating ] for character class (byte 2)"},
        {"*", "quantifier does not follow a repeatable item (byte 0)"},
        {"[z-a]", "range out of order in character class (byte 3)"},
        {"(?=a)b",
         "looking ahead or behind, and options, cannot be held to while decoding (byte 0)"},
        {"a(?<!b)",
         "looking ahead or behind, and options, cannot be held to while decoding (byte 1)"},
        {"(?i)a",
         "looking ahead or behind, and options, cannot be held to while decoding (byte 0)"},
        {"(?P<a>b)", "write a named group as (?<name>...) (byte 0)"},
        {"(*FAIL)", "a verb cannot be held to (byte 0)"},
        {"(a)\\1", "\\1 cannot be held to while decoding (byte 3)"},
        {"\\bword", "\\b cannot be held to while decoding (byte 0)"},
        {"\\p{L}", "\\p cannot be held to while decoding (byte 0)"},
        {"[\\p{L}]", "\\p cannot be held to while decoding (byte 1)"},
        {"a^b", "an anchor within the expression cannot be held to (byte 1)"},
        {"(a$)", "an anchor within the expression cannot be held to (byte 2)"},
        {"a{\"b}", "a brace that begins no count is written \\{ (byte 2)"},
        {"[[:alpha:]]",
         "a class with a POSIX name cannot be held to; write its characters (byte 1)"},
    };
    for (const auto& [expression, message] : kRefusals)
        EXPECT_EQ(refusal(expression), std::string("regular expression: ") + message) << expression;
}

TEST(Expression, CountsWhatRepetitionsComeTo) {
    const auto cost = [](std::string_view expression) {
        Result<int64_t> result = expression_cost(expression);
        return result.ok() ? result.value() : -1;
    };
    EXPECT_EQ(cost(".{100}"), 3000);
    EXPECT_EQ(cost(".{100,}.{0,10}"), 3300);
    EXPECT_EQ(cost("[^a]{10}\\D{10}[\\W]{10}[é]{10}"), 1200);
    EXPECT_EQ(cost("[a-z]{100}\\d{100}"), 800);
    EXPECT_EQ(cost("(ab){100}"), 20);
    EXPECT_EQ(cost("((.a){10}){10}"), 3010);
    EXPECT_EQ(cost(".{133}"), 3990);
    EXPECT_EQ(cost(".{134}"), -1);
    EXPECT_EQ(cost("(.{20}){20}"), -1);
    EXPECT_EQ(cost("((.{60000}){60000}){60000}"), -1);
    EXPECT_EQ(
        refusal("[a-z]{1001}"),
        "regular expression: with its repetitions written out it would take more than 4000 ms "
        "to compile; use smaller counts");
    EXPECT_EQ(refusal(std::string(16385, 'a')),
              "regular expression: 16385 bytes; at most 16384 can be compiled");
    std::string groups;
    for (int i = 0; i < 101; ++i) groups = "(" + groups + ")";
    EXPECT_NE(refusal(groups), "");
}

TEST(Expression, TermIsALiteralOfTheGrammar) {
    EXPECT_EQ(expression_term("a\\d\"\n\x1f"), R"(Regex("a\\d\"\u000a\u001f"))");
}

}  // namespace
}  // namespace fathom
