#include "text/grammar.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <gtest/gtest.h>
#include <pcre2.h>

#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "text/grammar_testing.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;
using Kind = GrammarSpec::Kind;
using testing::Reply;

// Whether a value satisfies a schema of the keywords that are used below. Shares nothing with what
// it judges: written from the JSON Schema specification.
class Validator {
public:
    explicit Validator(const char* schema) : root_(Json::parse(schema)) {}
    bool valid(const Json& value) const { return valid(root_, value); }

private:
    bool valid(const Json& schema, const Json& value) const {
        if (schema.is_boolean()) return schema.get<bool>();
        if (schema.contains("$ref"))
            return valid(root_[Json::json_pointer(schema["$ref"].get<std::string>().substr(1))],
                         value);
        if (schema.contains("allOf"))
            for (const Json& part : schema["allOf"])
                if (!valid(part, value)) return false;
        for (const char* key : {"anyOf", "oneOf"})
            if (schema.contains(key) &&
                std::none_of(schema[key].begin(), schema[key].end(),
                             [&](const Json& part) { return valid(part, value); }))
                return false;
        if (schema.contains("const") && value != schema["const"]) return false;
        if (schema.contains("enum") &&
            std::count(schema["enum"].begin(), schema["enum"].end(), value) == 0)
            return false;
        return has_type(schema, value) && object_valid(schema, value) &&
               array_valid(schema, value) && scalar_valid(schema, value);
    }

    // A whole number that no 64 bits hold is read as a double.
    static bool is_large(const Json& value) {
        return value.is_number_float() && std::abs(value.get<double>()) > 1e18;
    }

    static bool has_type(const Json& schema, const Json& value) {
        if (!schema.contains("type")) return true;
        const Json types =
            schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
        return std::any_of(types.begin(), types.end(), [&](const Json& type) {
            return (type == "object" && value.is_object()) ||
                   (type == "array" && value.is_array()) ||
                   (type == "string" && value.is_string()) ||
                   (type == "integer" && (value.is_number_integer() || is_large(value))) ||
                   (type == "number" && value.is_number()) ||
                   (type == "boolean" && value.is_boolean()) || (type == "null" && value.is_null());
        });
    }

    bool object_valid(const Json& schema, const Json& value) const {
        if (!value.is_object()) return true;
        const Json none = Json::object();
        const Json& properties = schema.contains("properties") ? schema["properties"] : none;
        for (const auto& [key, part] : value.items()) {
            if (properties.contains(key)) {
                if (!valid(properties[key], part)) return false;
            } else if (schema.contains("additionalProperties")) {
                if (!valid(schema["additionalProperties"], part)) return false;
            } else if (schema.contains("properties")) {
                return false;  // Closed, as this server promises.
            }
        }
        if (schema.contains("required"))
            for (const Json& key : schema["required"])
                if (!value.contains(key.get<std::string>())) return false;
        return true;
    }

    bool array_valid(const Json& schema, const Json& value) const {
        if (!value.is_array()) return true;
        if (value.size() < schema.value("minItems", size_t{0})) return false;
        if (value.size() > schema.value("maxItems", size_t{1} << 20)) return false;
        const size_t first = schema.contains("prefixItems") ? schema["prefixItems"].size() : 0;
        for (size_t i = 0; i < value.size(); ++i) {
            if (i < first ? !valid(schema["prefixItems"][i], value[i])
                          : schema.contains("items") && !valid(schema["items"], value[i]))
                return false;
        }
        return true;
    }

    static bool scalar_valid(const Json& schema, const Json& value) {
        if (value.is_number()) {
            const double number = value.get<double>();
            return number >= schema.value("minimum", -1e300) &&
                   number <= schema.value("maximum", 1e300) &&
                   number > schema.value("exclusiveMinimum", -1e300) &&
                   (!schema.contains("multipleOf") || is_large(value) ||
                    value.get<int64_t>() % schema["multipleOf"].get<int64_t>() == 0);
        }
        if (!value.is_string()) return true;
        size_t chars = 0;
        for (const char c : value.get<std::string>()) chars += (c & 0xc0) != 0x80;
        return chars >= schema.value("minLength", size_t{0}) &&
               chars <= schema.value("maxLength", size_t{1} << 20);
    }

