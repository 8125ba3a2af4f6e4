#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "ops/sample/sample.h"

// Parts of cpu::sample that its tests look at.
namespace fathom::cpu {

// What min_p, top_k and top_p leave of a row: in the order of falling logits, and of ids where they
// are equal, everything up to this token.
struct Cut {
    float logit = -std::numeric_limits<float>::infinity();
    int32_t id = std::numeric_limits<int32_t>::max();

    bool keeps(float l, int32_t i) const { return l > logit || (l == logit && i <= id); }
};

// Bytes of `scratch` for a row.
size_t sample_scratch_bytes(int64_t vocab);

// REQUIRES: temperature >= 1e-5, a finite largest logit.
Cut find_cut(const float* logits, int vocab, const SampleRow& row, std::span<std::byte> scratch);

}  // namespace fathom::cpu
