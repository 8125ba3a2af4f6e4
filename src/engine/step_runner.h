#pragma once

#include "engine/scheduler.h"

namespace fathom {

// The border between the engine and what computes: a model (engine/runner.h), or a stand-in for it
// in tests and simulations. Engine thread.
class StepRunner {
public:
    virtual ~StepRunner() = default;
    // Computes the tokens of the batch and draws a token for each item that samples; result.of(i)
    // belongs to batch.items[i].
    virtual void run(const Batch& batch, StepResult& result) = 0;
};

}  // namespace fathom
