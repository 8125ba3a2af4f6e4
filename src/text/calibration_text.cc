#include "text/calibration_text.h"

#include <algorithm>

#include "text/utf8.h"

namespace fathom {
namespace {

constexpr std::string_view kSeparator = "---";
constexpr std::string_view kSpace = " \t\r\n";

std::string_view take_line(std::string_view& text) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

// Without the line end before a separator.
std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> documents;
    const auto add = [&](const char* begin, const char* end) {
        std::string_view document(begin, end);
        while (document.ends_with('\n') || document.ends_with('\r')) document.remove_suffix(1);
        if (document.find_first_not_of(kSpace) != document.npos) documents.push_back(document);
    };
    const char* begin = text.data();
    while (!text.empty()) {
        std::string_view line = take_line(text);
        const char* const line_begin = line.data();
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line != kSeparator) continue;
        add(begin, line_begin);
        begin = text.data();
    }
    add(begin, text.data());
    return documents;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const Utf8Char next = first_char(text);
        if (next.kind != Utf8Char::Kind::complete) return false;
        text.remove_prefix(next.bytes);
    }
    return true;
}

// Characters that surely hold more than so many tokens are not encoded: a token of V3's vocabulary
// has at most 128 bytes.
constexpr int64_t kTokenBytesMax = 128;

std::string_view beginning(std::string_view document, int64_t tokens) {
    size_t end = std::min<size_t>(document.size(), tokens * kTokenBytesMax);
    while (end < document.size() && (document[end] & 0xC0) == 0x80) --end;
    return document.substr(0, end);
}

}  // namespace

Result<std::vector<std::vector<Token>>> calibration_documents(const Tokenizer& tokenizer,
                                                              std::string_view text,
                                                              CalibrationLimits limits) {
    if (!is_utf8(text)) return Error{Code::invalid_argument, "the text is not UTF-8"};
    std::vector<std::vector<Token>> documents;
    int64_t left = limits.tokens_max;
    for (const std::string_view document : split(text)) {
        if (left <= 0) break;
        const int64_t most = std::min<int64_t>(left, limits.document_tokens_max);
        std::vector<Token> tokens = tokenizer.encode(beginning(document, most));
        if (tokenizer.bos() && (tokens.empty() || tokens[0] != *tokenizer.bos()))
            tokens.insert(tokens.begin(), *tokenizer.bos());
        if (std::ssize(tokens) > most) tokens.resize(most);
        left -= std::ssize(tokens);
        documents.push_back(std::move(tokens));
    }
    if (documents.empty()) return Error{Code::invalid_argument, "the text holds no document"};
    return documents;
}

}  // namespace fathom
