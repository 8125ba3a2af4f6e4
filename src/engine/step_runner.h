#pragma once

#include "engine/scheduler.h"
#include "engine/step_result.h"

namespace fathom {

// The border between the engine and what computes: a model (engine/runner.h), or a stand-in for it
// in tests and simulations. Engine thread.
class StepRunner {
public:
    virtual ~StepRunner() = default;
    // Computes the tokens of the batch, draws a token for each item that samples, and adds one
    // outcome an item to `result`, in order; or says why it cannot (StepResult::fail()).
    virtual void run(const Batch& batch, StepResult& result) = 0;
};

}  // namespace fathom
