#pragma once

#include <vector>

#include "api/logprobs.h"
#include "engine/request.h"
#include "text/tokenizer.h"

namespace fathom {

// The engine's numbers as answers show them: ids become bytes.
class ShownTokens {
public:
    // as_ids: tokens are written as "token_id:123". The tokenizer must outlive this.
    ShownTokens(const Tokenizer& tokenizer, bool as_ids) : tokenizer_(tokenizer), as_ids_(as_ids) {}

    api::ShownToken token(Token id, float logprob) const;
    api::ShownLogprobs logprobs(const TokenLogprobs& row) const;
    // A row per token of the prompt, the first without logprobs. `rows` are those of prompt[1..].
    std::vector<api::LogprobRow> prompt(const std::vector<Token>& prompt,
                                        const std::vector<TokenLogprobs>& rows) const;

private:
    const Tokenizer& tokenizer_;
    const bool as_ids_;
};

}  // namespace fathom
