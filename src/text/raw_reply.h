#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/token.h"
#include "text/detokenizer.h"
#include "text/stop_strings.h"
#include "text/tokenizer.h"

namespace fathom {

// The tokens of a chat reply as text, ended by stop strings, with the places where the thought
// ends.
//
// Stop strings see the whole text, </think> included. The end token is never part of it; other
// special tokens are not where skip_special says so, but for `visible`.
class RawReply {
public:
    struct Part {
        bool is_think_end = false;  // A token </think>; its text is in `text`.
        std::string text;
    };
    struct Options {
        std::vector<std::string> stop;
        bool include_stop = false;
        bool skip_special = true;
        std::optional<Token> visible;
        bool in_reasoning = false;  // A first token <think> is left out.
    };

    // The tokenizer must outlive this.
    RawReply(const Tokenizer& tokenizer, Options options);

    // Appends what is certain now. REQUIRES: not stopped().
    void push(Token token, bool may_stop, std::vector<Part>& parts);
    void finish(std::vector<Part>& parts);

    const std::optional<std::string>& stopped() const { return stops_.matched(); }

private:
    struct Mark {
        size_t begin, end;  // bytes of the text
    };

    bool is_hidden(Token token);
    void show(std::string_view text, std::vector<Part>& parts);

    // Constant after construction.
    const Tokenizer& tokenizer_;
    const bool skip_special_;
    const std::optional<Token> visible_, think_, think_end_;

    Detokenizer detokenizer_;
    StopStrings stops_;
    bool may_lead_;              // <think> would be the first token, and is left out
    size_t read_ = 0;            // bytes given to stops_
    size_t shown_ = 0;           // bytes that came out
    std::deque<Mark> thoughts_;  // ends of thoughts that have not come out yet
};

}  // namespace fathom
