#include "text/expression.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fathom {
namespace {

constexpr size_t kBytesMax = 16 << 10;
constexpr size_t kGroupsMax = 100;  // within each other
// Of one character, in thousandths of kCompileCostMax's unit, measured with V3's tokenizer: a
// literal lets few tokens pass, a class of letters those of letters, "." nearly all.
constexpr int64_t kLiteral = 100, kClass = 4'000, kWide = 30'000;
constexpr int64_t kCostMax = kCompileCostMax * 1000;

// Walks over an expression that PCRE2 has read: finds what a grammar cannot say, and adds up what
// its characters cost with all repetitions written out.
class Walk {
public:
    explicit Walk(std::string_view text) : text_(text) {}

    std::optional<std::string> run() {
        while (at_ < text_.size() && !error_) step();
        if (!error_ && cost() > kCompileCostMax)
            error_ = str("with its repetitions written out it would take more than ",
                         kCompileCostMax, " ms to compile; use smaller counts");
        return error_;
    }

    int64_t cost() const { return groups_.back() / 1000; }

private:
    void fail(const std::string& what) {
        if (!error_) error_ = str(what, " (byte ", at_, ")");
    }

    void step() {
        switch (text_[at_]) {
            case '\\': return escape(/*in_class=*/false);
            case '[': return character_class();
            case '(': return open();
            case ')': return close();
            case '{': return repeat();
            case '*':
            case '+':
            case '?':
            case '|': ++at_; return;
            case '^':
                if (!at_begin()) fail("an anchor within the expression cannot be held to");
                ++at_;
                return;
            case '$':
                if (!at_end()) fail("an anchor within the expression cannot be held to");
                ++at_;
                return;
            case '.':
                atom(kWide);
                ++at_;
                return;
            default: atom(kLiteral); ++at_;
        }
    }

    // The whole text is matched, so that anchors at the border of an outermost alternative are
    // true anyhow.
    bool at_begin() const { return groups_.size() == 1 && (at_ == 0 || text_[at_ - 1] == '|'); }
    bool at_end() const {
        return groups_.size() == 1 && (at_ + 1 == text_.size() || text_[at_ + 1] == '|');
    }

    void atom(int64_t cost) {
        groups_.back() = std::min(groups_.back() + cost, kBeyond);
        last_ = cost;
    }

    void escape(bool in_class) {
        const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        constexpr std::string_view kKnown = "dDwWsSnrtfvae0xuc";
        const bool is_letter =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (is_letter && kKnown.find(c) == kKnown.npos && !(in_class && c == 'b'))
            fail(str("\\", c, " cannot be held to while decoding"));
        const bool negated = c == 'D' || c == 'W' || c == 'S';
        if (in_class)
            is_wide_ = is_wide_ || negated;
        else
            atom(negated ? kWide : c == 'd' || c == 'w' || c == 's' ? kClass : kLiteral);
        at_ += 2;
    }

    void character_class() {
        ++at_;
        is_wide_ = text_.substr(at_).starts_with('^');
        if (is_wide_) ++at_;
        while (at_ < text_.size() && text_[at_] != ']' && !error_) {
            is_wide_ = is_wide_ || static_cast<uint8_t>(text_[at_]) >= 0x80;
            if (text_.substr(at_).starts_with("[:"))
                fail("a class with a POSIX name cannot be held to; write its characters");
            text_[at_] == '\\' ? escape(/*in_class=*/true) : void(++at_);
        }
        ++at_;
        atom(is_wide_ ? kWide : kClass);
    }

    void open() {
        const std::string_view rest = text_.substr(at_);
        if (rest.starts_with("(*"))
            fail("a verb cannot be held to");
        else if (rest.starts_with("(?P<"))
            fail("write a named group as (?<name>...)");
        else if (rest.starts_with("(?") && !rest.starts_with("(?:") &&
                 (!rest.starts_with("(?<") || rest.starts_with("(?<=") || rest.starts_with("(?<!")))
            fail("looking ahead or behind, and options, cannot be held to while decoding");
        if (groups_.size() > kGroupsMax)
            fail(str("more than ", kGroupsMax, " groups within each other"));
        groups_.push_back(0);
        at_ += rest.starts_with("(?:") ? 3 : rest.starts_with("(?<") ? rest.find('>') + 1 : 1;
    }

    void close() {
        const int64_t cost = groups_.back();
        groups_.pop_back();
        atom(cost);
        ++at_;
    }

    // {least}, {least,} or {least,most} behind an atom.
    void repeat() {
        int64_t counts[2] = {0, 0};
        int which = 0;
        for (++at_; at_ < text_.size() && text_[at_] != '}'; ++at_) {
            const char c = text_[at_];
            if (c == ',')
                which = 1;
            else if (c >= '0' && c <= '9')
                counts[which] = std::min<int64_t>(counts[which] * 10 + (c - '0'), 1 << 16);
            else
                return fail("a brace that begins no count is written \\{");
        }
        ++at_;
        // A loop back costs no more states than what is written out before it.
        const int64_t times = std::max({counts[0], counts[1], int64_t{1}});
        const int64_t once = last_;
        atom(std::min(once * (times - 1), kBeyond));
        last_ = std::min(once * times, kBeyond);
    }

    static constexpr int64_t kBeyond = kCostMax + 1000;
    std::string_view text_;
    size_t at_ = 0;
    std::vector<int64_t> groups_ = {0};  // What the open groups cost so far, outermost first.
    int64_t last_ = 0;                   // What the atom before costs.
    bool is_wide_ = false;               // The class under way takes nearly everything.
    std::optional<std::string> error_;
};

struct FreeCode {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeContext {
    void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
};

}  // namespace

Result<int64_t> expression_cost(std::string_view expression) {
    const auto refuse = [](const std::string& what) {
        return Error{Code::invalid_argument, "regular expression: " + what};
    };
    if (expression.size() > kBytesMax)
        return refuse(str(expression.size(), " bytes; at most ", kBytesMax, " can be compiled"));
    const std::unique_ptr<pcre2_compile_context, FreeContext> context(
        pcre2_compile_context_create(nullptr));
    CHECK(context != nullptr, "no memory for a context");
    // \uXXXX as JavaScript has it, and so JSON schemas.
    pcre2_set_compile_extra_options(context.get(), PCRE2_EXTRA_ALT_BSUX);
    int code = 0;
    size_t at = 0;
    const std::unique_ptr<pcre2_code, FreeCode> compiled(pcre2_compile(
        reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
        PCRE2_UTF | PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS, &code, &at, context.get()));
    if (compiled == nullptr) {
        char message[256];
        pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
        return refuse(str(message, " (byte ", at, ")"));
    }
    Walk walk(expression);
    if (std::optional<std::string> error = walk.run()) return refuse(*error);
    return walk.cost();
}

std::string expression_term(std::string_view expression) {
    std::string term = "Regex(\"";
    for (const char c : expression) {
        if (c == '\\' || c == '"')
            (term += '\\') += c;
        else if (static_cast<uint8_t>(c) < 0x20)
            term += str("\\u00", c < 0x10 ? "0" : "1", "0123456789abcdef"[c % 16]);
        else
            term += c;
    }
    return term + "\")";
}

}  // namespace fathom
