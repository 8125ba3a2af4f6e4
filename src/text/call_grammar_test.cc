#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "text/grammar_testing.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;
using Kind = GrammarSpec::Kind;
using testing::Reply;

struct Parameter {
    std::string name;
    bool is_string;
    std::string value;
};
struct Call {
    std::string name;
    std::vector<Parameter> parameters;
};

// Reads a DSML block to the letter, as DeepSeek's encoder writes it; throws nothing away.
class Block {
public:
    explicit Block(std::string_view text) : rest_(text) {}

    std::optional<std::vector<Call>> read() {
        std::vector<Call> calls;
        if (!take("<｜DSML｜function_calls>\n")) return std::nullopt;
        while (take("<｜DSML｜invoke name=\"")) {
            Call call;
            if (!take_to("\">\n", call.name)) return std::nullopt;
            while (take("<｜DSML｜parameter name=\"")) {
                Parameter parameter;
                if (!take_to("\" string=\"", parameter.name)) return std::nullopt;
                parameter.is_string = take("true\">");
                if (!parameter.is_string && !take("false\">")) return std::nullopt;
                if (!take_to("</｜DSML｜parameter>", parameter.value) || !take("\n"))
                    return std::nullopt;
                call.parameters.push_back(parameter);
            }
            if (call.parameters.empty()) take("\n");
            if (!take("</｜DSML｜invoke>\n")) return std::nullopt;
            calls.push_back(call);
        }
        if (!take("</｜DSML｜function_calls>") || !rest_.empty()) return std::nullopt;
        return calls;
    }

private:
    bool take(std::string_view text) {
        if (!rest_.starts_with(text)) return false;
        rest_.remove_prefix(text.size());
        return true;
    }
    bool take_to(std::string_view end, std::string& taken) {
        const size_t at = rest_.find(end);
        if (at == rest_.npos) return false;
        taken = rest_.substr(0, at);
        rest_.remove_prefix(at + end.size());
        return true;
    }

    std::string_view rest_;
};

const Tool kOrder = {
    .name = "order",
    .parameters =
        R"({"$defs":{"Item":{"type":"object","properties":{"sku":{"type":"string"},"sub":)"
        R"({"anyOf":[{"$ref":"#/$defs/Item"},{"type":"null"}]}},"required":["sku","sub"]},)"
        R"("Size":{"enum":["S","M"],"type":"string"}},"type":"object","properties":{)"
        R"("city":{"type":"string"},"days":{"type":"integer"},)"
        R"("size":{"allOf":[{"$ref":"#/$defs/Size"}]},)"
        R"("note":{"anyOf":[{"type":"string","maxLength":3},{"type":"null"}]},)"
        R"("items":{"type":"array","items":{"$ref":"#/$defs/Item"}},)"
        R"("code":{"type":"string","pattern":"^[0-9]{3}$"}},)"
        R"("required":["city","size","note","items"],"additionalProperties":false})",
    .strict = true};
const Tool kNow = {.name = "now", .strict = true};
const Tool kFree = {.name = "free", .parameters = R"({"type":"object"})"};

// The parameters are those of kOrder, in its order, of its types.
void check_order(const Call& call) {
    const std::vector<std::string> order = {"city", "days", "size", "note", "items", "code"};
    size_t next = 0;
    std::set<std::string> seen;
    for (const auto& [name, is_string, value] : call.parameters) {
        while (next < order.size() && order[next] != name) ++next;
        ASSERT_LT(next++, order.size()) << name << " out of order";
        seen.insert(name);
        const Json json = Json::parse(testing::without_exponents(value), nullptr, false);
        if (name == "city") {
            EXPECT_TRUE(is_string);
        } else if (name == "days") {
            EXPECT_TRUE(!is_string && json.is_number() && value.find_first_of(".eE") == value.npos)
                << value;
        } else if (name == "size") {
            EXPECT_TRUE(is_string && (value == "S" || value == "M")) << value;
        } else if (name == "note") {
            size_t chars = 0;
            for (const char c : value) chars += (c & 0xc0) != 0x80;
            EXPECT_TRUE(is_string ? chars <= 3 : json.is_null()) << value;
        } else if (name == "items") {
            EXPECT_TRUE(!is_string && json.is_array()) << value;
            for (const Json& item : json)
                EXPECT_TRUE(item["sku"].is_string() &&
                            (item["sub"].is_null() || item["sub"]["sku"].is_string()))
                    << value;
        } else {
            EXPECT_TRUE(is_string && value.size() == 3 &&
                        value.find_first_not_of("0123456789") == value.npos)
                << value;
        }
    }
    for (const char* name : {"city", "size", "note", "items"})
        EXPECT_TRUE(seen.contains(name)) << name;
}

class Calls : public ::testing::TestWithParam<const char*> {
protected:
    std::string reply(const GrammarSpec& spec, uint32_t seed) {
        std::mt19937 rng(seed);
        Reply reply(testing::tokenizer_of(GetParam()), testing::constraint_of(GetParam(), spec));
        reply.run(rng, 20 + seed % 60);
        return reply.text();
    }

