#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "checkpoint/names.h"

namespace fathom {

// The random weights of `fathom tiny`, a formula of (seed, name, index) that gives the same bytes
// on every machine (tools/reference/README.md; tools/reference/make_tiny.py is the original):
//   key = seed << 32 | crc32(name),  h = SplitMix64's output function of key + (i + 1) * golden,
//   z = (sum of h's four 16-bit fields - 131070) / 37837.2,  weight = bf16(std * z)
// with integers up to the division. Norm weights are 1 + 0.1 z. `std` keeps attention scores,
// router logits and final logits at a useful size and lets layers add little to the residual.
struct TinyWeight {
    uint64_t key;
    double std;
    bool around_one;  // A norm's weight.
    bool f32;         // Not rounded to bf16.
};

// The MTP layer's embed_tokens and shared_head.head are those of the main model, as in the
// published files.
TinyWeight tiny_weight(const ExpectedTensor& tensor, uint64_t seed);

// Elements [first, first + out.size()) in row-major order.
void fill(const TinyWeight& weight, int64_t first, std::span<float> out);

// CRC-32 of zlib and Ethernet.
uint32_t crc32(std::string_view text);

}  // namespace fathom