    const Json root_;
};

// Discarded when it is no JSON.
Json parse(const std::string& text) {
    return Json::parse(testing::without_exponents(text), nullptr, /*allow_exceptions=*/false);
}

// As pydantic, zod and people write them.
constexpr const char* kSchemas[] = {
    R"({"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}},)"
    R"("required":["name","age"],"additionalProperties":false})",
    R"({"$defs":{"Color":{"enum":["red","green"],"title":"Color","type":"string"},"Item":)"
    R"({"additionalProperties":false,"properties":{"color":{"allOf":[{"$ref":"#/$defs/Color"}],)"
    R"("description":"c"},"price":{"anyOf":[{"type":"number"},{"type":"null"}]},"next":)"
    R"({"anyOf":[{"$ref":"#/$defs/Item"},{"type":"null"}]}},"required":["color","price","next"],)"
    R"("title":"Item","type":"object"}},"properties":{"items":{"items":{"$ref":"#/$defs/Item"},)"
    R"("type":"array"},"kind":{"const":"order","type":"string"}},"required":["items","kind"],)"
    R"("title":"Order","type":"object","additionalProperties":false})",
    R"({"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":"null"},"c":)"
    R"({"type":["integer","string"]}}})",
    R"({"type":"object","properties":{"pair":{"type":"array","prefixItems":[{"type":"integer"},)"
    R"({"type":"string"}],"minItems":2,"maxItems":2},"tags":{"type":"array","items":)"
    R"({"type":"string","minLength":1,"maxLength":4},"minItems":1,"maxItems":3}},)"
    R"("required":["pair","tags"]})",
    R"({"type":"object","additionalProperties":{"type":"integer","minimum":-5,"maximum":300}})",
    R"({"type":"object","properties":{"free":{"type":"object"},"list":{"type":"array"},"any":{}},)"
    R"("required":["free","list","any"]})",
    R"({"oneOf":[{"type":"object","properties":{"k":{"const":"cat"},"lives":{"type":"integer",)"
    R"("multipleOf":3}},"required":["k","lives"]},{"type":"object","properties":{"k":)"
    R"({"const":"dog"}},"required":["k"]}],"discriminator":{"propertyName":"k"}})",
    R"({"enum":["a/b","\"quoted\"",1.5,null,[1],{"x":"é"}]})",
    R"({"type":"string","pattern":"^[0-9]{3}-[a-z]+$"})",
};

class RandomReplies : public ::testing::TestWithParam<const char*> {
protected:
    // A reply drawn at random from what is allowed, until its end.
    std::string reply(const GrammarSpec& spec, uint32_t seed) {
        std::mt19937 rng(seed);
        Reply reply(testing::tokenizer_of(GetParam()), testing::constraint_of(GetParam(), spec));
        reply.run(rng, 5 + seed % 40);
        const std::string text = reply.text();
        EXPECT_EQ(to_valid_utf8(text), text);
        EXPECT_EQ(text.find("｜DSML｜"), text.npos);
        return text;
    }
};

TEST_P(RandomReplies, SchemasAreHeldTo) {
    for (const char* schema : kSchemas) {
        const Validator validator(schema);
        for (uint32_t seed = 0; seed < testing::replies_of(GetParam()); ++seed) {
            const std::string text = reply({.kind = Kind::json_schema, .text = schema}, seed);
            const Json value = parse(text);
            ASSERT_FALSE(value.is_discarded()) << text;
            ASSERT_TRUE(validator.valid(value)) << text << "\nof " << schema;
        }
    }
}

