#include <algorithm>
#include <cstring>
#include <span>

#include "ops/topk/topk.h"

namespace fathom {
namespace {

// Orders like the number, larger is better; 0 for what is never chosen.
uint32_t sortable(float f) {
    uint32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u || bits == 0xff800000u) return 0;
    if (magnitude == 0) return 0x80000000u;
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

}  // namespace

void cpu::plain::topk(Stream& s, Tensor indices, Tensor logits, Tensor positions) {
    const int64_t K = indices.dim(1);
    for (int64_t t = 0; t < indices.dim(0); ++t) {
        int32_t* out = indices.as<int32_t>() + t * indices.row_stride();
        const float* row = logits.as<float>() + t * logits.row_stride();
        const int64_t length = positions.as<int32_t>()[t] + int64_t{1};
        CHECK(0 <= length && length <= logits.dim(1), "position ", length - 1, " of ", logits);

        ArenaScope scope(*s.arena);
        auto* order = s.arena->tmp(DType::i32, length).as<int32_t>();
        int64_t valid = 0;
        for (int64_t p = 0; p < length; ++p)
            if (sortable(row[p]) != 0) order[valid++] = static_cast<int32_t>(p);
        std::sort(order, order + valid, [row](int32_t a, int32_t b) {
            const uint32_t x = sortable(row[a]), y = sortable(row[b]);
            return x != y ? x > y : a < b;
        });
        const int64_t chosen = std::min(valid, K);
        std::sort(order, order + chosen);
        std::copy_n(order, chosen, out);
        std::fill(out + chosen, out + K, -1);
    }
}

void cpu::topk(Stream& s, Tensor indices, Tensor logits, Tensor positions) {
    plain::topk(s, indices, logits, positions);
}

}  // namespace fathom
