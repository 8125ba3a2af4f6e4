#include "server/engine_request.h"

#include <algorithm>

namespace fathom {
namespace {

// What a double says that a float cannot: the nearest that leaves logits finite.
float bounded(double value, double low, double high) {
    return static_cast<float>(std::clamp(value, low, high));
}

// A word may follow a blank or not, and the tokens differ: both are barred. Of the form with a
// blank only what is a single other token counts, or every word after a blank would be barred.
// Source: vLLM's SamplingParams.update_from_tokenizer (0.13).
std::vector<std::vector<Token>> bad_word_tokens(const Tokenizer& tokenizer,
                                                const std::vector<std::string>& words) {
    std::vector<std::vector<Token>> sequences;
    for (const std::string& word : words) {
        const std::string bare = word.substr(std::min(word.find_first_not_of(' '), word.size()));
        std::vector<Token> plain = tokenizer.encode(bare);
        std::vector<Token> after_blank = tokenizer.encode(" " + bare);
        const bool is_another = !plain.empty() && after_blank.size() == plain.size() &&
                                after_blank.front() != plain.front();
        if (!plain.empty()) sequences.push_back(std::move(plain));
        if (is_another) sequences.push_back(std::move(after_blank));
    }
    return sequences;
}

SamplingParams sampling_of(const ServedModel& model, const api::GenerationRequest& r) {
    SamplingParams sampling{.temperature = bounded(r.temperature, 0, 1e10),
                            .top_p = bounded(r.top_p, 1e-10, 1),
                            .top_k = static_cast<int>(std::min<int64_t>(r.top_k, model.vocab_size)),
                            .min_p = static_cast<float>(r.min_p),
                            .presence_penalty = static_cast<float>(r.presence_penalty),
                            .frequency_penalty = static_cast<float>(r.frequency_penalty),
                            .repetition_penalty = bounded(r.repetition_penalty, 1e-10, 1e10),
                            .allowed_token_ids = r.allowed_token_ids.value_or(std::vector<Token>{}),
                            .bad_words = bad_word_tokens(*model.tokenizer, r.bad_words)};
    for (const auto& [id, bias] : r.logit_bias)
        sampling.logit_bias.emplace_back(id, static_cast<float>(bias));
    return sampling;
}

std::optional<LogprobCount> count_of(const ServedModel& model, const std::optional<int64_t>& k) {
    if (!k) return std::nullopt;
    return *k < 0 ? kLogprobsAll : static_cast<int>(std::min(*k, model.vocab_size));
}

}  // namespace

void truncate_prompt(const ServedModel& model, const api::GenerationRequest& request,
                     std::vector<Token>& prompt) {
    if (!request.truncate_prompt_tokens) return;
    const int64_t asked = *request.truncate_prompt_tokens;
    const int64_t keep = asked < 0 ? model.max_model_len : asked;
    if (std::ssize(prompt) > keep) prompt.erase(prompt.begin(), prompt.end() - keep);
}

std::variant<std::vector<Request>, api::RequestError> engine_requests(
    const ServedModel& model, const api::GenerationRequest& r,
    const std::vector<std::vector<Token>>& prompts, std::optional<Token> think_end) {
    if (auto error = api::check_vocabulary(r, model.vocab_size)) return std::move(*error);
    const SamplingParams sampling = sampling_of(model, r);
    // What no step can draw stops nothing, and the mask of min_tokens has no place for it.
    std::vector<Token> stop_token_ids = r.stop_token_ids;
    std::erase_if(stop_token_ids, [&](Token id) { return id < 0 || id >= model.vocab_size; });

    std::vector<Request> requests;
    for (size_t i = 0; i < prompts.size() * r.n; ++i) {
        Request& request = requests.emplace_back();
        request.prompt = prompts[i / r.n];
        request.sampling = sampling;
        request.sampling.choice = static_cast<int>(i % r.n);
        // A prompt alone is asked for: it is computed with the token that follows it.
        request.max_tokens = static_cast<int>(std::max<int64_t>(r.max_tokens, 1));
        request.min_tokens = static_cast<int>(r.min_tokens);
        request.ignore_eos = r.ignore_eos;
        request.stop_token_ids = stop_token_ids;
        request.logprobs = count_of(model, r.logprobs);
        request.prompt_logprobs = count_of(model, r.prompt_logprobs);
        request.priority = static_cast<int>(std::clamp<int64_t>(r.priority, -(1 << 30), 1 << 30));
        request.cache_salt = r.cache_salt;
        if (!r.grammar) continue;
        auto constraint = model.grammars->compile(*r.grammar, think_end);
        if (!constraint.ok()) return api::error_of(constraint.error());
        request.constraint = std::move(constraint).value();
    }
    return requests;
}

}  // namespace fathom
