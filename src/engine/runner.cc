#include "engine/runner.h"

#include <iterator>
#include <utility>

namespace fathom {
namespace {

// Rows of logits of an item that are not to draw from, but for logprobs of its prompt.
int prompt_rows(const Batch::Item& item) { return item.num_logits - item.samples; }

}  // namespace

Runner::Runner(Options options, std::unique_ptr<Transformer> model, const KvLayout& layout,
               Stream& stream)
    : options_(std::move(options)),
      model_(std::move(model)),
      kv_(layout, options_.limits.num_blocks),
      stream_(stream),
      step_(*model_, kv_, stream, options_.limits, options_.dtype) {
    parts_.reserve(options_.limits.batch_sequences_max);
    rows_.reserve(options_.limits.batch_sequences_max);
}

DrawRow Runner::draw_row(const Sequence& sequence) const {
    const SamplingParams& p = sequence.request.sampling;
    const std::span<const Token> tokens(sequence.tokens);
    DrawRow row{.sample = {.temperature = p.temperature,
                           .top_p = p.top_p,
                           .top_k = p.top_k,
                           .min_p = p.min_p,
                           .seed = p.seed,
                           .choice = p.choice,
                           .position = static_cast<int>(std::ssize(tokens))},
                .penalties = {.presence = p.presence_penalty,
                              .frequency = p.frequency_penalty,
                              .repetition = p.repetition_penalty},
                .prompt = tokens.first(sequence.prompt_tokens),
                .output = tokens.subspan(sequence.prompt_tokens),
                .allowed = p.allowed_token_ids,
                .bad_words = p.bad_words,
                .bias = p.logit_bias,
                .constraint = sequence.request.constraint.get(),
                .keep_logits = sequence.request.logprobs.has_value()};
    if (!options_.end_tokens.empty() && options_.end_tokens[0] < options_.vocab)
        row.sample.fallback = options_.end_tokens[0];
    // Until min_tokens are there, nothing that would end the sequence may be drawn.
    if (sequence.generated() < sequence.request.min_tokens)
        row.masked = {sequence.request.stop_token_ids, options_.end_tokens};
    return row;
}

void Runner::run(const Batch& batch, StepResult& result) {
    parts_.clear();
    rows_.clear();
    for (const Batch::Item& item : batch.items) {
        const Sequence& sequence = *item.sequence;
        parts_.push_back({sequence.tokens, sequence.kv.computed, item.num_tokens,
                          sequence.kv.blocks, item.samples, prompt_rows(item)});
        if (item.samples) rows_.push_back(draw_row(sequence));
    }
    const Tensor logits = step_.run(parts_);
    drawn_.resize(rows_.size());
    draw_tokens(stream_, drawn_, logits.rows(0, std::ssize(rows_)), rows_, options_.vocab);
    find_logprobs(batch, logits);

    size_t row = 0;
    auto answer = std::make_move_iterator(answers_.begin());
    const auto take = [&](int count) {
        const auto begin = std::exchange(answer, answer + count);
        return std::vector<TokenLogprobs>(begin, answer);
    };
    for (const Batch::Item& item : batch.items) {
        auto of_prompt = take(prompt_rows(item));
        auto of_drawn = take(item.samples && item.sequence->request.logprobs ? 1 : 0);
        result.add(std::span(drawn_).subspan(row, item.samples ? 1 : 0), std::move(of_drawn),
                   std::move(of_prompt));
        row += item.samples;
    }
}

// The rows of what was drawn come first, those of prompt tokens behind them.
void Runner::find_logprobs(const Batch& batch, Tensor logits) {
    asked_.clear();
    answers_.clear();
    int64_t drawn = 0, more = std::ssize(rows_);
    for (const Batch::Item& item : batch.items) {
        const Request& request = item.sequence->request;
        const int first = item.sequence->kv.computed + item.num_tokens - item.num_logits;
        for (int i = 0; i < prompt_rows(item); ++i)
            ask(more++, request.prompt[first + i + 1], *request.prompt_logprobs);
        if (!item.samples) continue;
        if (request.logprobs) ask(drawn, drawn_[drawn], *request.logprobs);
        ++drawn;
    }
    row_logprobs(stream_, asked_, logits, options_.vocab);
    for (size_t i = 0; i < asked_.size(); ++i) {
        answers_[i].logprob = asked_[i].logprob;
        answers_[i].rank = asked_[i].rank;
    }
}

void Runner::ask(int64_t row, Token token, LogprobCount count) {
    const int top = count == kLogprobsAll ? options_.vocab : std::min(count, options_.vocab);
    answers_.push_back({.token = token, .top = std::vector<RankedToken>(top)});
    asked_.push_back({.row = row, .token = token, .top = answers_.back().top});
}

}  // namespace fathom
