#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// Ends the text of one reply at a stop string, as the text comes. Text that may yet turn out to
// belong to a stop string is held back: at most as much as the longest one has, less one character.
//
// The text of one push() is one step: a stop string matches in the step where its last byte comes.
// The reply ends before the first match (after it, with include_in_output); of several stop strings
// that match in one step the first of the list counts, as in vLLM. For one stop string, what comes
// out does not depend on how the text is cut into steps.
class StopStrings {
public:
    // REQUIRES: none of them is empty. With none, all text passes.
    StopStrings(std::vector<std::string> stops, bool include_in_output);

    // Takes the next text and returns what may be shown. With may_stop false (fewer than min_tokens
    // have come) a stop string that ends in this text does not count.
    // REQUIRES: nothing has matched yet.
    std::string push(std::string_view text, bool may_stop = true);
    // The end of the reply: what was held back.
    std::string flush();

    // The stop string that ended the reply.
    const std::optional<std::string>& matched() const { return matched_; }

private:
    // Knuth-Morris-Pratt: how far one stop string agrees with the end of the text.
    struct Matcher {
        std::string stop;
        std::vector<int> borders;  // [i] longest proper prefix of stop that ends its first i bytes
        int agreed = 0;            // bytes of stop, all but the last at most

        // Takes a byte; true if it completes the stop string.
        bool push(char byte);
    };

    // Constant after construction.
    bool include_in_output_;

    std::vector<Matcher> matchers_;
    std::string held_;
    std::optional<std::string> matched_;
};

}  // namespace fathom
