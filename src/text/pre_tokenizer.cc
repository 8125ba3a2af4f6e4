#include "text/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <bitset>
#include <cstring>
#include <span>

#include "base/hex.h"
#include "text/unicode_ranges.h"
#include "text/utf8.h"

namespace fathom {
namespace {

constexpr int kRules = 3;
constexpr std::string_view kPatterns[kRules] = {
    R"(\p{N}{1,3})",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]"
    "+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
};
// White_Space of Unicode, which is what Oniguruma's \s means; PCRE2's has U+180E too.
constexpr std::string_view kSpaces =
    R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr char32_t kNoSpace = 0x180e;

std::span<const CodeRange> extra_ranges(char letter) {
    switch (letter) {
        case 'L': return kExtraLetters;
        case 'M': return kExtraMarks;
        case 'N': return kExtraNumbers;
        case 'P': return kExtraPunctuation;
        case 'S': return kExtraSymbols;
        default: return {};
    }
}

// A pattern of kPatterns with the extra ranges after each \p{X} and with \s and \S spelled out.
std::string patched(std::string_view pattern) {
    std::string out;
    bool in_class = false;
    for (size_t i = 0; i < pattern.size(); ++i) {
        const std::string_view rest = pattern.substr(i);
        if (rest.starts_with("\\p{")) {
            std::string members(rest.substr(0, 5));
            for (const CodeRange& range : extra_ranges(rest[3]))
                members += str("\\x{", hex(range.first), "}-\\x{", hex(range.last), "}");
            out += in_class ? members : str("[", members, "]");
            i += 4;
        } else if (rest.starts_with("\\s") || rest.starts_with("\\S")) {
            CHECK(!in_class, "white space within a class of ", pattern);
            out += str(rest[1] == 's' ? "[" : "[^", kSpaces, "]");
            i += 1;
        } else if (rest[0] == '\\') {
            out += rest.substr(0, 2);
            i += 1;
        } else {
            if (rest[0] == '[') in_class = true;
            if (rest[0] == ']') in_class = false;
            out += rest[0];
        }
    }
    return out;
}

struct PatternDeleter {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
using Pattern = std::unique_ptr<pcre2_code, PatternDeleter>;

struct MatchDeleter {
    void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
using Match = std::unique_ptr<pcre2_match_data, MatchDeleter>;

struct ContextDeleter {
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
using Context = std::unique_ptr<pcre2_match_context, ContextDeleter>;

// No limit on steps: the rules are linear, and a limit would be one on the length of a text.
Context unlimited() {
    Context context(pcre2_match_context_create(nullptr));
    CHECK(context, "out of memory");
    pcre2_set_match_limit(context.get(), UINT32_MAX);
    pcre2_set_depth_limit(context.get(), UINT32_MAX);
    pcre2_set_heap_limit(context.get(), UINT32_MAX);
    return context;
}

Pattern compile(std::string_view pattern) {
    int error = 0;
    size_t offset = 0;
    Pattern code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                               PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK, &error, &offset,
                               nullptr));
    CHECK(code, "pattern refused by PCRE2, error ", error, " at ", offset, ": ", pattern);
    // Where the kernel forbids writable code the interpreter matches the same, only slower.
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
    return code;
}

// The pages of 256 code points where the plain patterns may be wrong.
using Pages = std::bitset<0x110000 / 256>;

Pages patched_pages() {
    Pages pages;
    for (const char letter : {'L', 'M', 'N', 'P', 'S'})
        for (const CodeRange& range : extra_ranges(letter))
            for (char32_t page = range.first / 256; page <= range.last / 256; ++page)
                pages.set(page);
    pages.set(kNoSpace / 256);
    return pages;
}

// Valid UTF-8 at the front of the text, and whether the plain patterns are right for it.
struct Valid {
    size_t bytes = 0;
    bool plain = true;
};

Valid valid_prefix(std::string_view text, const Pages& pages) {
    Valid valid;
    size_t& i = valid.bytes;
    while (i < text.size()) {
        uint64_t eight;
        while (i + 8 <= text.size()) {
            std::memcpy(&eight, text.data() + i, 8);
            if (eight & 0x8080808080808080u) break;
            i += 8;
        }
        if (i == text.size()) break;
        const Utf8Char c = first_char(text.substr(i));
        if (c.kind != Utf8Char::Kind::complete) break;
        if (pages[c.code / 256]) valid.plain = false;
        i += c.bytes;
    }
    return valid;
}

size_t invalid_prefix(std::string_view text) {
    size_t bytes = 0;
    while (bytes < text.size()) {
        const Utf8Char c = first_char(text.substr(bytes));
        if (c.kind == Utf8Char::Kind::complete) break;
        bytes += c.bytes;
    }
    return bytes;
}

// Appends the matches of the rule and what lies between them. REQUIRES: piece is UTF-8.
void apply(const pcre2_code* rule, pcre2_match_data* match, pcre2_match_context* context,
           std::string_view piece, std::vector<std::string_view>& out) {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(piece.data());
    const size_t* ovector = pcre2_get_ovector_pointer(match);
    size_t done = 0;
    while (done < piece.size()) {
        const int found =
            pcre2_match(rule, subject, piece.size(), done, PCRE2_NO_UTF_CHECK, match, context);
        if (found == PCRE2_ERROR_NOMATCH) break;
        CHECK(found > 0, "PCRE2 error ", found, " in a piece of ", piece.size(), " bytes");
        const size_t begin = ovector[0], end = ovector[1];
        CHECK(end > begin, "an empty match at ", begin);
        if (begin > done) out.push_back(piece.substr(done, begin - done));
        out.push_back(piece.substr(begin, end - begin));
        done = end;
    }
    if (done < piece.size()) out.push_back(piece.substr(done));
}

}  // namespace

struct PreTokenizer::Rules {
    Pattern plain[kRules];
    Pattern patched[kRules];
    Pages pages;      // where plain[] does not do
    Context context;  // PCRE2 only reads it
};

Result<PreTokenizer> PreTokenizer::create(const std::vector<std::string>& patterns) {
    if (patterns.size() != kRules)
        return Error{Code::invalid_argument,
                     str("the pre-tokenizer has ", patterns.size(), " Split rules, DeepSeek's has ",
                         kRules, ", and only DeepSeek's tokenizer is supported")};
    auto rules = std::make_unique<Rules>();
    for (int i = 0; i < kRules; ++i) {
        if (patterns[i] != kPatterns[i])
            return Error{Code::invalid_argument,
                         str("Split rule ", i + 1, " of the pre-tokenizer is not DeepSeek's ",
                             kPatterns[i], ", and only DeepSeek's tokenizer is supported")};
        rules->plain[i] = compile(kPatterns[i]);
        rules->patched[i] = compile(patched(kPatterns[i]));
    }
    rules->pages = patched_pages();
    rules->context = unlimited();
    return PreTokenizer(std::move(rules));
}

PreTokenizer::PreTokenizer(std::unique_ptr<const Rules> rules) : rules_(std::move(rules)) {}
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;
PreTokenizer::~PreTokenizer() = default;

void PreTokenizer::split(std::string_view text, std::vector<std::string_view>& pieces) const {
    const Match match(pcre2_match_data_create(1, nullptr));
    CHECK(match, "out of memory");
    std::vector<std::string_view> from, to;
    while (!text.empty()) {
        const Valid valid = valid_prefix(text, rules_->pages);
        const Pattern* patterns = valid.plain ? rules_->plain : rules_->patched;
        from.clear();
        if (valid.bytes > 0) from.push_back(text.substr(0, valid.bytes));
        for (int i = 0; i < kRules; ++i) {
            to.clear();
            for (const std::string_view piece : from)
                apply(patterns[i].get(), match.get(), rules_->context.get(), piece,
                      i + 1 == kRules ? pieces : to);
            std::swap(from, to);
        }
        text.remove_prefix(valid.bytes);

        const size_t invalid = invalid_prefix(text);
        if (invalid > 0) pieces.push_back(text.substr(0, invalid));
        text.remove_prefix(invalid);
    }
}

}  // namespace fathom
