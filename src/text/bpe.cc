#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <queue>

#include "base/check.h"

namespace fathom {
namespace {

constexpr int kShort = 48;  // bytes up to which a scan for the lowest rank beats a heap
constexpr uint64_t kMix = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, odd

uint64_t load_8(const char* at) {
    uint64_t bits;
    std::memcpy(&bits, at, 8);
    return bits;
}

uint64_t load_4(const char* at) {
    uint32_t bits;
    std::memcpy(&bits, at, 4);
    return bits;
}

// A number of a piece: of at most 7 bytes the bytes themselves with their count on top, so that
// equal keys are equal pieces; of more a hash with the top bit set. Never 0.
uint64_t key_of(std::string_view piece) {
    const char* p = piece.data();
    const size_t n = piece.size();
    const auto byte = [&](size_t i) { return uint64_t{static_cast<uint8_t>(p[i])} << (8 * i); };
    if (n <= 3) return byte(0) | byte(n / 2) | byte(n - 1) | uint64_t{n} << 56;
    if (n <= 7) return load_4(p) | load_4(p + n - 4) << (8 * (n - 4)) | uint64_t{n} << 56;
    uint64_t hash = n * kMix;
    for (size_t i = 0; i + 8 < n; i += 8) hash = std::rotl((hash ^ load_8(p + i)) * kMix, 29);
    hash = (hash ^ load_8(p + n - 8)) * kMix;
    return hash | uint64_t{1} << 63;
}

bool key_is_exact(uint64_t key) { return key >> 63 == 0; }

size_t slot_of(uint64_t key, size_t slots) {
    const uint64_t mixed = (key ^ key >> 32) * kMix;
    return (mixed >> 32) & (slots - 1);
}

uint64_t pair_key(Token left, Token right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

Bpe::Bpe(const std::vector<std::string>& tokens, const std::array<Token, 256>& byte_tokens,
         const std::vector<Merge>& merges)
    : byte_tokens_(byte_tokens) {
    begins_.reserve(tokens.size() + 1);
    for (const std::string& bytes : tokens) {
        begins_.push_back(static_cast<uint32_t>(blob_.size()));
        blob_ += bytes;
    }
    begins_.push_back(static_cast<uint32_t>(blob_.size()));
    CHECK(blob_.size() < UINT32_MAX, "tokens of ", blob_.size(), " bytes");

    pairs_.resize(std::bit_ceil(2 * merges.size() + 1));
    for (size_t i = 0; i < merges.size(); ++i) insert_pair(merges[i], static_cast<uint32_t>(i));
    byte_pairs_.resize(256 * 256);
    for (int left = 0; left < 256; ++left)
        for (int right = 0; right < 256; ++right)
            byte_pairs_[left * 256 + right] = find_pair(byte_tokens_[left], byte_tokens_[right]);

    wholes_.resize(std::bit_ceil(2 * tokens.size() + 1));
    std::vector<Token> merged;
    for (Token token = 0; token < size(); ++token) {
        if (bytes(token).empty()) continue;
        merged.clear();
        merge_piece(bytes(token), merged);
        if (merged.size() == 1 && merged[0] == token) insert_whole(token);
    }
}

std::string_view Bpe::bytes(Token token) const {
    if (token < 0 || token >= size()) return {};
    const uint32_t begin = begins_[token];
    return std::string_view(blob_).substr(begin, begins_[token + 1] - begin);
}

void Bpe::insert_pair(const Merge& merge, uint32_t rank) {
    const uint64_t key = pair_key(merge.left, merge.right);
    size_t slot = slot_of(key, pairs_.size());
    while (pairs_[slot].rank != kNoRank) {
        CHECK(pairs_[slot].key != key, "merge twice: ", merge.left, " ", merge.right);
        slot = (slot + 1) & (pairs_.size() - 1);
    }
    pairs_[slot] = {key, rank, merge.merged};
}

const Bpe::Pair& Bpe::find_pair(Token left, Token right) const {
    const uint64_t key = pair_key(left, right);
    size_t slot = slot_of(key, pairs_.size());
    while (pairs_[slot].key != key && pairs_[slot].rank != kNoRank)
        slot = (slot + 1) & (pairs_.size() - 1);
    return pairs_[slot];
}

void Bpe::insert_whole(Token token) {
    const uint64_t key = key_of(bytes(token));
    size_t slot = slot_of(key, wholes_.size());
    while (wholes_[slot].key != 0) slot = (slot + 1) & (wholes_.size() - 1);
    wholes_[slot] = {key, token};
    whole_bytes_max_ = std::max(whole_bytes_max_, bytes(token).size());
}

// The token that the piece is encoded as, or -1 if it is encoded as several.
Token Bpe::find_whole(std::string_view piece) const {
    if (piece.size() > whole_bytes_max_) return -1;
    const uint64_t key = key_of(piece);
    size_t slot = slot_of(key, wholes_.size());
    while (wholes_[slot].key != 0) {
        const Whole& whole = wholes_[slot];
        if (whole.key == key && (key_is_exact(key) || bytes(whole.token) == piece))
            return whole.token;
        slot = (slot + 1) & (wholes_.size() - 1);
    }
    return -1;
}

void Bpe::encode(std::string_view piece, std::vector<Token>& out) const {
    CHECK(piece.size() < size_t{1} << 31, "a piece of ", piece.size(), " bytes");
    if (piece.empty()) return;
    const Token whole = find_whole(piece);
    if (whole >= 0)
        out.push_back(whole);
    else
        merge_piece(piece, out);
}

void Bpe::merge_piece(std::string_view piece, std::vector<Token>& out) const {
    if (piece.size() <= kShort)
        merge_short(piece, out);
    else
        merge_long(piece, out);
}

void Bpe::merge_short(std::string_view piece, std::vector<Token>& out) const {
    const auto byte = [&](int i) { return static_cast<uint8_t>(piece[i]); };
    Token tokens[kShort];
    uint32_t ranks[kShort];  // of the merge of token i with the next
    Token merged[kShort];    // what it gives
    int n = static_cast<int>(piece.size());
    const auto look_up = [&](int i, const Pair& pair) {
        ranks[i] = pair.rank;
        merged[i] = pair.merged;
    };
    for (int i = 0; i < n; ++i) tokens[i] = byte_tokens_[byte(i)];
    for (int i = 0; i + 1 < n; ++i) look_up(i, byte_pairs_[byte(i) * 256 + byte(i + 1)]);

    while (n > 1) {
        const int best = static_cast<int>(std::min_element(ranks, ranks + n - 1) - ranks);
        if (ranks[best] == kNoRank) break;
        tokens[best] = merged[best];
        --n;
        for (int i = best + 1; i < n; ++i) tokens[i] = tokens[i + 1];
        for (int i = best; i + 1 < n; ++i) ranks[i] = ranks[i + 1], merged[i] = merged[i + 1];
        if (best > 0) look_up(best - 1, find_pair(tokens[best - 1], tokens[best]));
        if (best + 1 < n) look_up(best, find_pair(tokens[best], tokens[best + 1]));
    }
    out.insert(out.end(), tokens, tokens + n);
}

void Bpe::merge_long(std::string_view piece, std::vector<Token>& out) const {
    struct Symbol {  // a token in the linked list; where it begins in the piece is its index
        Token token;
        uint32_t rank = kNoRank;  // of the merge with the next
        Token merged = -1;
        int32_t previous, next;  // -1: none
    };
    const auto byte = [&](int i) { return static_cast<uint8_t>(piece[i]); };
    const int n = static_cast<int>(piece.size());
    std::vector<Symbol> symbols(n);
    std::vector<uint64_t> heap;  // rank and index; one whose rank is no longer so is skipped
    heap.reserve(n);
    const auto look_up = [&](int i, const Pair& pair) {
        symbols[i].rank = pair.rank;
        symbols[i].merged = pair.merged;
        if (pair.rank != kNoRank)
            heap.push_back(uint64_t{pair.rank} << 32 | static_cast<uint32_t>(i));
        return pair.rank != kNoRank;
    };
    for (int i = 0; i < n; ++i)
        symbols[i] = {byte_tokens_[byte(i)], kNoRank, -1, i - 1, i + 1 < n ? i + 1 : -1};
    for (int i = 0; i + 1 < n; ++i) look_up(i, byte_pairs_[byte(i) * 256 + byte(i + 1)]);
    std::make_heap(heap.begin(), heap.end(), std::greater<>());

    while (!heap.empty()) {
        const uint64_t best = heap.front();
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        heap.pop_back();
        const int i = static_cast<int>(best & UINT32_MAX);
        Symbol& left = symbols[i];
        if (left.rank != best >> 32) continue;
        Symbol& right = symbols[left.next];
        left.token = left.merged;
        left.next = right.next;
        right.rank = kNoRank;
        if (left.next >= 0) symbols[left.next].previous = i;

        if (left.next < 0)
            left.rank = kNoRank;
        else if (look_up(i, find_pair(left.token, symbols[left.next].token)))
            std::push_heap(heap.begin(), heap.end(), std::greater<>());
        if (left.previous >= 0 &&
            look_up(left.previous, find_pair(symbols[left.previous].token, left.token)))
            std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
    for (int i = 0; i >= 0; i = symbols[i].next) out.push_back(symbols[i].token);
}

}  // namespace fathom
