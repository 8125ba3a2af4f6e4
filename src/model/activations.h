#pragma once

#include "config/args.h"
#include "config/kv_layout.h"
#include "config/limits.h"
#include "tensor/tensor.h"

namespace fathom {

// Tokens whose index scores are computed at a time: as many rows of P scores as fit 64 MiB, at
// least one, at most T.
int64_t index_logits_rows(int64_t T, int64_t P);

// The most that the temporaries of a step can take, in bytes: what the arena of a Runner is made
// of. Closed form over the model's sizes, the limits, the rank's threads and the instruction set;
// model/activations_test.cc holds it to what is used.
int64_t activation_bytes(const ModelArgs& args, const Limits& limits, DType dtype,
                         IndexFormat index, int threads);

}  // namespace fathom
