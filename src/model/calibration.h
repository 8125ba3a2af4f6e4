#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/input_range.h"
#include "config/args.h"
#include "model/forward.h"

namespace fathom {

// Sees the inputs of the linears that W8A8 quantizes statically, and keeps their smallest and
// largest values.
class InputExtremes : public Probe {
public:
    explicit InputExtremes(const ModelArgs& args);
    void see(const char* name, int layer, const Tensor& tensor) override;

    // One range per module of static_modules() (checkpoint/quantization.h); q_a_proj and
    // kv_a_proj_with_mqa have the same input. Errors: a value was not finite.
    Result<std::vector<InputRange>> ranges() const;

private:
    struct Extremes {
        float low = 0, high = 0;
        bool finite = true;
    };
    static constexpr int kInputs = 3;

    std::vector<Extremes> seen_[kInputs];  // By layer.
};

struct CalibrationOptions {
    int threads = 1;
    // Told now and then, on the calling thread: bytes of the weights that are loaded, then tokens
    // that were run.
    std::function<void(int64_t done, int64_t total)> loading, running;
};

// The static ranges for a W8A8 checkpoint: runs the model as the checkpoint has it (bf16
// activations, MTP layer included) over the documents and takes the least and the largest input of
// each linear. The whole model is in memory meanwhile. Errors: too little memory; values that are
// not finite. REQUIRES: verify() found nothing wrong; documents, none empty, of ids of the
// vocabulary, none longer than max_position.
Result<std::vector<InputRange>> calibrate(const Checkpoint& checkpoint, const ModelArgs& args,
                                          std::span<const std::vector<Token>> documents,
                                          const CalibrationOptions& options);

}  // namespace fathom
