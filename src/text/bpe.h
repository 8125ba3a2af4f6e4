#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/token.h"

namespace fathom {

// The tokens `left` and `right`, side by side, may become `merged`.
struct Merge {
    Token left, right, merged;
};

// Byte-pair encoding: a piece begins as its bytes' tokens; of all neighbours that a merge names,
// the merge of the lowest rank is done, the leftmost of several, until there is none. Sennrich et
// al., 2016. Immutable; any thread may use it.
//
// Time is n log n in the bytes of a piece. A piece that is a token of its own is found in a table.
class Bpe {
public:
    //   tokens       bytes of each id; empty where there is no such token
    //   byte_tokens  the token of each single byte
    //   merges       by rank, no pair twice
    //
    // REQUIRES: all ids are indices of tokens; the bytes of `merged` are those of left and right.
    Bpe(const std::vector<std::string>& tokens, const std::array<Token, 256>& byte_tokens,
        const std::vector<Merge>& merges);

    // Appends the tokens of the piece. REQUIRES: fewer than 2^31 bytes.
    void encode(std::string_view piece, std::vector<Token>& out) const;

    // The bytes of a token; empty for an id that has none or that there is not.
    std::string_view bytes(Token token) const;

    int64_t size() const { return static_cast<int64_t>(begins_.size()) - 1; }  // ids

private:
    static constexpr uint32_t kNoRank = UINT32_MAX;

    struct Pair {  // a slot of pairs_
        uint64_t key = UINT64_MAX;
        uint32_t rank = kNoRank;
        Token merged = -1;
    };
    struct Whole {  // a slot of wholes_
        uint64_t key = 0;
        Token token = -1;
    };

    const Pair& find_pair(Token left, Token right) const;
    Token find_whole(std::string_view piece) const;
    void insert_pair(const Merge& merge, uint32_t rank);
    void insert_whole(Token token);
    void merge_piece(std::string_view piece, std::vector<Token>& out) const;
    void merge_short(std::string_view piece, std::vector<Token>& out) const;
    void merge_long(std::string_view piece, std::vector<Token>& out) const;

    // Constant after construction.
    std::string blob_;              // the tokens' bytes, one after the other
    std::vector<uint32_t> begins_;  // where each begins in blob_, and the end
    std::array<Token, 256> byte_tokens_;
    std::vector<Pair> pairs_;       // open addressing, a power of two of slots
    std::vector<Pair> byte_pairs_;  // [left byte][right byte]: the first lookups, without hash
    std::vector<Whole> wholes_;     // tokens that their own bytes are encoded as
    size_t whole_bytes_max_ = 0;
};

}  // namespace fathom
