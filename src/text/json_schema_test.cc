#include "text/json_schema.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

std::string closed(std::string_view text) {
    Result<std::string> result = closed_schema(text);
    return result.ok() ? result.value() : "refused: " + result.error().message;
}

TEST(JsonSchema, ClosesWhatNamesItsPropertiesAndOpensTheRest) {
    EXPECT_EQ(closed(R"({"type":"object","properties":{"b":{"type":"array"},"a":{}}})"),
              R"({"type":"object","properties":{"b":{"type":"array","items":true},"a":{}},)"
              R"("additionalProperties":false})");
    EXPECT_EQ(closed(R"({"type":["object","null"]})"),
              R"({"type":["object","null"],"additionalProperties":true})");
    EXPECT_EQ(closed(R"({"type":"object","properties":{},"additionalProperties":{"type":"null"}})"),
              R"({"type":"object","properties":{},"additionalProperties":{"type":"null"}})");
    EXPECT_EQ(closed(R"({"type":"object","patternProperties":{"^a$":{}}})"),
              R"({"type":"object","patternProperties":{"^a$":{}}})");
}

TEST(JsonSchema, TakesWhatPydanticWrites) {
    for (const char* schema :
         {R"({"$defs":{"Color":{"enum":["red","green"],"title":"Color","type":"string"},)"
          R"("Item":{"properties":{"color":{"allOf":[{"$ref":"#/$defs/Color"}],"default":"red"},)"
          R"("next":{"anyOf":[{"$ref":"#/$defs/Item"},{"type":"null"}]}},)"
          R"("required":["color","next"],"type":"object"}},"properties":{"items":)"
          R"({"items":{"$ref":"#/$defs/Item"},"type":"array"}},"required":["items"],)"
          R"("type":"object","additionalProperties":false})",
          R"({"type":"object","properties":{"pair":{"type":"array","maxItems":2,"minItems":2,)"
          R"("prefixItems":[{"type":"integer"},{"type":"string"}]}},"required":["pair"]})",
          R"({"type":"object","properties":{"x":{"const":"a","enum":["a"],"type":"string"}}})",
          R"({"oneOf":[{"$ref":"#/$defs/A"}],"discriminator":{"propertyName":"k"},)"
          R"("$defs":{"A":{"type":"object","properties":{"k":{"const":"a"}}}}})"})
        EXPECT_EQ(closed(schema).substr(0, 8).find("refused"), std::string::npos) << closed(schema);
}

struct Refusal {
    const char* schema;
    const char* message;
};

