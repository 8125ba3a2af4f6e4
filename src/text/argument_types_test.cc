#include "text/argument_types.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

constexpr const char* kSchema = R"({"type":"object","properties":{
  "s":{"type":"string"}, "i":{"type":"integer"}, "n":{"type":"number"}, "b":{"type":"boolean"},
  "z":{"type":"null"}, "a":{"type":"array"}, "o":{"type":"object"},
  "is":{"type":["integer","string"]}, "si":{"anyOf":[{"type":"string"},{"type":"integer"}]},
  "opt":{"anyOf":[{"type":"integer"},{"type":"null"}]},
  "optional_text":{"oneOf":[{"type":"string"},{"type":"null"}]},
  "e":{"enum":["red","green"]}, "en":{"enum":[1,2]}, "c":{"const":3}, "any":{"title":"Any"},
  "alias":{"type":"int"}, "bool_schema":true,
  "color":{"$ref":"#/$defs/Color"}, "level":{"allOf":[{"$ref":"#/$defs/Level"}],"default":1},
  "points":{"type":"array","items":{"$ref":"#/$defs/Point"}},
  "pair":{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}]},
  "shape":{"anyOf":[{"$ref":"#/$defs/Circle"},{"$ref":"#/$defs/Point"}]},
  "map":{"type":"object","additionalProperties":{"type":"integer"}},
  "tree":{"$ref":"#/$defs/Tree"}, "loop":{"$ref":"#/$defs/Loop"}, "lost":{"$ref":"#/$defs/Lost"},
  "slash":{"$ref":"#/$defs/a~1b~0"}, "blow":{"$ref":"#/$defs/Blow"}
 },"$defs":{
  "Color":{"type":"string","enum":["red"]}, "Level":{"type":"integer","enum":[1,2]},
  "Point":{"type":"object","properties":{"x":{"type":"integer"},"label":{"type":"string"}}},
  "Circle":{"properties":{"r":{"type":"number"}}},
  "Tree":{"properties":{"v":{"type":"integer"},
    "kids":{"type":"array","items":{"$ref":"#/$defs/Tree"}}}},
  "Loop":{"$ref":"#/$defs/Loop"}, "a/b~":{"type":"integer"},
  "Blow":{"type":"object","allOf":[{"$ref":"#/$defs/Blow"},{"$ref":"#/$defs/Blow"}]}
 }})";

struct Case {
    const char* name;
    const char* text;
    bool is_string;
    const char* json;
};

void expect(const ArgumentTypes& types, const std::vector<Case>& cases) {
    for (const auto& [name, text, is_string, json] : cases)
        EXPECT_EQ(types.to_json(name, text, is_string), json)
            << name << " = " << text << (is_string ? " (string)" : "");
}

TEST(ArgumentTypes, AsTheModelSaysWithoutSchema) {
    for (const char* schema : {"", "null", "[]", "no JSON", "{}", R"({"properties":{}})"})
        expect(ArgumentTypes(schema), {{"x", "5", true, "\"5\""},
                                       {"x", "5", false, "5"},
                                       {"x", " [1,2] ", false, "[1, 2]"},
                                       {"x", "1e2", false, "100.0"},
                                       {"x", "Oslo", false, "\"Oslo\""},
                                       {"x", "NaN", false, "\"NaN\""},
                                       {"x", "", false, "\"\""},
                                       {"x", "null", false, "null"},
                                       {"x", "null", true, "\"null\""},
                                       {"x", "\"quoted\"", false, "\"quoted\""},
                                       {"x", "a\"\n", true, "\"a\\\"\\n\""}});
}

TEST(ArgumentTypes, BySimpleTypes) {
    expect(ArgumentTypes(kSchema), {{"s", "5", true, "\"5\""},
                                    {"s", "5", false, "\"5\""},
                                    {"s", "null", false, "\"null\""},
                                    {"s", "{\"a\":1}", false, "\"{\\\"a\\\":1}\""},
                                    {"s", "\"q\"", false, "\"q\""},
                                    {"i", "5", true, "5"},
                                    {"i", "5", false, "5"},
                                    {"i", " -7 ", true, "-7"},
                                    {"i", "5.0", false, "5"},
                                    {"i", "5.5", false, "5.5"},
                                    {"i", "five", true, "\"five\""},
                                    {"i", "007", true, "7"},
                                    {"i", "98765432109876543210", true, "98765432109876543210"},
                                    {"n", "5.0", false, "5"},
                                    {"n", "5.5", true, "5.5"},
                                    {"n", "1e400", true, "\"1e400\""},
                                    {"n", "inf", true, "\"inf\""},
                                    {"n", "nan", false, "\"nan\""},
                                    {"n", "7", true, "7"},
                                    {"b", "true", true, "true"},
                                    {"b", "False", true, "false"},
                                    {"b", "1", true, "true"},
                                    {"b", "0", false, "false"},
                                    {"b", "maybe", true, "\"maybe\""},
                                    {"z", "NULL", true, "null"},
                                    {"a", "[1,\"x\"]", true, "[1, \"x\"]"},
                                    {"a", "[1", true, "\"[1\""},
                                    {"o", "{\"k\":1.0}", true, "{\"k\": 1.0}"},
                                    {"o", "[1]", true, "[1]"},
                                    {"alias", "4", true, "4"},
                                    {"bool_schema", "4", true, "\"4\""},
                                    {"unknown", "4", true, "\"4\""},
                                    {"unknown", "4", false, "4"}});
}