TEST_P(RandomReplies, AJsonObjectIsOne) {
    size_t members = 0;
    for (uint32_t seed = 0; seed < testing::replies_of(GetParam()); ++seed) {
        const std::string text = reply({.kind = Kind::json_object}, seed);
        const Json value = parse(text);
        ASSERT_TRUE(value.is_object()) << text;
        members += value.size();
    }
    EXPECT_GT(members, 20u) << "hardly anything but {} was drawn";
}

bool full_match(const std::string& expression, const std::string& text) {
    int code = 0;
    size_t at = 0;
    const std::string whole = "^(?:" + expression + ")$";
    pcre2_code* compiled = pcre2_compile(
        reinterpret_cast<PCRE2_SPTR>(whole.data()), whole.size(),
        PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX, &code, &at, nullptr);
    CHECK(compiled != nullptr, expression);
    pcre2_match_data* match = pcre2_match_data_create(1, nullptr);
    const int rc = pcre2_match(compiled, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0,
                               0, match, nullptr);
    pcre2_match_data_free(match);
    pcre2_code_free(compiled);
    return rc >= 0;  // 0: there are groups, and no room for them was given.
}

TEST_P(RandomReplies, ExpressionsAreHeldTo) {
    for (const char* expression :
         {"[a-z]{3,20}(\\.[a-z0-9]{2,20}){1,4}", "(?<year>\\d{4})-(0[1-9]|1[0-2])", "^(yes|no|)$",
          "^a+$|^b{2,}$", "\"[^\"\\n]*\"", "\\w+\\s\\W?", "[\\u00e9-\\u00ff]{2}é?", ".{3}", "世界+",
          "(ab?)*?c", "\\$\\{[^}]\\}", "[a\\-z\\]]{4}"})
        for (uint32_t seed = 0; seed < testing::replies_of(GetParam()); ++seed) {
            const std::string text = reply({.kind = Kind::regex, .text = expression}, seed);
            ASSERT_TRUE(full_match(expression, text)) << text << " of " << expression;
        }
}

TEST_P(RandomReplies, ChoicesAreHeldTo) {
    const std::vector<std::string> choices = {"yes",  "no",    "", "yes, but \"quoted\"\n",
                                              "世界", "a\\b\t"};
    std::set<std::string> seen;
    for (uint32_t seed = 0; seed < testing::replies_of(GetParam()); ++seed) {
        const std::string text = reply({.kind = Kind::choice, .choices = choices}, seed);
        ASSERT_EQ(std::count(choices.begin(), choices.end(), text), 1) << text;
        seen.insert(text);
    }
    EXPECT_EQ(seen.size(), choices.size());
}

TEST_P(RandomReplies, GrammarsAreHeldTo) {
    const GrammarSpec spec = {.kind = Kind::ebnf,
                              .text =
                                  "# sums\nroot ::= term (\" + \" term){0,5}\n"
                                  "term ::= [0-9] [0-9]* | \"(\" root \")\"\n"};
    const std::string term = "(?<sum>(?<term>[0-9]+|\\((?&sum)\\))( \\+ (?&term)){0,5})";
    for (uint32_t seed = 0; seed < testing::replies_of(GetParam()); ++seed)
        ASSERT_TRUE(full_match(term, reply(spec, seed)));
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, RandomReplies, ::testing::Values("small", "v32"));

// What is not in the mask does not fit, by the parser's own word: behind it only the end may come.
// What is in the mask fits: there is a way on.
TEST(Grammar, MasksAndParserAgree) {
    const Tokenizer& tokenizer = testing::tokenizer_of("small");
    const GrammarSpec spec = {.kind = Kind::json_schema, .text = kSchemas[1]};
    std::mt19937 rng(7);
    std::vector<Token> prefix;
    for (int step = 0; step < 25; ++step) {
        const auto replay = [&] {
            Reply reply(tokenizer, testing::constraint_of("small", spec));
            for (const Token token : prefix) reply.accept(token);
            return reply;
        };
        Reply reply = replay();
        const std::vector<Token> allowed = reply.allowed();
        for (Token token = 2; token < tokenizer.vocab_size(); token += 1 + rng() % 3) {
            Reply other = replay();
            other.accept(token);
            const bool fits = other.allowed() != std::vector<Token>{testing::kEnd};
            if (!reply.may_end()) {
                ASSERT_EQ(fits, reply.may(token)) << reply.text() << tokenizer.token_bytes(token);
            }
        }
        if (allowed == std::vector<Token>{testing::kEnd}) break;
        prefix.push_back(allowed[rng() % allowed.size()]);
    }
}