    std::vector<Call> calls(const GrammarSpec& spec, uint32_t seed) {
        const std::string text = reply(spec, seed);
        EXPECT_TRUE(text.starts_with("\n\n<")) << text;
        auto calls = Block(std::string_view(text).substr(std::min<size_t>(2, text.size()))).read();
        EXPECT_TRUE(calls.has_value() && !calls->empty()) << text;
        return calls.value_or(std::vector<Call>());
    }
};

TEST_P(Calls, StrictToolsAreHeldToTheirSchemas) {
    size_t count[2] = {0, 0}, optional = 0, several = 0;
    for (uint32_t seed = 0; seed < testing::replies_of(GetParam()); ++seed) {
        const auto made = calls({.kind = Kind::calls, .tools = {kOrder, kNow}}, seed);
        several += made.size() > 1;
        for (const Call& call : made) {
            ASSERT_TRUE(call.name == "order" || call.name == "now") << call.name;
            ++count[call.name == "now"];
            if (call.name == "now") {
                EXPECT_TRUE(call.parameters.empty());
            } else {
                check_order(call);
                optional += call.parameters.size() > 4;
            }
        }
    }
    EXPECT_GT(count[0], 10u);
    EXPECT_GT(count[1], 10u);
    EXPECT_GT(optional, 2u);
    EXPECT_GT(several, 2u);
}

TEST_P(Calls, OtherToolsTakeAnyWellFormedParameters) {
    size_t text = 0, json = 0;
    for (uint32_t seed = 0; seed < testing::replies_of(GetParam()); ++seed)
        for (const Call& call : calls({.kind = Kind::calls, .tools = {kFree}}, seed)) {
            EXPECT_EQ(call.name, "free");
            for (const auto& [name, is_string, value] : call.parameters) {
                EXPECT_FALSE(name.empty());
                ++(is_string ? text : json);
                if (!is_string) {
                    const Json parsed =
                        Json::parse(testing::without_exponents(value), nullptr, false);
                    EXPECT_TRUE(!parsed.is_discarded() && !parsed.is_string()) << value;
                }
            }
        }
    EXPECT_GT(text, 0u);
    EXPECT_GT(json, 0u);
}

TEST_P(Calls, ASingleCallIsOne) {
    for (uint32_t seed = 0; seed < testing::replies_of(GetParam()); ++seed)
        EXPECT_EQ(calls({.kind = Kind::calls, .tools = {kNow}, .single_call = true}, seed).size(),
                  1u);
}

TEST_P(Calls, AnAnswerOfJsonMayStandInPlaceOfCalls) {
    const GrammarSpec spec = {
        .kind = Kind::calls,
        .text = R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]})",
        .tools = {kNow}};
    int answers = 0, blocks = 0;
    for (uint32_t seed = 0; seed < 2 * testing::replies_of(GetParam()); ++seed) {
        const std::string text = reply(spec, seed);
        const size_t block = text.find("<｜DSML｜");
        if (block == text.npos) {
            const Json json = Json::parse(testing::without_exponents(text), nullptr, false);
            EXPECT_TRUE(json.is_object() && json["a"].is_number()) << text;
            ++answers;
        } else {
            EXPECT_TRUE(Block(std::string_view(text).substr(block)).read().has_value()) << text;
            ++blocks;
        }
    }
    EXPECT_GT(answers, 0);
    EXPECT_GT(blocks, 0);
    EXPECT_NE(testing::refusal_of({.kind = Kind::calls, .text = "[", .tools = {kNow}}), "");
}

