#pragma once

#include <memory>
#include <vector>

#include "engine/step_runner.h"
#include "model/draw_tokens.h"
#include "model/model_step.h"

namespace fathom {

// One rank's model at work: runs batches and draws tokens. Owns weights and cache; nothing is
// allocated on the device after construction.
class Runner : public StepRunner {
public:
    struct Options {
        Limits limits;
        DType dtype = DType::bf16;  // Of activations.
        // Masked until min_tokens are there. The first is drawn when masks leave nothing to draw,
        // and ends the sequence as it always does; without any, id 0 is.
        std::vector<Token> end_tokens;
        int vocab = 0;  // Ids from here on are never drawn: no token has them.
    };
    // `stream` must outlive the runner; its arena has activation_bytes() (model/activations.h).
    Runner(Options options, std::unique_ptr<Transformer> model, const KvLayout& layout,
           Stream& stream);

    void run(const Batch& batch, StepResult& result) override;

private:
    DrawRow draw_row(const Sequence& sequence) const;
    void find_logprobs(const Batch& batch, Tensor logits);
    void ask(int64_t row, Token token, LogprobCount count);

    const Options options_;
    const std::unique_ptr<Transformer> model_;
    KvCache kv_;
    Stream& stream_;
    ModelStep step_;

    // Of the step under way; kept to not allocate.
    std::vector<SequencePart> parts_;
    std::vector<DrawRow> rows_;
    std::vector<Token> drawn_;
    std::vector<LogprobsRow> asked_;
    std::vector<TokenLogprobs> answers_;  // By asked_: by items, prompt tokens before the drawn.
};

}  // namespace fathom
