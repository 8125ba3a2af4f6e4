#include "text/dsml_parser.h"

#include <gtest/gtest.h>

#include <random>

#include "text/python_json.h"
#include "text/reply_testing.h"

namespace fathom {
namespace {

using Kind = ReplyPiece::Kind;
using testing::whole;
using testing::WholeReply;

std::vector<Tool> weather_tools() {
    return {
        {.name = "get_weather",
         .parameters = R"({"properties":{"city":{"type":"string"},"days":{"type":"integer"}}})"},
        {.name = "any", .parameters = ""}};
}

// The raw texts below are short-hands: B, /B, I name, /I, P key true|false, /P.
std::string raw(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const size_t open = text.find("{{");
        out += text.substr(0, open);
        if (open == text.npos) break;
        const size_t close = text.find("}}", open);
        CHECK(close != text.npos, text);
        const std::string_view tag = text.substr(open + 2, close - open - 2);
        text.remove_prefix(close + 2);
        if (tag == "B") out += "<｜DSML｜function_calls>";
        if (tag == "/B") out += "</｜DSML｜function_calls>";
        if (tag.starts_with("I ")) out += str("<｜DSML｜invoke name=\"", tag.substr(2), "\">");
        if (tag == "/I") out += "</｜DSML｜invoke>";
        if (tag.starts_with("P ")) {
            const size_t blank = tag.rfind(' ');
            out += str("<｜DSML｜parameter name=\"", tag.substr(2, blank - 2), "\" string=\"",
                       tag.substr(blank + 1), "\">");
        }
        if (tag == "/P") out += "</｜DSML｜parameter>";
    }
    return out;
}

// The text cut before each of `cuts`.
WholeReply parsed(const std::string& text, const std::vector<size_t>& cuts, Kind plain) {
    DsmlParser parser(weather_tools(), plain);
    std::vector<ReplyPiece> pieces;
    size_t done = 0;
    for (const size_t cut : cuts) {
        parser.push(std::string_view(text).substr(done, cut - done), pieces);
        done = cut;
    }
    parser.push(std::string_view(text).substr(done), pieces);
    parser.finish(pieces);
    WholeReply reply = whole(pieces);
    EXPECT_EQ(parser.calls(), static_cast<int>(reply.calls.size()));
    for (const auto& [name, arguments] : reply.calls) {
        const Result<PythonValue> value = python_loads(arguments);
        EXPECT_TRUE(value.ok()) << arguments;
    }
    return reply;
}

struct Case {
    const char* text;
    WholeReply reply;
};

// What a well-behaved model writes, and plain text that looks like it.
const Case kBlocks[] = {
    {"", {}},
    {"I'll check.\n\n{{B}}\n{{I get_weather}}\n{{P city true}}Oslo{{/P}}\n"
     "{{P days false}}2{{/P}}\n{{/I}}\n{{/B}}",
     {"", "I'll check.", {{"get_weather", R"({"city": "Oslo", "days": 2})"}}}},
    {"\n\n{{B}}\n{{I now}}\n{{/I}}\n{{/B}}", {"", "", {{"now", "{}"}}}},
    {"{{B}}\n{{I now}}\n\n{{/I}}\n{{/B}}\n\n", {"", "", {{"now", "{}"}}}},
    {"Two.\n\n{{B}}\n{{I get_weather}}\n{{P city true}}Oslo{{/P}}\n{{/I}}\n"
     "{{I get_weather}}\n{{P city true}}Bergen{{/P}}\n{{/I}}\n{{/B}}",
     {"",
      "Two.",
      {{"get_weather", R"({"city": "Oslo"})"}, {"get_weather", R"({"city": "Bergen"})"}}}},
    // Plain text that looks like it.
    {"Use the <｜DSML｜ token", {"", "Use the <｜DSML｜ token", {}}},
    {"a < b", {"", "a < b", {}}},
    {"a <", {"", "a <", {}}},
    {"line\n\n", {"", "line\n\n", {}}},
    {" \n\n ", {"", " \n\n ", {}}},
    {" \n\n x", {"", " \n\n x", {}}},
    {"<｜DSML｜function_call>", {"", "<｜DSML｜function_call>", {}}},
    {"a\n\n<｜DSML｜", {"", "a\n\n<｜DSML｜", {}}},
    {"<<<｜DSML｜function_calls", {"", "<<<｜DSML｜function_calls", {}}},
    // Newlines: the two in front of a block belong to it, others do not.
    {"a\n\n\n{{B}}{{I f}}{{/I}}{{/B}}", {"", "a\n", {{"f", "{}"}}}},
    {"a\n{{B}}{{I f}}{{/I}}{{/B}}", {"", "a\n", {{"f", "{}"}}}},
    {" \n{{B}}{{I f}}{{/I}}{{/B}}", {"", "", {{"f", "{}"}}}},
    {"x{{B}}{{I f}}{{/I}}{{/B}} \n done \n", {"", "xdone \n", {{"f", "{}"}}}},
    // A second block goes on counting.
    {"{{B}}{{I f}}{{/I}}{{/B}}\n\n{{B}}{{I g}}{{/I}}{{/B}}", {"", "", {{"f", "{}"}, {"g", "{}"}}}},
    {"{{B}}{{I f}}{{/I}}{{/B}} and {{B}}{{I g}}{{/I}}{{/B}}",
     {"", "and ", {{"f", "{}"}, {"g", "{}"}}}},
    // Blocks without a call are text.
    {"a\n\n{{B}}\n{{/B}} b",
     {"", "a\n\n<｜DSML｜function_calls>\n</｜DSML｜function_calls> b", {}}},
    {"{{B}}", {"", "<｜DSML｜function_calls>", {}}},
    {"a\n\n{{B}}\n<｜DSML｜invoke name=\"f",
     {"", "a\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f", {}}},
    {"`{{B}}` opens a block", {"", "`<｜DSML｜function_calls>` opens a block", {}}},
    {"{{B}} x {{B}}{{I f}}{{/I}}{{/B}}", {"", "<｜DSML｜function_calls> x ", {{"f", "{}"}}}},
    {"{{B}}{{B}}{{I f}}{{/I}}{{/B}}", {"", "<｜DSML｜function_calls>", {{"f", "{}"}}}},
    {"{{B}}<｜DSML｜invoke name=\"\">{{/B}}",
     {"", "<｜DSML｜function_calls><｜DSML｜invoke name=\"\"></｜DSML｜function_calls>", {}}},
    {"{{B}}<｜DSML｜invoke nome=\"f\">",
     {"", "<｜DSML｜function_calls><｜DSML｜invoke nome=\"f\">", {}}},
    {"{{B}}<｜DSML｜invoker name=\"f\">",
     {"", "<｜DSML｜function_calls><｜DSML｜invoker name=\"f\">", {}}},
    {"{{I f}}{{/I}}", {"", "<｜DSML｜invoke name=\"f\"></｜DSML｜invoke>", {}}},
};

// What other models write.
const Case kMalformed[] = {
    // Blanks and attributes more than needed.
    {"{{B}} \n <｜DSML｜invoke\n name=\"f\" >\n <｜DSML｜parameter  name=\"k\"  "
     "string=\"true\" >v{{/P}} "
     "{{/I}} {{/B}}",
     {"", "", {{"f", R"({"k": "v"})"}}}},
    {"{{B}}<｜DSML｜invoke id=\"1\" name=\"a>b\">{{/I}}{{/B}}", {"", "", {{"a>b", "{}"}}}},
    {"{{B}}{{I f}}<｜DSML｜parameter name=\"k\">5{{/P}}{{/I}}{{/B}}",
     {"", "", {{"f", R"({"k": "5"})"}}}},
    {"{{B}}{{I f}}<｜DSML｜parameter nome=\"k\">5{{/P}}{{P a true}}b{{/P}}{{/I}}{{/B}}",
     {"", "", {{"f", R"({"a": "b"})"}}}},
    {"{{B}}{{I f}}{\"a\":1}{{/I}}{{/B}}", {"", "", {{"f", "{}"}}}},
    // What was not closed.
    {"{{B}}{{I f}}{{P a true}}b{{/P}}{{/B}} after", {"", "after", {{"f", R"({"a": "b"})"}}}},
    {"{{B}}{{I f}}{{P a true}}b{{/P}}{{I g}}{{/I}}{{/B}}",
     {"", "", {{"f", R"({"a": "b"})"}, {"g", "{}"}}}},
    {"{{B}}{{I f}}{{/I}} Done.", {"", "Done.", {{"f", "{}"}}}},
    {"{{B}}{{I f}}{{/I}}\nand\n{{I g}}{{/I}}\n{{/B}}", {"", "and\n", {{"f", "{}"}, {"g", "{}"}}}},
    {"{{B}}{{I f}}{{/I}}<｜DSML｜invoke x>{{/B}}", {"", "<｜DSML｜invoke x>", {{"f", "{}"}}}},
    // Cut anywhere: valid JSON comes out.
    {"{{B}}\n{{I f}}\n{{P x true}}ab", {"", "", {{"f", R"({"x": "ab"})"}}}},
    {"{{B}}\n{{I f}}\n{{P x true}}ab</｜DSML｜para", {"", "", {{"f", R"({"x": "ab"})"}}}},
    {"{{B}}\n{{I f}}\n{{P x true}}a</", {"", "", {{"f", R"({"x": "a</"})"}}}},
    {"{{B}}\n{{I f}}\n{{P x false}}[1, ", {"", "", {{"f", R"({"x": "[1, "})"}}}},
    {"{{B}}\n{{I f}}\n{{P x false}}12", {"", "", {{"f", R"({"x": 12})"}}}},
    {"{{B}}\n{{I f}}\n{{P x true}}a{{/P}}\n<｜DSML｜parameter name=\"y",
     {"", "", {{"f", R"({"x": "a"})"}}}},
    {"{{B}}\n{{I f}}", {"", "", {{"f", "{}"}}}},
    {"{{B}}\n{{I f}}{{/I}}\n<｜DSML｜invoke name=\"g",
     {"", "", {{"f", "{}"}}}},  // Markup that was cut is no text.
    {"{{B}}\n{{I f}}{{/I}}\n{{I g}}\n", {"", "", {{"f", "{}"}, {"g", "{}"}}}},
    // Cut in what is no call, with calls inside.
    {"{{B}}<｜DSML｜invoke x=\"{{B}}{{I f}}{{P a true}}Oslo",
     {"", "<｜DSML｜function_calls><｜DSML｜invoke x=\"", {{"f", R"({"a": "Oslo"})"}}}},
    {"{{B}}<｜DSML｜invoke x=\"{{B}}{{I f}}{{/I}}<｜DSML｜invoke name=\"g",
     {"", "<｜DSML｜function_calls><｜DSML｜invoke x=\"", {{"f", "{}"}}}},
};

const Case kValues[] = {
    // Values are exact.
    {"{{B}}{{I f}}{{P x true}}a<b && c>d 2>&1>{{/P}}{{/I}}{{/B}}",
     {"", "", {{"f", R"({"x": "a<b && c>d 2>&1>"})"}}}},
    {"{{B}}{{I f}}{{P x true}}</p></｜DSML｜invoke>\"\\\n\t\x01é天气😀<{{/P}}{{/I}}{{/B}}",
     {"", "", {{"f", R"({"x": "</p></｜DSML｜invoke>\"\\\n\t\u0001é天气😀<"})"}}}},
    {"{{B}}{{I f}}{{P x true}}{{/P}}{{P y true}}\n\n{{/P}}{{/I}}{{/B}}",
     {"", "", {{"f", R"({"x": "", "y": "\n\n"})"}}}},
    {"{{B}}{{I any}}{{P a\\b é false}}{\"k\":[1e2,true,null]}{{/P}}{{/I}}{{/B}}",
     {"", "", {{"any", R"({"a\\b é": {"k": [100.0, true, null]}})"}}}},
    {"{{B}}{{I any}}{{P a true}}1{{/P}}{{P a true}}2{{/P}}{{/I}}{{/B}}",
     {"", "", {{"any", R"({"a": "1", "a": "2"})"}}}},
    // Types by the schema.
    {"{{B}}{{I get_weather}}{{P days true}}2{{/P}}{{P city false}}0150{{/P}}{{P x "
     "true}}5{{/P}}{{/I}}{{/B}}",
     {"", "", {{"get_weather", R"({"days": 2, "city": "0150", "x": "5"})"}}}},
    {"{{B}}{{I get_weather}}{{P arguments "
     "false}}{\"city\":\"Oslo\",\"days\":\"2\"}{{/P}}{{/I}}{{/B}}",
     {"", "", {{"get_weather", R"({"city": "Oslo", "days": 2})"}}}},
    {"{{B}}{{I get_weather}}{{P input true}}{\"city\":\"Oslo\"}{{/P}}{{/I}}{{/B}}",
     {"", "", {{"get_weather", R"({"city": "Oslo"})"}}}},
    {"{{B}}{{I get_weather}}{{P input true}}{}{{/P}}{{/I}}{{/B}}",
     {"", "", {{"get_weather", "{}"}}}},
    {"{{B}}{{I get_weather}}{{P input false}}{\"city\":\"Oslo\"}{{/P}}{{P days "
     "false}}2{{/P}}{{/I}}{{/B}}",
     {"", "", {{"get_weather", R"({"input": {"city": "Oslo"}, "days": 2})"}}}},
    {"{{B}}{{I get_weather}}{{P input true}}{\"town\":\"Oslo\"}{{/P}}{{/I}}{{/B}}",
     {"", "", {{"get_weather", R"({"input": "{\"town\":\"Oslo\"}"})"}}}},
    {"{{B}}{{I any}}{{P input true}}{\"city\":\"Oslo\"}{{/P}}{{/I}}{{/B}}",
     {"", "", {{"any", R"({"input": "{\"city\":\"Oslo\"}"})"}}}},
};

std::vector<Case> cases() {
    std::vector<Case> all(std::begin(kBlocks), std::end(kBlocks));
    all.insert(all.end(), std::begin(kMalformed), std::end(kMalformed));
    all.insert(all.end(), std::begin(kValues), std::end(kValues));
    return all;
}

TEST(DsmlParser, Cases) {
    for (const Case& c : cases())
        EXPECT_EQ(parsed(raw(c.text), {}, Kind::content), c.reply) << c.text;
}

// Cut at every place and at another one behind it, and every byte alone.
TEST(DsmlParser, DoesNotDependOnCuts) {
    int splits = 0;
    for (const Case& c : cases()) {
        const std::string text = raw(c.text);
        for (const Kind plain : {Kind::content, Kind::reasoning}) {
            const WholeReply expected = parsed(text, {}, plain);
            std::vector<size_t> all;
            for (size_t i = 1; i < text.size(); ++i) all.push_back(i);
            ASSERT_EQ(parsed(text, all, plain), expected) << c.text;
            for (size_t first = 0; first <= text.size(); ++first)
                for (size_t second = first; second <= text.size(); second += 11) {
                    ASSERT_EQ(parsed(text, {first, second}, plain), expected)
                        << c.text << " at " << first << ", " << second;
                    ++splits;
                }
        }
    }
    EXPECT_GT(splits, 50'000);
}

TEST(DsmlParser, RandomTextsDoNotDependOnCuts) {
    const char* kParts[] = {"{{B}}",
                            "{{/B}}",
                            "{{I f}}",
                            "{{/I}}",
                            "{{P k true}}",
                            "{{/P}}",
                            "\n",
                            "\n\n",
                            " ",
                            "x",
                            "<",
                            "</",
                            "<｜DSML｜",
                            "\"",
                            "{{I get_weather}}",
                            "{{P days true}}",
                            "5",
                            "{{P input false}}",
                            "{\"city\":1}",
                            "é"};
    std::mt19937 rng(20251204);
    for (int i = 0; i < 20'000; ++i) {
        std::string text;
        for (auto n = rng() % 14; n > 0; --n) text += kParts[rng() % std::size(kParts)];
        text = raw(text);
        const Kind plain = rng() % 2 ? Kind::content : Kind::reasoning;
        std::vector<size_t> cuts;
        for (size_t at = 0; (at += 1 + rng() % 7) < text.size();) cuts.push_back(at);
        ASSERT_EQ(parsed(text, cuts, plain), parsed(text, {}, plain)) << text;
    }
}

TEST(DsmlParser, ShowsTextAndValuesAsTheyCome) {
    DsmlParser parser(weather_tools(), Kind::content);
    const auto pushed = [&](const std::string& text) {
        std::vector<ReplyPiece> pieces;
        parser.push(raw(text), pieces);
        return pieces;
    };
    using Pieces = std::vector<ReplyPiece>;
    EXPECT_EQ(pushed("Hi <"), (Pieces{{Kind::content, "Hi "}}));
    EXPECT_EQ(pushed("b\n"), (Pieces{{Kind::content, "<b"}}));
    EXPECT_EQ(pushed("\n"), Pieces{});
    EXPECT_EQ(pushed("{{B}}\n"), Pieces{});
    EXPECT_EQ(pushed("{{I get_weather}}"), (Pieces{{Kind::call_begin, "get_weather", 0}}));
    EXPECT_EQ(pushed("{{P city true}}"), (Pieces{{Kind::call_arguments, "{\"city\": \"", 0}}));
    EXPECT_EQ(pushed("Os\"</"), (Pieces{{Kind::call_arguments, "Os\\\"", 0}}));
    EXPECT_EQ(pushed("lo"), (Pieces{{Kind::call_arguments, "</lo", 0}}));
    EXPECT_EQ(pushed("{{/P}}"), (Pieces{{Kind::call_arguments, "\"", 0}}));
    EXPECT_EQ(pushed("{{P days true}}2"), Pieces{});
    EXPECT_EQ(pushed("{{/P}}"), (Pieces{{Kind::call_arguments, ", \"days\": 2", 0}}));
    EXPECT_EQ(pushed("{{/I}}"), (Pieces{{Kind::call_arguments, "}", 0}}));
    EXPECT_EQ(pushed("\n{{/B}}\n"), Pieces{});
}

// A block in a thought ends it, once there is a call.
TEST(DsmlParser, InAThought) {
    EXPECT_EQ(parsed(raw("Hm.\n\n{{B}}{{I f}}{{/I}}{{/B}}x"), {}, Kind::reasoning),
              (WholeReply{"Hm.", "x", {{"f", "{}"}}}));
    EXPECT_EQ(parsed(raw("Hm.\n\n{{B}} is how"), {}, Kind::reasoning),
              (WholeReply{"Hm.\n\n<｜DSML｜function_calls> is how", "", {}}));
    DsmlParser parser({}, Kind::reasoning);
    std::vector<ReplyPiece> pieces;
    parser.push(raw("\n a\n\n{{B}}\n<｜DSML｜invoke name=\"f"), pieces);
    parser.begin_content(pieces);
    parser.push(raw("{{B}}{{I g}}"), pieces);
    parser.finish(pieces);
    EXPECT_EQ(
        whole(pieces),
        (WholeReply{
            "\n a\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f", "", {{"g", "{}"}}}));
}

TEST(DsmlParser, ACallInWhatLookedLikeOneOutlivesTheThought) {
    DsmlParser parser({}, Kind::reasoning);
    std::vector<ReplyPiece> pieces;
    parser.push(raw("{{B}}<｜DSML｜invoke x=\"{{B}}{{I f}}{{P a true}}Os"), pieces);
    parser.begin_content(pieces);
    parser.push(raw("lo{{/P}}{{/I}}{{/B}}Done."), pieces);
    parser.finish(pieces);
    EXPECT_EQ(whole(pieces), (WholeReply{"<｜DSML｜function_calls><｜DSML｜invoke x=\"",
                                         "Done.",
                                         {{"f", R"({"a": "Oslo"})"}}}));
}

TEST(DsmlParser, TagsAreBounded) {
    const std::string name(5000, 'n');
    const std::string open = raw("{{B}}<｜DSML｜invoke name=\"") + name;
    EXPECT_EQ(parsed(open, {}, Kind::content).content, open);
    EXPECT_EQ(parsed(raw(str("{{B}}{{I f}}{{P ", name, " true}}v{{/P}}{{P a true}}b{{/P}}")), {},
                     Kind::content)
                  .calls[0]
                  .second,
              R"({"a": "b"})");
    // Many markers that come to nothing.
    std::string markers;
    for (int i = 0; i < 20'000; ++i) markers += raw("{{B}}<｜DSML｜invoke \"");
    EXPECT_EQ(parsed(markers, {}, Kind::content).content, markers);
}

}  // namespace
}  // namespace fathom
