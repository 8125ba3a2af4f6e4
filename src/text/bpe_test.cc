#include "text/bpe.h"

#include <gtest/gtest.h>

#include <map>

#include "text/golden_tokenizers.h"
#include "text/tokenizer_file.h"

namespace fathom {
namespace {

TokenizerFile small_file() {
    Result<TokenizerFile> file =
        parse_tokenizer(testing::golden_tokenizer_text("small/tokenizer.json"));
    CHECK(file.ok(), file.error().message);
    return std::move(file).value();
}

// The definition, a merge at a time.
std::vector<Token> encode_plainly(const TokenizerFile& file, std::string_view piece) {
    std::map<std::pair<Token, Token>, size_t> ranks;
    for (size_t i = 0; i < file.merges.size(); ++i)
        ranks[{file.merges[i].left, file.merges[i].right}] = i;
    std::vector<Token> tokens;
    for (const char byte : piece) tokens.push_back(file.byte_tokens[static_cast<uint8_t>(byte)]);
    while (true) {
        size_t best = SIZE_MAX, at = 0;
        for (size_t i = 0; i + 1 < tokens.size(); ++i) {
            const auto rank = ranks.find({tokens[i], tokens[i + 1]});
            if (rank != ranks.end() && rank->second < best) best = rank->second, at = i;
        }
        if (best == SIZE_MAX) return tokens;
        tokens[at] = file.merges[best].merged;
        tokens.erase(tokens.begin() + static_cast<int64_t>(at) + 1);
    }
}

// Lengths on both sides of where the way of merging changes; few letters, so that much merges.
TEST(Bpe, EqualsItsDefinition) {
    const TokenizerFile file = small_file();
    const Bpe bpe(file.tokens, file.byte_tokens, file.merges);
    std::mt19937 rng(7);
    for (int i = 0; i < 3000; ++i) {
        const std::string_view letters = i % 3 == 0   ? " t"
                                         : i % 3 == 1 ? " theinrs"
                                                      : "aeinort\n  ";
        std::string piece(1 + rng() % 120, '\0');
        for (char& letter : piece) letter = letters[rng() % letters.size()];
        std::vector<Token> tokens;
        bpe.encode(piece, tokens);
        ASSERT_EQ(tokens, encode_plainly(file, piece)) << '"' << piece << '"';
    }
}

// A token that its own bytes are not encoded as must not be found by its bytes.
TEST(Bpe, UnreachableTokenIsNotUsed) {
    TokenizerFile file = small_file();
    const auto unreachable = static_cast<Token>(file.tokens.size());
    file.tokens.push_back("qqz");
    const Bpe bpe(file.tokens, file.byte_tokens, file.merges);
    std::vector<Token> tokens;
    bpe.encode("qqz", tokens);
    EXPECT_EQ(tokens, encode_plainly(file, "qqz"));
    EXPECT_EQ(bpe.bytes(unreachable), "qqz");
}

// Eight spaces are a token; the top bit of the last byte is one that the table's hash forgets.
TEST(Bpe, EqualHashIsNotEqualBytes) {
    const TokenizerFile file = small_file();
    const Bpe bpe(file.tokens, file.byte_tokens, file.merges);
    for (const std::string_view piece : {"        ", "       \xa0"}) {
        std::vector<Token> tokens;
        bpe.encode(piece, tokens);
        EXPECT_EQ(tokens, encode_plainly(file, piece)) << ::testing::PrintToString(piece);
    }
}

TEST(Bpe, EveryTokenOfItsOwnBytes) {
    const TokenizerFile file = small_file();
    const Bpe bpe(file.tokens, file.byte_tokens, file.merges);
    for (Token token = 3; token < 507; ++token) {  // the others are no text
        std::vector<Token> tokens;
        bpe.encode(bpe.bytes(token), tokens);
        EXPECT_EQ(tokens, encode_plainly(file, file.tokens[token])) << token;
    }
    EXPECT_EQ(bpe.bytes(512), "");
    EXPECT_EQ(bpe.bytes(-1), "");
}

TEST(Bpe, EmptyPieceHasNoTokens) {
    const TokenizerFile file = small_file();
    std::vector<Token> tokens;
    Bpe(file.tokens, file.byte_tokens, file.merges).encode("", tokens);
    EXPECT_TRUE(tokens.empty());
}

}  // namespace
}  // namespace fathom
