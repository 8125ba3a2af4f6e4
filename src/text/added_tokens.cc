#include "text/added_tokens.h"

#include <algorithm>

#include "base/check.h"

namespace fathom {
namespace {

uint8_t byte_at(std::string_view text, size_t i) { return static_cast<uint8_t>(text[i]); }

}  // namespace

AddedTokens::AddedTokens(std::vector<Entry> entries) : entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.content < b.content; });
    for (size_t i = 0; i < entries_.size(); ++i) {
        const std::string& content = entries_[i].content;
        CHECK(!content.empty(), "token ", entries_[i].token, " has no content");
        CHECK(i == 0 || entries_[i - 1].content != content, "twice: ", content);
        for (int second = 0; second < 256; ++second)
            if (content.size() == 1 || byte_at(content, 1) == second)
                may_begin_.set(second * 256 + byte_at(content, 0));
    }
}

std::optional<AddedTokens::Found> AddedTokens::find(std::string_view text, size_t from) const {
    if (entries_.empty()) return std::nullopt;
    for (size_t i = from; i < text.size(); ++i) {
        if (i + 1 < text.size() && !may_begin_[byte_at(text, i + 1) * 256 + byte_at(text, i)])
            continue;
        if (const auto found = longest_at(text, i)) return found;
    }
    return std::nullopt;
}

// Narrows the sorted entries to those that agree with one more byte of the text at a time.
std::optional<AddedTokens::Found> AddedTokens::longest_at(std::string_view text,
                                                          size_t begin) const {
    std::optional<Found> longest;
    auto low = entries_.begin(), high = entries_.end();
    for (size_t k = 0; low != high; ++k) {
        if (low->content.size() == k) {
            longest = Found{begin, begin + k, low->token};
            ++low;
        }
        if (begin + k >= text.size()) break;
        const uint8_t wanted = byte_at(text, begin + k);
        low = std::partition_point(
            low, high, [&](const Entry& entry) { return byte_at(entry.content, k) < wanted; });
        high = std::partition_point(
            low, high, [&](const Entry& entry) { return byte_at(entry.content, k) == wanted; });
    }
    return longest;
}

std::optional<Token> AddedTokens::token_of(std::string_view content) const {
    const auto at = std::partition_point(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.content < content;
    });
    if (at == entries_.end() || at->content != content) return std::nullopt;
    return at->token;
}

}  // namespace fathom
