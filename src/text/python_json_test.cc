#include "text/python_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "text/json_value.h"

namespace fathom {
namespace {

std::string dumped(std::string_view json) {
    Result<std::string> text = python_json(json);
    return text.ok() ? text.value() : "error: " + text.error().message;
}

// The right sides are what CPython 3.11 prints for json.dumps(json.loads(x), ensure_ascii=False).
TEST(PythonJson, SpellsAsPythonDoes) {
    const std::pair<const char*, const char*> kCases[] = {
        {R"({"b":1,"a":[1,2,{}],"c":[]})", R"({"b": 1, "a": [1, 2, {}], "c": []})"},
        {" [ true , false , null ] ", "[true, false, null]"},
        {"1.0", "1.0"},
        {"1e2", "100.0"},
        {"1E-5", "1e-05"},
        {"1e16", "1e+16"},
        {"1e15", "1000000000000000.0"},
        {"0.0001", "0.0001"},
        {"0.1", "0.1"},
        {"-0.0", "-0.0"},
        {"-0", "0"},
        {"1e-400", "0.0"},
        {"5e-324", "5e-324"},
        {"9007199254740993", "9007199254740993"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"-123456789012345678901234567890", "-123456789012345678901234567890"},
        {"123456789012345678901234567890.0", "1.2345678901234568e+29"},
        {R"("\u00e9 \ud83d\ude00 \/ \u007f")", "\"é 😀 / \x7f\""},
        {R"("\" \\ \n\r\t\b\f \u0001\u001f\u0000")", R"("\" \\ \n\r\t\b\f \u0001\u001f\u0000")"},
        {R"({"a":1,"b":2,"a":3})", R"({"a": 3, "b": 2})"},
        {R"({"x":1,"a":1,"b":2,"a":3,"a":4,"b":5})", R"({"x": 1, "a": 4, "b": 5})"},
        {R"({"":{"":""}})", R"({"": {"": ""}})"},
    };
    for (const auto& [json, expected] : kCases) EXPECT_EQ(dumped(json), expected) << json;
}

TEST(PythonJson, RefusesWhatIsNone) {
    for (const char* json :
         {"", " ", "{", "[1,]", "{\"a\"}", "NaN", "Infinity", "-Infinity", "1e400", "01", "1 2",
          "'a'", "\"\\ud800\"", "\"\xff\"", "\"\n\"", "nul"})
        EXPECT_TRUE(dumped(json).starts_with("error: ")) << json;
    EXPECT_EQ(dumped("[1e400]"), "error: a number too large before byte 6");
    EXPECT_EQ(dumped("[x]"), "error: no JSON at byte 2");
}

TEST(PythonJson, DepthIsBounded) {
    const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_EQ(dumped(nested(128)), nested(128));
    EXPECT_EQ(dumped(nested(129)), "error: JSON nested more than 128 deep");
    EXPECT_EQ(dumped(nested(1'000'000)), "error: JSON nested more than 128 deep");
}

TEST(PythonJson, FindsMembers) {
    std::string json = "{";
    for (int i = 0; i < 1000; ++i)
        json += str(i ? "," : "", '"', (i * 7) % 500, "\":", i);  // Each key twice.
    const PythonValue object = python_loads(json + "}").value();
    ASSERT_EQ(object.keys.size(), 500u);
    EXPECT_EQ(object.keys[1], "7");
    for (int i = 500; i < 1000; ++i) {
        const PythonValue* found = object.find(std::to_string((i * 7) % 500));
        ASSERT_NE(found, nullptr) << i;
        EXPECT_EQ(found->text, std::to_string(i));
    }
    EXPECT_EQ(object.find("500"), nullptr);
    EXPECT_EQ(object.find(""), nullptr);
    EXPECT_EQ(python_loads("[1]").value().find("a"), nullptr);
}

TEST(PythonJson, EscapesInParts) {
    std::string out;
    for (const char* part : {"a\"", "b\n", "", "\x01"}) append_json_escaped(out, part);
    EXPECT_EQ(out, "a\\\"b\\n\\u0001");
    EXPECT_EQ(json_quoted("é\\"), "\"é\\\\\"");
}

}  // namespace
}  // namespace fathom
