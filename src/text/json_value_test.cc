#include "text/json_value.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace fathom::testing {
namespace {

std::string dumped(const std::string& text) {
    Result<JsonValue> value = JsonValue::parse(text);
    return value.ok() ? value.value().dump() : value.error().message;
}

TEST(JsonValue, KeepsTheOrderOfKeysAndTheKindOfNumbers) {
    const std::string text = R"({"z":1,"a":[true,false,null,-5,1.5,"x"],"m":{"b":{},"a":[]}})";
    EXPECT_EQ(dumped(text), text);
    EXPECT_EQ(dumped(" [ 1.0 , 1e2, 18446744073709551615, -9223372036854775808 ] "),
              "[1.0,100.0,18446744073709551615,-9223372036854775808]");
    const JsonValue value = JsonValue::parse("[1, 1.0, 9223372036854775808]").value();
    EXPECT_NE((*value.array())[0].integer(), nullptr);
    EXPECT_NE((*value.array())[1].real(), nullptr);
    EXPECT_NE((*value.array())[2].large_integer(), nullptr);
    EXPECT_EQ((*value.array())[2].number(), 0x1p63);
}

TEST(JsonValue, OfARepeatedKeyTheLastCounts) {
    const JsonValue value = JsonValue::parse(R"({"a":1,"b":2,"a":3})").value();
    EXPECT_EQ(*value.find("a")->integer(), 3);
    EXPECT_EQ(value.find("c"), nullptr);
    EXPECT_EQ(value.dump(), R"({"a":3,"b":2})");
}

TEST(JsonValue, EscapesOnlyWhatMustBe) {
    EXPECT_EQ(dumped(R"("\u00e9\/\n\t\b\f\r\"\\\u0000\u001f\ud83d\ude00")"),
              "\"\u00e9/\\n\\t\\b\\f\\r\\\"\\\\\\u0000\\u001f\U0001F600\"");
    EXPECT_EQ(json_quoted("a\xff"), "\"a\uFFFD\"");
}

TEST(JsonValue, WhatIsNoJsonIsRefusedWithItsPlace) {
    for (const char* text : {"", "{", "[1,]", "nul", "\"\\ud800\"", "\"\xff\"", "[NaN]", "{} {}",
                             "[Infinity]", "\xef\xbb\xbf{}", "'a'", "{a:1}", "01"})
        EXPECT_TRUE(dumped(text).starts_with("JSON decode error")) << text << dumped(text);
    EXPECT_EQ(dumped("[1e400]"), "JSON decode error: a number is too large");
    EXPECT_EQ(dumped("[1, x"), "JSON decode error at byte 5");
}

TEST(JsonValue, DepthIsBounded) {
    const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_EQ(dumped(nested(128)), nested(128));
    EXPECT_EQ(dumped(nested(129)), "JSON decode error: nested more than 128 levels deep");
    EXPECT_FALSE(JsonValue::parse(std::string(1 << 20, '{')).ok());
    EXPECT_FALSE(JsonValue::parse("[[1]]", 1).ok());
}

TEST(JsonValue, ManyKeysTakeNoLongerThanTheirText) {
    std::string text = "{";
    for (int i = 0; i < 300'000; ++i) text += str(i == 0 ? "" : ",", "\"", i, "\":0");
    text += '}';
    const JsonValue value = JsonValue::parse(text).value();  // Quadratic, it would not end here.
    EXPECT_EQ(value.object()->size(), 300'000u);
    EXPECT_EQ(value.dump(), text);
}

nlohmann::json random_json(std::mt19937_64& random, int depth) {
    switch (random() % (depth > 0 ? 7 : 5)) {
        case 0: return nullptr;
        case 1: return random() % 2 == 0;
        case 2: return static_cast<int64_t>(random());
        case 3: return std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 90));
        case 4: {
            std::string text;
            for (uint64_t i = random() % 5; i > 0; --i) text += static_cast<char>(random() % 128);
            return text;
        }
        case 5: {
            nlohmann::json list = nlohmann::json::array();
            for (uint64_t i = random() % 4; i > 0; --i)
                list.push_back(random_json(random, depth - 1));
            return list;
        }
        default: {
            nlohmann::json object = nlohmann::json::object();
            for (uint64_t i = random() % 4; i > 0; --i)
                object[std::to_string(random() % 100)] = random_json(random, depth - 1);
            return object;
        }
    }
}

TEST(JsonValue, WhatIsWrittenReadsBackTheSame) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 2000; ++i) {
        const nlohmann::json json = random_json(random, 6);
        EXPECT_EQ(nlohmann::json::parse(dumped(json.dump())), json);
    }
}

}  // namespace
}  // namespace fathom::testing
