#include "server/shown_tokens.h"

#include "base/check.h"

namespace fathom {

api::ShownToken ShownTokens::token(Token id, float logprob) const {
    return {.id = id,
            .bytes = std::string(tokenizer_.token_bytes(id)),
            .logprob = logprob,
            .as_id = as_ids_};
}

api::ShownLogprobs ShownTokens::logprobs(const TokenLogprobs& row) const {
    api::ShownLogprobs shown{.token = token(row.token, row.logprob), .rank = row.rank, .top = {}};
    shown.top.reserve(row.top.size());
    for (const RankedToken& ranked : row.top)
        shown.top.push_back(token(ranked.token, ranked.logprob));
    return shown;
}

std::vector<api::LogprobRow> ShownTokens::prompt(const std::vector<Token>& prompt,
                                                 const std::vector<TokenLogprobs>& rows) const {
    CHECK(rows.size() + 1 == prompt.size(), rows.size(), " rows for ", prompt.size(), " tokens");
    std::vector<api::LogprobRow> shown(prompt.size());
    shown[0].token = token(prompt[0], 0);
    for (size_t i = 0; i < rows.size(); ++i) shown[i + 1].logprobs = logprobs(rows[i]);
    return shown;
}

}  // namespace fathom