TEST_P(Calls, TextBeforeIsFree) {
    const Tokenizer& tokenizer = testing::tokenizer_of(GetParam());
    const GrammarSpec spec = {.kind = Kind::calls, .tools = {kNow}, .free_text_before = true};
    Reply plain(tokenizer, testing::constraint_of(GetParam(), spec));
    for (const char* text : {"Is a < b?", " </b>\n\n", "\"{} 世界"}) {
        plain.allowed();
        EXPECT_TRUE(plain.may_end()) << "a reply without calls";
        plain.accept(text);
    }
    plain.accept("<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"");
    plain.allowed();
    EXPECT_FALSE(plain.may_end());
    plain.accept("now\">\n\n</｜DSML｜invoke>\n</｜DSML｜function_calls>");
    EXPECT_EQ(plain.allowed(), std::vector<Token>{testing::kEnd});
    for (uint32_t seed = 0; seed < testing::replies_of(GetParam()); ++seed) {
        std::mt19937 rng(seed);
        Reply reply(tokenizer, testing::constraint_of(GetParam(), spec));
        reply.accept("Let me see.\n\n<｜DSML｜");
        reply.run(rng, 40);
        const std::string text = reply.text();
        EXPECT_TRUE(Block(std::string_view(text).substr(text.find('<'))).read().has_value())
            << text;
    }
}

// What the model writes by itself, token for token, is allowed at every step.
TEST_P(Calls, DeepSeeksOwnBlockIsAllowed) {
    const Tokenizer& tokenizer = testing::tokenizer_of(GetParam());
    const std::string block =
        "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"order\">\n"
        "<｜DSML｜parameter name=\"city\" string=\"true\">a <c></｜DSML｜parameter>\n"
        "<｜DSML｜parameter name=\"days\" string=\"false\">2</｜DSML｜parameter>\n"
        "<｜DSML｜parameter name=\"size\" string=\"true\">S</｜DSML｜parameter>\n"
        "<｜DSML｜parameter name=\"note\" string=\"false\">null</｜DSML｜parameter>\n"
        "<｜DSML｜parameter name=\"items\" string=\"false\">[{\"sku\": \"é\", \"sub\": null}]"
        "</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name=\"now\">\n\n"
        "</｜DSML｜invoke>\n</｜DSML｜function_calls>";
    Reply reply(tokenizer,
                testing::constraint_of(GetParam(), {.kind = Kind::calls, .tools = {kOrder, kNow}}));
    for (const Token token : tokenizer.encode(block)) {
        reply.allowed();
        ASSERT_TRUE(reply.may(token)) << reply.text() << "|" << tokenizer.token_bytes(token);
        reply.accept(token);
    }
    EXPECT_EQ(reply.allowed(), std::vector<Token>{testing::kEnd});
}

// Else a text that was read somewhere could close a parameter and open another.
TEST_P(Calls, TheMarkIsSpelledByItsTokenAlone) {
    const Tokenizer& tokenizer = testing::tokenizer_of(GetParam());
    const Token dsml = *tokenizer.added_token("｜DSML｜");
    for (const char* value : {"string=\"true\">", "string=\"false\">{\"a\": \""}) {
        Reply reply(tokenizer,
                    testing::constraint_of(GetParam(), {.kind = Kind::calls, .tools = {kFree}}));
        reply.accept(
            "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"free\">\n<｜DSML｜parameter "
            "name=\"a\" ");
        reply.accept(value);
        reply.accept("</");
        reply.allowed();
        EXPECT_EQ(reply.may(dsml), std::string_view(value).ends_with("true\">"));
        for (const Token token : tokenizer.encode("｜DSML", {.added_tokens = false}))
            reply.accept(token);
        bool spelled = true;
        for (const Token token : tokenizer.encode("｜", {.added_tokens = false})) {
            reply.allowed();
            spelled = spelled && reply.may(token);
            reply.accept(token);
        }
        EXPECT_FALSE(spelled);
    }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, Calls, ::testing::Values("small", "v32"));

TEST(CallGrammar, RefusesInOneSentence) {
    const auto strict = [](const char* parameters) {
        return GrammarSpec{.kind = Kind::calls,
                           .tools = {{.name = "f", .parameters = parameters, .strict = true}}};
    };
    EXPECT_EQ(testing::refusal_of({.kind = Kind::calls}),
              "a call is required, but there are no tools");
    EXPECT_EQ(testing::refusal_of({.kind = Kind::calls, .tools = {{.name = "a\"b"}}}),
              "a function's name is empty or has a quote in it");
    EXPECT_EQ(testing::refusal_of(strict(R"({"type":"array"})")),
              "tool \"f\": JSON schema: $: parameters are an object with properties");
    EXPECT_EQ(testing::refusal_of(strict(R"({"anyOf":[{"type":"object"}]})")),
              "tool \"f\": JSON schema: $: parameters are an object with properties");
    EXPECT_EQ(testing::refusal_of(strict(R"({"properties":{"a":{"$ref":"#/$defs/B"}}})")),
              "tool \"f\": JSON schema: $.properties.a.$ref: \"#/$defs/B\" leads nowhere: there is "
              "no \"$defs\"");
    EXPECT_EQ(testing::refusal_of(strict(R"({"properties":{"a\"":{}}})")),
              "tool \"f\": a parameter's name is empty or has a quote in it");
    EXPECT_EQ(testing::refusal_of(strict(R"({"properties":{"a":{"const":"｜DSML｜"}}})")),
              "tool \"f\": its schema holds ｜DSML｜, which ends a value; take it out");
    EXPECT_EQ(testing::refusal_of({.kind = Kind::calls,
                                   .tools = {{.name = "f", .parameters = "no schema at all"}}}),
              "")
        << "not strict: its schema is not looked at";
}

TEST(CallGrammar, ATokenizerWithoutTheMarkHasNoCalls) {
    GrammarCompiler compiler(testing::golden_tokenizer("v3"), {testing::kEnd}, 129'280);
    auto constraint = compiler.compile({.kind = Kind::calls, .tools = {kNow}}, {});
    ASSERT_FALSE(constraint.ok());
    EXPECT_EQ(constraint.error().message,
              "this model's tokenizer has no token ｜DSML｜, which tool calls are written with");
}

}  // namespace
}  // namespace fathom