TEST(Grammar, EndsOnlyAtTheEndAndThenNothingElse) {
    Reply reply(testing::tokenizer_of("v32"),
                testing::constraint_of("v32", {.kind = Kind::json_schema, .text = kSchemas[0]}));
    for (const char* part : {"{", "\"name\"", ": ", "\"Ada", "\"", ", \"age\":", " 36"}) {
        reply.allowed();
        EXPECT_FALSE(reply.may_end()) << reply.text();
        reply.accept(part);
    }
    reply.allowed();
    EXPECT_FALSE(reply.may_end());
    reply.accept("}");
    EXPECT_EQ(reply.allowed(), std::vector<Token>{testing::kEnd});
}

TEST(Grammar, ATokenThatDoesNotFitEndsTheReply) {
    Reply reply(testing::tokenizer_of("small"),
                testing::constraint_of("small", {.kind = Kind::json_object}));
    reply.accept("x");
    EXPECT_EQ(reply.allowed(), std::vector<Token>{testing::kEnd});
    reply.accept(testing::kEnd);
    EXPECT_EQ(reply.allowed(), std::vector<Token>{testing::kEnd});
}

TEST(Grammar, AThoughtIsFree) {
    const Tokenizer& tokenizer = testing::tokenizer_of("small");
    const Token think_end = *tokenizer.added_token("</think>");
    const GrammarSpec spec = {.kind = Kind::choice, .choices = {"yes"}};
    Reply reply(tokenizer, testing::constraint_of("small", spec, think_end));
    for (const char* text : {"so", " no\n", "｜DSML｜"}) {
        EXPECT_EQ(std::ssize(reply.allowed()), tokenizer.token_count() - 1);
        EXPECT_FALSE(reply.may_end());
        EXPECT_TRUE(reply.may(think_end));
        reply.accept(text);
    }
    reply.accept(think_end);
    std::mt19937 rng(1);
    reply.run(rng, 100);
    EXPECT_TRUE(reply.text().ends_with("</think>yes"));
}

TEST(Grammar, NoMarkOfTurnsOrThoughtsIsEverAllowed) {
    const Tokenizer& tokenizer = testing::tokenizer_of("v32");
    Reply reply(tokenizer, testing::constraint_of("v32", {.kind = Kind::regex, .text = ".*"}));
    reply.allowed();
    EXPECT_TRUE(reply.may_end());
    for (const char* mark : {"<｜User｜>", "<｜Assistant｜>", "<think>", "</think>", "｜DSML｜",
                             "<｜begin▁of▁sentence｜>", "<｜fim▁begin｜>"})
        EXPECT_FALSE(reply.may(*tokenizer.added_token(mark))) << mark;
}

TEST(Grammar, ARunOfWhiteSpaceComesToAnEnd) {
    const Tokenizer& tokenizer = testing::tokenizer_of("small");
    Reply reply(tokenizer, testing::constraint_of("small", {.kind = Kind::json_object}));
    reply.accept("{");
    const Token line = tokenizer.encode("\n")[0];
    int lines = 0;
    while (reply.allowed(), reply.may(line) && lines < 1000) {
        reply.accept(line);
        ++lines;
    }
    EXPECT_EQ(lines, 32);
    reply.accept("}");
    EXPECT_EQ(reply.allowed(), std::vector<Token>{testing::kEnd});
}