TEST(ArgumentTypes, OfSeveralTheFirstThatFits) {
    expect(ArgumentTypes(kSchema), {{"is", "42", true, "42"},
                                    {"si", "42", true, "42"},
                                    {"is", "007", true, "\"007\""},
                                    {"is", "x", true, "\"x\""},
                                    {"is", "1.5", false, "\"1.5\""},
                                    {"opt", "null", true, "null"},
                                    {"opt", "null", false, "null"},
                                    {"opt", "3", true, "3"},
                                    {"opt", "x", true, "\"x\""},
                                    {"optional_text", "null", true, "null"},
                                    {"optional_text", "Null and void", true, "\"Null and void\""},
                                    {"e", "red", true, "\"red\""},
                                    {"en", "2", true, "2"},
                                    {"c", "3", true, "3"},
                                    {"any", "5", true, "\"5\""},
                                    {"any", "5", false, "5"},
                                    {"any", "[1]", false, "[1]"}});
}

TEST(ArgumentTypes, ByReferencesAndNestedSchemas) {
    expect(ArgumentTypes(kSchema), {{"color", "5", false, "\"5\""},
                                    {"level", "2", true, "2"},
                                    {"points", R"([{"x":"1","label":7},{"x":2.0,"y":"3"}])", false,
                                     R"([{"x": 1, "label": "7"}, {"x": 2, "y": "3"}])"},
                                    {"points", R"([{"x":"1"}])", true, R"([{"x": 1}])"},
                                    {"pair", R"([1,"2","3"])", false, R"(["1", 2, "3"])"},
                                    {"shape", R"({"r":"2.5"})", false, R"({"r": 2.5})"},
                                    {"shape", R"({"x":"2"})", false, R"({"x": 2})"},
                                    {"map", R"({"a":"1","b":2})", false, R"({"a": 1, "b": 2})"},
                                    {"tree", R"({"v":"1","kids":[{"v":"2","kids":[{"v":"3"}]}]})",
                                     false, R"({"v": 1, "kids": [{"v": 2, "kids": [{"v": 3}]}]})"},
                                    {"slash", "4", true, "4"},
                                    {"loop", "4", true, "\"4\""},
                                    {"lost", "4", true, "\"4\""},
                                    {"blow", R"({"x":"1"})", false, R"({"x": "1"})"}});
}

TEST(ArgumentTypes, LargeValuesAreConvertedToTheEnd) {
    std::string text = "[", json = "[";
    for (int i = 0; i < 20'000; ++i) {
        text += str(i ? "," : "", R"({"x":")", i, R"("})");
        json += str(i ? ", " : "", R"({"x": )", i, "}");
    }
    EXPECT_EQ(ArgumentTypes(kSchema).to_json("points", text + "]", false), json + "]");
}

TEST(ArgumentTypes, StreamsOnlyWhatStaysText) {
    const ArgumentTypes types(kSchema);
    for (const char* name : {"s", "e", "color", "unknown", "any"})
        EXPECT_TRUE(types.stays_text(name)) << name;
    for (const char* name : {"i", "is", "si", "optional_text", "b", "o", "en"})
        EXPECT_FALSE(types.stays_text(name)) << name;
    EXPECT_TRUE(ArgumentTypes("").stays_text("x"));
}

TEST(ArgumentTypes, UnwrapsWhatHoldsAllArguments) {
    const ArgumentTypes types(
        R"({"properties":{"city":{"type":"string"},"days":{"type":"integer"}}})");
    EXPECT_TRUE(types.may_wrap("arguments"));
    EXPECT_TRUE(types.may_wrap("input"));
    EXPECT_FALSE(types.may_wrap("city"));
    EXPECT_FALSE(ArgumentTypes(R"({"properties":{"input":{}}})").may_wrap("input"));
    EXPECT_FALSE(ArgumentTypes("").may_wrap("input"));
    const auto members = types.unwrapped(R"({"days":"2","city":"Oslo"})");
    ASSERT_TRUE(members.has_value());
    ASSERT_EQ(members->size(), 2u);
    EXPECT_EQ((*members)[0].name, "days");
    EXPECT_EQ((*members)[0].json, "2");
    EXPECT_EQ((*members)[1].json, "\"Oslo\"");
    for (const char* text : {R"({"days":2,"x":1})", "[]", "5", "{", ""})
        EXPECT_FALSE(types.unwrapped(text).has_value()) << text;
    // Properties behind a reference, as pydantic writes recursive models.
    EXPECT_TRUE(ArgumentTypes(R"({"$ref":"#/$defs/A","$defs":{"A":{"properties":{"x":{}}}}})")
                    .may_wrap("input"));
}

}  // namespace
}  // namespace fathom
