#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/token.h"
#include "checkpoint/checkpoint.h"
#include "config/args.h"

namespace fathom {

struct Verification {
    // Each one sentence: what, where, what was expected. Empty for a checkpoint that can be served.
    std::vector<std::string> problems;
    // What is odd and does no harm; each one sentence.
    std::vector<std::string> notes;
};

// Compares every tensor with what a model of these sizes has: names, shapes, dtypes, the pieces of
// quantized weights, and the values of all scales (finite and positive). Reads scales only, not
// weights.
Verification verify(const Checkpoint& checkpoint, const ModelArgs& args);

// Why a tokenizer whose largest id is this cannot be used with the model; nullopt if it can. A
// vocabulary larger than the tokenizer is normal.
std::optional<std::string> tokenizer_problem(Token largest_id, const ModelArgs& args);

}  // namespace fathom