TEST(JsonSchema, RefusesWithThePlace) {
    const Refusal kRefusals[] = {
        {"{", "it is no JSON"},
        {"[]", "$: a schema is an object, not []"},
        {R"({"properties":{"a":{"type":"strng"}}})",
         "$.properties.a.type: \"strng\" is no type; expected object, array, string, number, "
         "integer, boolean or null"},
        {R"({"type":[]})", "$.type: the list of types is empty"},
        {R"({"properties":[]})", "$.properties: an object of schemas is expected, not []"},
        {R"({"anyOf":[]})", "$.anyOf: a list of schemas is expected, not []"},
        {R"({"items":3})", "$.items: a schema is an object, not 3"},
        {R"({"anyOf":[{},{"not":{}}]})",
         "$.anyOf[1].not: this keyword cannot be held to while decoding"},
        {R"({"type":"array","uniqueItems":true})",
         "$.uniqueItems: this keyword cannot be held to while decoding"},
        {R"({"allOf":[{},{}]})",
         "$.allOf: more than one schema at once cannot be held to; merge them"},
        {R"({"anyOf":[{}],"properties":{}})",
         "$.anyOf: beside properties it cannot be held to; put both into one schema"},
        {R"({"minLength":-1})", "$.minLength: a whole number from 0 to 65536 is expected, not -1"},
        {R"({"maxItems":65537})",
         "$.maxItems: a whole number from 0 to 65536 is expected, not 65537"},
        {R"({"maximum":1e300})", "$.maximum: a number of at most 2^53 is expected, not 1e+300"},
        {R"({"type":"number","multipleOf":0.1})",
         "$.multipleOf: only whole multiples up to 1000 of an integer can be held to, not 0.1"},
        {R"({"required":["a"]})", "$.required: \"a\" is not among the properties"},
        {R"({"required":"a"})", "$.required: a list of names is expected, not \"a\""},
        {R"({"enum":[]})", "$.enum: a list of values is expected, not []"},
        {R"({"pattern":"(a"})",
         "$.pattern: regular expression: missing closing parenthesis (byte 2)"},
        {R"({"pattern":3})", "$.pattern: an expression is expected, not 3"},
        {R"({"format":3})", "$.format: a name is expected, not 3"},
        {R"({"$ref":"http://a/b"})",
         "$.$ref: \"http://a/b\" is no place in this schema (\"#/$defs/...\")"},
        {R"({"$ref":3})", "$.$ref: 3 is no place in this schema (\"#/$defs/...\")"},
        {R"({"items":{"$ref":"#/$defs/A"}})",
         "$.items.$ref: \"#/$defs/A\" leads nowhere: there is no \"$defs\""},
        {R"({"$defs":{"A":{}},"items":{"$ref":"#/$defs/B"}})",
         "$.items.$ref: \"#/$defs/B\" leads nowhere: there is no \"B\""},
        {R"({"title":{},"items":{"$ref":"#/title"}})",
         "$.items.$ref: it leads to what is no schema"},
        {R"({"$ref":"#"})", "$: it refers to itself without a step in between"},
        {R"({"$ref":"#/$defs/A","$defs":{"A":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/A"}]}}})",
         "$.$defs.A: it refers to itself without a step in between"},
        {R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})",
         "$: no finite value satisfies it: it requires itself"},
        {R"({"type":"array","minItems":1,"items":{"$ref":"#"}})",
         "$: no finite value satisfies it: it requires itself"},
    };
    for (const auto& [schema, message] : kRefusals)
        EXPECT_EQ(closed(schema), str("refused: JSON schema: ", message)) << schema;
}

TEST(JsonSchema, ARecursionThatMayEndIsTaken) {
    for (const char* schema :
         {R"({"type":"object","properties":{"a":{"$ref":"#"}}})",
          R"({"type":"array","items":{"$ref":"#"}})",
          R"({"type":"object","properties":{"a":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},)"
          R"("required":["a"]})"})
        EXPECT_TRUE(closed_schema(schema).ok()) << schema;
}

std::string nested(int levels) {
    std::string text;
    for (int i = 0; i < levels; ++i) text += R"({"items":)";
    return text + "true" + std::string(levels, '}');
}

TEST(JsonSchema, IsBounded) {
    EXPECT_TRUE(closed_schema(nested(64)).ok());
    EXPECT_EQ(closed(nested(65)), "refused: JSON schema: nested more than 64 levels deep");
    EXPECT_EQ(closed("{\"title\":\"" + std::string(256 << 10, 'a') + "\"}"),
              "refused: JSON schema: 262156 bytes; at most 262144 can be compiled");

    std::string many = R"({"anyOf":[true)";
    for (int i = 0; i < 4094; ++i) many += ",true";
    EXPECT_TRUE(closed_schema(many + "]}").ok());
    EXPECT_EQ(
        closed(many + ",true]}"),
        "refused: JSON schema: $.anyOf[4095]: more than 4096 subschemas; ask for less at once");

    std::string values = R"({"enum":[0)";
    for (int i = 1; i < 4096; ++i) values += str(",", i);
    EXPECT_TRUE(closed_schema(values + "]}").ok());
    EXPECT_EQ(closed(values + ",5000]}"),
              "refused: JSON schema: $.enum: more than 4096 values in all enums");
}

// The compiler recurses through what refers to each other.
TEST(JsonSchema, ALongChainOfRefsIsRefused) {
    const auto chain = [](int links) {
        std::string text = R"({"$ref":"#/$defs/a0","$defs":{)";
        for (int i = 0; i < links; ++i)
            text += str(R"("a)", i, R"(":{"items":{"$ref":"#/$defs/a)", i + 1, R"("}},)");
        return text + str(R"("a)", links, R"(":true}})");
    };
    EXPECT_TRUE(closed_schema(chain(400)).ok());
    EXPECT_EQ(closed(chain(600)),
              "refused: JSON schema: $: $refs that together nest 1204 levels "
              "deep; at most 1000 can be compiled");
}

}  // namespace
}  // namespace fathom