TEST(Grammar, SameMasksForSamePrefix) {
    for (const GrammarSpec& spec : {GrammarSpec{.kind = Kind::json_schema, .text = kSchemas[1]},
                                    GrammarSpec{.kind = Kind::json_object}}) {
        std::mt19937 rng(3);
        Reply one(testing::tokenizer_of("v32"), testing::constraint_of("v32", spec));
        one.run(rng, 60);
        // Another compiler: nothing is shared but the code.
        GrammarCompiler compiler(testing::tokenizer_of("v32"), {testing::kEnd}, 129'280);
        auto constraint = compiler.compile(spec, {});
        ASSERT_TRUE(constraint.ok());
        Reply other(testing::tokenizer_of("v32"), std::move(constraint).value());
        Reply again(testing::tokenizer_of("v32"), testing::constraint_of("v32", spec));
        for (const Token token : one.all()) {
            ASSERT_EQ(other.allowed(), again.allowed()) << other.text();
            other.accept(token);
            again.accept(token);
        }
    }
}

TEST(Grammar, RefusesInOneSentence) {
    const std::pair<GrammarSpec, std::string> kRefusals[] = {
        {{.kind = Kind::json_schema, .text = R"({"type":"strng"})"},
         "JSON schema: $.type: \"strng\" is no type; expected object, array, string, number, "
         "integer, boolean or null"},
        {{.kind = Kind::json_schema, .text = R"({"type":"integer","minimum":2,"maximum":1})"},
         "JSON schema: Invalid range: minimum greater than maximum"},
        {{.kind = Kind::regex, .text = "(a"},
         "regular expression: missing closing parenthesis (byte 2)"},
        {{.kind = Kind::choice}, "choice: the list is empty; give at least one text"},
        {{.kind = Kind::ebnf, .text = "root ::= a"},
         "grammar: EBNF parser error at line 1, column 10: Rule \"a\" is not defined"},
        {{.kind = Kind::ebnf, .text = "a ::= \"b\""},
         "grammar: EBNF parser error at line 1, column 1: The root rule with name \"root\" is not "
         "found"},
        {{.kind = Kind::ebnf, .text = "root ::= Token(1)"},
         "grammar: the macro Token(...) is not supported"},
        {{.kind = Kind::ebnf, .text = "root[max_tokens=3] ::= [a]*"},
         "grammar: the options of rule root are not supported"},
        {{.kind = Kind::ebnf, .text = "root ::= [a]{1,129}"},
         "grammar: repetition counts that come to more than 128 for character classes, or 4096 for "
         "all else"},
    };
    for (const auto& [spec, message] : kRefusals)
        EXPECT_EQ(testing::refusal_of(spec), message) << spec.text;
    EXPECT_EQ(testing::refusal_of(
                  {.kind = Kind::ebnf, .text = "root ::= \"Token(1)\" | [(Token(] # Token(1)\n"}),
              "");
}

TEST(Grammar, TheSameSchemaIsCompiledOnce) {
    GrammarCompiler compiler(testing::tokenizer_of("v32"), {testing::kEnd}, 129'280);
    const GrammarSpec spec = {.kind = Kind::regex, .text = "[^x]{40}"};
    const auto compile_ms = [&] {
        timespec begin{}, end{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
        EXPECT_TRUE(compiler.compile(spec, {}).ok());
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
        return static_cast<double>(end.tv_sec - begin.tv_sec) * 1e3 +
               static_cast<double>(end.tv_nsec - begin.tv_nsec) / 1e6;
    };
    const double first = compile_ms();
    EXPECT_LT(compile_ms(), first / 4);
}

TEST(Grammar, ManyThreadsMayCompileAtOnce) {
    GrammarCompiler compiler(testing::tokenizer_of("small"), {testing::kEnd}, 530);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (uint32_t i = 0; i < 12; ++i) {
                const GrammarSpec spec = {.kind = Kind::json_schema,
                                          .text = kSchemas[(i + t) % std::size(kSchemas)]};
                auto constraint = compiler.compile(spec, {});
                ASSERT_TRUE(constraint.ok());
                Reply reply(testing::tokenizer_of("small"), std::move(constraint).value());
                std::mt19937 rng(i);
                reply.run(rng, 20);
            }
        });
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace fathom
