#include "engine/runner.h"

namespace fathom {

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
                .output = tokens.subspan(sequence.prompt_tokens)};
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
                          sequence.kv.blocks, item.samples});
        if (item.samples) rows_.push_back(draw_row(sequence));
    }
    const Tensor logits = step_.run(parts_);
    drawn_.resize(rows_.size());
    draw_tokens(stream_, drawn_, logits, rows_, options_.vocab);

    size_t row = 0;
    for (const Batch::Item& item : batch.items)
        result.add(std::span(drawn_).subspan(row, item.samples ? 1 : 0)), row += item.samples;
}

}  // namespace fathom
