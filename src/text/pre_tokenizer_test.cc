#include "text/pre_tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "text/golden_tokenizers.h"
#include "text/tokenizer_file.h"

namespace fathom {
namespace {

using Json = nlohmann::json;
using Pieces = std::vector<std::string>;

const PreTokenizer& pre_tokenizer() {
    static const PreTokenizer kRules = [] {
        Result<TokenizerFile> file =
            parse_tokenizer(testing::golden_tokenizer_text("small/tokenizer.json"));
        CHECK(file.ok(), file.error().message);
        Result<PreTokenizer> rules = PreTokenizer::create(file.value().patterns);
        CHECK(rules.ok(), rules.error().message);
        return std::move(rules).value();
    }();
    return kRules;
}

Pieces split(std::string_view text) {
    std::vector<std::string_view> pieces;
    pre_tokenizer().split(text, pieces);
    return {pieces.begin(), pieces.end()};
}

// At the borders of each range that Unicode 14 lacks, beside them, and at all white space.
TEST(PreTokenizer, VectorsOfUnicode) {
    std::istringstream lines(testing::golden_tokenizer_text("unicode.jsonl"));
    int rows = 0;
    for (std::string line; std::getline(lines, line); ++rows) {
        const Json row = Json::parse(line);
        EXPECT_EQ(split(row["text"].get<std::string>()), row["pieces"].get<Pieces>()) << line;
    }
    EXPECT_EQ(rows, 694);
}

// A piece is a subject of its own: what follows it is not seen by the rules after.
TEST(PreTokenizer, EachPieceAlone) {
    EXPECT_EQ(split("12345 67"), (Pieces{"123", "45", " ", "67"}));
    EXPECT_EQ(split("a  1"), (Pieces{"a", "  ", "1"}));  // no look-ahead to the digit
    EXPECT_EQ(split("a  b"), (Pieces{"a", " ", " b"}));
    EXPECT_EQ(split("カ・カ"), (Pieces{"カ", "・", "カ"}));
    EXPECT_EQ(split(" 的"), (Pieces{" ", "的"}));
    EXPECT_EQ(split("don't.\n\nx"), (Pieces{"don", "'t", ".\n\n", "x"}));
    EXPECT_EQ(split(""), Pieces{});
}

TEST(PreTokenizer, InvalidBytesArePieces) {
    EXPECT_EQ(split("a\xff\xfe"
                    "b"),
              (Pieces{"a", "\xff\xfe", "b"}));
    EXPECT_EQ(split("\xe4\xbd"), Pieces{"\xe4\xbd"});
    EXPECT_EQ(split("  \xed\xa0\x80"
                    "1\x80"),
              (Pieces{"  ", "\xed\xa0\x80", "1", "\x80"}));
}

}  // namespace
}  // namespace fathom
