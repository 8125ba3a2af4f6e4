#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/token.h"

namespace fathom {

// The tokens that are found in the text itself, before it is cut into pieces: of several that begin
// in one place the longest. Immutable; any thread may use it.
class AddedTokens {
public:
    struct Entry {
        std::string content;
        Token token;
    };
    struct Found {
        size_t begin, end;  // bytes of the text
        Token token;
    };

    // REQUIRES: no content is empty or twice there.
    explicit AddedTokens(std::vector<Entry> entries);

    // The first that begins at or after `from`. Takes time in the bytes passed over, and in the
    // length of the longest content where one may begin.
    std::optional<Found> find(std::string_view text, size_t from) const;

    std::optional<Token> token_of(std::string_view content) const;

private:
    std::optional<Found> longest_at(std::string_view text, size_t begin) const;

    std::vector<Entry> entries_;        // by content
    std::bitset<256 * 256> may_begin_;  // [second byte][first byte]
};

}  // namespace fathom
