#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/result.h"
#include "engine/request.h"

namespace fathom {

// What a step drew: of(i) continues items[i] of its batch; empty where nothing was drawn. More than
// one token where drafts were accepted. Or the fault that ended it.
class StepResult {
public:
    void clear() { tokens_.clear(), items_.clear(), fault_.reset(); }

    // The outcome of the next item: its tokens, with logprobs where the request wants them, and
    // those of the prompt that the step computed.
    void add(std::span<const Token> tokens, std::vector<TokenLogprobs> logprobs = {},
             std::vector<TokenLogprobs> prompt_logprobs = {}) {
        tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
        items_.push_back({tokens_.size(), std::move(logprobs), std::move(prompt_logprobs)});
    }
    size_t size() const { return items_.size(); }
    std::span<const Token> of(size_t item) const {
        const size_t begin = item == 0 ? 0 : items_[item - 1].end;
        return std::span(tokens_).subspan(begin, items_[item].end - begin);
    }
    std::vector<TokenLogprobs>& logprobs(size_t item) { return items_[item].logprobs; }
    std::vector<TokenLogprobs>& prompt_logprobs(size_t item) {
        return items_[item].prompt_logprobs;
    }

    // The device is in no state to go on: nothing that was added counts, and no step follows.
    void fail(Error why) { fault_ = std::move(why); }
    const std::optional<Error>& fault() const { return fault_; }

private:
    struct Item {
        size_t end;  // Of its tokens in tokens_.
        std::vector<TokenLogprobs> logprobs, prompt_logprobs;
    };
    std::vector<Token> tokens_;
    std::vector<Item> items_;
    std::optional<Error> fault_;
};

}  // namespace fathom
