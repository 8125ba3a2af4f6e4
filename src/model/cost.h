#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/format.h"
#include "config/args.h"
#include "config/kv_layout.h"

namespace fathom {

// What one op of a step needs at least, summed over the layers: the sums on paper that a measured
// step is held against.
struct OpCost {
    enum class Type : uint8_t { bf16, i8 };  // Of its multiplications; fp8 counts as bf16.

    const char* op;
    Type type;
    double flops;  // Multiplications and additions.
    double bytes;  // Weights and cache that must be read once.
};

// One sequence: tokens at positions [computed, computed + T). Experts: the T * K choices are taken
// as spread evenly, so that min(T * K, E) experts are read.
std::vector<OpCost> step_costs(const ModelArgs& args, CheckpointFormat format,
                               const KvLayout& layout, int64_t computed, int64_t T);

}  // namespace fathom
