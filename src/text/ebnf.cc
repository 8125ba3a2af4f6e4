#include "text/ebnf.h"

#include <algorithm>
#include <string>

namespace fathom {
namespace {

constexpr size_t kBytesMax = 64 << 10;
constexpr int64_t kCharsMax = 128;    // repetitions of character classes together
constexpr int64_t kCountsMax = 4096;  // all others together
constexpr int kGroupsMax = 100;
constexpr std::string_view kMacros[] = {"TagDispatch",      "Token", "ExcludeToken",
                                        "TokenTagDispatch", "Regex", "Substring"};

bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    std::string run() {
        while (at_ < text_.size() && error_.empty()) step();
        return error_;
    }

private:
    void step() {
        const char c = text_[at_];
        if (c == '#') {
            at_ = std::min(text_.find('\n', at_), text_.size());
        } else if (c == '"') {
            skip_to('"');
        } else if (c == '[') {
            skip_to(']');
        } else if (c == '{') {
            count();
        } else if (is_name(c)) {
            name();
        } else {
            groups_ += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (groups_ > kGroupsMax)
                error_ = str("more than ", kGroupsMax, " groups within each other");
            ++at_;
        }
    }

    void skip_to(char last) {
        for (++at_; at_ < text_.size() && text_[at_] != last; ++at_)
            if (text_[at_] == '\\') ++at_;
        ++at_;
    }

    void count() {
        const bool is_class = at_ > 0 && text_[at_ - 1] == ']';
        int64_t number = 0, largest = 0;
        for (++at_; at_ < text_.size() && text_[at_] != '}'; ++at_) {
            const char c = text_[at_];
            number = c >= '0' && c <= '9' ? std::min(number * 10 + (c - '0'), kCountsMax + 1) : 0;
            largest = std::max(largest, number);
        }
        (is_class ? chars_ : counts_) += largest;
        if (chars_ > kCharsMax || counts_ > kCountsMax)
            error_ = str("repetition counts that come to more than ", kCharsMax,
                         " for character classes, or ", kCountsMax, " for all else");
    }

    void name() {
        const size_t begin = at_;
        while (at_ < text_.size() && is_name(text_[at_])) ++at_;
        const std::string_view name = text_.substr(begin, at_ - begin);
        const bool options = at_ < text_.size() && text_[at_] == '[';
        size_t next = at_;
        if (options) {
            next = std::min(text_.find(']', at_), text_.size() - 1) + 1;
            next = std::min(text_.find_first_not_of(" \t", next), text_.size());
            if (text_.substr(next).starts_with("::="))
                error_ = str("the options of rule ", name, " are not supported");
        }
        next = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
        if (text_.substr(next).starts_with('(') &&
            std::find(std::begin(kMacros), std::end(kMacros), name) != std::end(kMacros))
            error_ = str("the macro ", name, "(...) is not supported");
    }

    std::string_view text_;
    size_t at_ = 0;
    int groups_ = 0;
    int64_t chars_ = 0, counts_ = 0;
    std::string error_;
};

}  // namespace

Status check_ebnf(std::string_view text) {
    if (text.size() > kBytesMax)
        return Error{Code::invalid_argument, str("grammar: ", text.size(), " bytes; at most ",
                                                 kBytesMax, " can be compiled")};
    if (const std::string error = Scanner(text).run(); !error.empty())
        return Error{Code::invalid_argument, "grammar: " + error};
    return Unit{};
}

}  // namespace fathom
