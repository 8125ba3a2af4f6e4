#include "text/tokenizer_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "text/golden_tokenizers.h"

namespace fathom {
namespace {

using Json = nlohmann::json;
using testing::golden_tokenizer_text;

struct BadFile {
    const char* message;  // a part of it
    std::function<void(Json&)> spoil;
};

// The small tokenizer with one thing wrong gives one sentence that names it and the remedy.
void expect_refused(const std::vector<BadFile>& cases) {
    const Json good = Json::parse(golden_tokenizer_text("small/tokenizer.json"));
    const std::string config = golden_tokenizer_text("small/tokenizer_config.json");
    ASSERT_TRUE(Tokenizer::parse(good.dump(), config).ok());
    for (const BadFile& bad : cases) {
        Json json = good;
        bad.spoil(json);
        Result<Tokenizer> tokenizer = Tokenizer::parse(json.dump(), config);
        ASSERT_FALSE(tokenizer.ok()) << "accepted: " << bad.message;
        const std::string& message = tokenizer.error().message;
        EXPECT_NE(message.find(bad.message), std::string::npos) << message;
        EXPECT_EQ(message.find("tokenizer.json: "), 0u) << message;
        EXPECT_TRUE(message.find("; take the file") != std::string::npos ||
                    message.find("only DeepSeek's") != std::string::npos)
            << message;
    }
}

TEST(TokenizerFile, WrongVocabulary) {
    expect_refused({
        {"there is no model.vocab", [](Json& j) { j["model"].erase("vocab"); }},
        {"there is no model.vocab", [](Json& j) { j["model"]["vocab"] = 7; }},
        {"token \"!\" has the id -1", [](Json& j) { j["model"]["vocab"]["!"] = -1; }},
        {"the id 1048576, expected 0 to 1048575",
         [](Json& j) { j["model"]["vocab"]["!"] = 1048576; }},
        {"the id 18446744073709551615",
         [](Json& j) { j["model"]["vocab"]["!"] = 18446744073709551615u; }},
        {"the id 1.5", [](Json& j) { j["model"]["vocab"]["!"] = 1.5; }},
        {"the id string", [](Json& j) { j["model"]["vocab"]["!"] = "3"; }},
        {"the id 4 is that of two tokens, \"!\" and \"\\\"\"",
         [](Json& j) { j["model"]["vocab"]["!"] = 4; }},
        {"lacks \"!\", the token of byte 33", [](Json& j) { j["model"]["vocab"].erase("!"); }},
    });
}

TEST(TokenizerFile, WrongMerges) {
    expect_refused({
        {"there is no model.merges", [](Json& j) { j["model"].erase("merges"); }},
        {"merge 1 names \"zq\"", [](Json& j) { j["model"]["merges"][1] = "zq a"; }},
        {"merge 2 names \"zq\"", [](Json& j) { j["model"]["merges"][2] = "z q"; }},
        {"merge 3 is no pair", [](Json& j) { j["model"]["merges"][3] = "in"; }},
        {"merge 3 is no pair", [](Json& j) { j["model"]["merges"][3] = "i n g"; }},
        {"merge 3 is no pair", [](Json& j) { j["model"]["merges"][3] = {"i"}; }},
        {"merge 3 is no pair",
         [](Json& j) {
             j["model"]["merges"][3] = {"i", 1};
         }},
        {"merge 4 is there twice: ",
         [](Json& j) { j["model"]["merges"][4] = j["model"]["merges"][0]; }},
    });
}

TEST(TokenizerFile, WrongAddedTokens) {
    expect_refused({
        {"added_tokens is no list", [](Json& j) { j["added_tokens"] = "none"; }},
        {"a content of 0 bytes", [](Json& j) { j["added_tokens"][3]["content"] = ""; }},
        {"a content of 0 bytes", [](Json& j) { j["added_tokens"][3] = 5; }},
        {"a content of 1025 bytes",
         [](Json& j) { j["added_tokens"][3]["content"] = std::string(1025, 'x'); }},
        {"has the id null", [](Json& j) { j["added_tokens"][3].erase("id"); }},
        {"has the id -7", [](Json& j) { j["added_tokens"][3]["id"] = -7; }},
        {"\"<think>\" is there twice",
         [](Json& j) { j["added_tokens"].push_back(j["added_tokens"][6]); }},
        {"\"<think>\" has the id 40 of another token",
         [](Json& j) { j["added_tokens"][6]["id"] = 40; }},
        {"\"!\" has the id 700, but in model.vocab 3",
         [](Json& j) {
             j["added_tokens"].push_back({{"id", 700}, {"content", "!"}});
         }},
        {"sets lstrip", [](Json& j) { j["added_tokens"][3]["lstrip"] = true; }},
        {"sets rstrip", [](Json& j) { j["added_tokens"][3]["rstrip"] = true; }},
        {"sets single_word", [](Json& j) { j["added_tokens"][3]["single_word"] = true; }},
    });
}

TEST(TokenizerFile, NotDeepSeek) {
    const auto rule = [](Json& j, int i) -> Json& {
        return j["pre_tokenizer"]["pretokenizers"][i];
    };
    expect_refused({
        {"the model is of type \"Unigram\"", [](Json& j) { j["model"]["type"] = "Unigram"; }},
        {"the model is of type \"\"", [](Json& j) { j.erase("model"); }},
        {"the model sets byte_fallback", [](Json& j) { j["model"]["byte_fallback"] = true; }},
        {"the model sets unk_token", [](Json& j) { j["model"]["unk_token"] = "?"; }},
        {"the model sets dropout", [](Json& j) { j["model"]["dropout"] = 0.1; }},
        {"the model sets ignore_merges", [](Json& j) { j["model"]["ignore_merges"] = true; }},
        {"there is a normalizer",
         [](Json& j) {
             j["normalizer"] = {{"type", "NFC"}};
         }},
        {"the pre-tokenizer is no Sequence", [](Json& j) { j.erase("pre_tokenizer"); }},
        {"the pre-tokenizer has 2 Split rules, DeepSeek's has 3",
         [](Json& j) { j["pre_tokenizer"]["pretokenizers"].erase(1); }},
        {"Split rule 1 of the pre-tokenizer is not DeepSeek's \\p{N}{1,3}",
         [&](Json& j) { rule(j, 0)["pattern"]["Regex"] = "(a+)+$"; }},
        {"pre-tokenizer 2 is no isolating Split",
         [&](Json& j) { rule(j, 1)["behavior"] = "Removed"; }},
        {"pre-tokenizer 2 is no isolating Split", [&](Json& j) { rule(j, 1)["invert"] = true; }},
        {"pre-tokenizer 1 is no isolating Split",
         [&](Json& j) {
             rule(j, 0)["pattern"] = {{"String", "a"}};
         }},
        {"no plain ByteLevel", [&](Json& j) { rule(j, 3)["add_prefix_space"] = true; }},
        {"no plain ByteLevel", [&](Json& j) { rule(j, 3).erase("use_regex"); }},
    });
}

// Merges as pairs, the form of newer files, mean the same.
TEST(TokenizerFile, MergesAsPairs) {
    Json json = Json::parse(golden_tokenizer_text("small/tokenizer.json"));
    for (Json& merge : json["model"]["merges"]) {
        const std::string both = merge;
        const size_t space = both.find(' ');
        merge = {both.substr(0, space), both.substr(space + 1)};
    }
    Result<Tokenizer> tokenizer = Tokenizer::parse(json.dump(), "{}");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    const std::string text = golden_tokenizer_text("LICENSE");
    EXPECT_EQ(tokenizer.value().encode(text), testing::golden_tokenizer("small").encode(text));
}

// Ids without a token between those with one are as padding rows.
TEST(TokenizerFile, IdsMayBeLeftOut) {
    Json json = Json::parse(golden_tokenizer_text("small/tokenizer.json"));
    json["added_tokens"].push_back({{"id", 600}, {"content", "<late>"}});
    Result<Tokenizer> tokenizer = Tokenizer::parse(json.dump(), "{}");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    EXPECT_EQ(tokenizer.value().vocab_size(), 601);
    EXPECT_EQ(tokenizer.value().token_count(), 513);
    EXPECT_EQ(tokenizer.value().token_bytes(599), "");
    EXPECT_EQ(tokenizer.value().encode("<late>"), std::vector<Token>{600});
}

TEST(TokenizerFile, NoJson) {
    for (const auto& [text, message] : {std::pair{"", "no JSON, broken at byte 1 of 0"},
                                        {"{\"model\": ", "no JSON, broken at byte"},
                                        {"[]", "a JSON array, not an object"},
                                        {"{\"a\": \"\xff\"}", "no JSON, broken at byte 8"}}) {
        Result<TokenizerFile> file = parse_tokenizer(text);
        ASSERT_FALSE(file.ok()) << text;
        EXPECT_EQ(file.error().message.find(message), 0u) << file.error().message;
    }
    // Deeper than any stack: the parser and what frees its result must not recurse.
    EXPECT_FALSE(parse_tokenizer(std::string(1 << 20, '[')).ok());
    const std::string deep =
        "{\"a\":" + std::string(1 << 20, '[') + std::string(1 << 20, ']') + "}";
    EXPECT_FALSE(parse_tokenizer(deep).ok());
}

TEST(TokenizerFile, Config) {
    const auto parse = [](const char* text) { return parse_tokenizer_config(text); };
    EXPECT_FALSE(parse("{}").value().add_bos);
    EXPECT_FALSE(parse("{\"add_bos_token\": null}").value().add_bos);
    EXPECT_TRUE(parse("{\"add_bos_token\": true}").value().add_bos);
    EXPECT_EQ(parse("{}").value().bos, std::nullopt);
    EXPECT_EQ(parse("{\"bos_token\": \"<s>\"}").value().bos, "<s>");
    EXPECT_EQ(parse("{\"eos_token\": {\"content\": \"</s>\"}}").value().eos, "</s>");
    for (const auto& [text, message] :
         {std::pair{"{\"add_bos_token\": \"yes\"}", "add_bos_token is a string, expected true"},
          {"{\"bos_token\": 3}", "bos_token is neither"},
          {"{\"eos_token\": {}}", "eos_token is neither"},
          {"3", "a JSON number, not an object"}}) {
        Result<TokenizerConfig> config = parse(text);
        ASSERT_FALSE(config.ok()) << text;
        EXPECT_EQ(config.error().message.find(message), 0u) << config.error().message;
    }
    Result<Tokenizer> tokenizer = Tokenizer::parse(golden_tokenizer_text("small/tokenizer.json"),
                                                   "{\"eos_token\": \"</nothing>\"}");
    ASSERT_FALSE(tokenizer.ok());
    EXPECT_EQ(tokenizer.error().message,
              "tokenizer_config.json: eos_token \"</nothing>\" is no added token of "
              "tokenizer.json; take both files from the same checkpoint");
}

TEST(TokenizerFile, MissingFiles) {
    const std::filesystem::path folder =
        std::filesystem::path(::testing::TempDir()) / "fathom_tokenizer_file_test";
    std::filesystem::remove_all(folder);
    const auto expect_missing = [&](const char* name) {
        Result<Tokenizer> tokenizer = Tokenizer::open(folder);
        ASSERT_FALSE(tokenizer.ok());
        EXPECT_EQ(tokenizer.error().code, Code::not_found);
        EXPECT_NE(tokenizer.error().message.find(std::string(name) + " is missing: "),
                  std::string::npos)
            << tokenizer.error().message;
    };
    expect_missing("tokenizer.json");
    std::filesystem::create_directories(folder);
    expect_missing("tokenizer.json");
    std::ofstream(folder / "tokenizer.json") << golden_tokenizer_text("small/tokenizer.json");
    expect_missing("tokenizer_config.json");
    std::ofstream(folder / "tokenizer_config.json") << "{";
    Result<Tokenizer> tokenizer = Tokenizer::open(folder);
    ASSERT_FALSE(tokenizer.ok());
    EXPECT_EQ(tokenizer.error().message.find(folder.string() + ": tokenizer_config.json: no JSON"),
              0u)
        << tokenizer.error().message;
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace fathom
