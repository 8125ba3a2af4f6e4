#include <cstring>

#include "ops/moe_permute/moe_permute.h"
#include "ops/rows.h"

namespace fathom {
namespace {

// A counting sort: offsets[e + 1] counts, then is the next free row of expert e, then its end.
void sort_pairs(int32_t* pairs, int32_t* offsets, int64_t E, Tensor experts) {
    const int64_t T = experts.dim(0), K = experts.dim(1);
    std::fill(offsets, offsets + E + 1, 0);
    for (int64_t t = 0; t < T; ++t)
        for (int64_t k = 0; k < K; ++k) {
            const int32_t e = row<int32_t>(experts, t)[k];
            CHECK(0 <= e && e < E, "expert ", e, " of ", E, ", token ", t);
            ++offsets[e + 1];
        }
    int32_t begin = 0;
    for (int64_t e = 0; e < E; ++e) {
        const int32_t count = offsets[e + 1];
        offsets[e + 1] = begin;
        begin += count;
    }
    for (int64_t t = 0; t < T; ++t)
        for (int64_t k = 0; k < K; ++k)
            pairs[offsets[row<int32_t>(experts, t)[k] + 1]++] = static_cast<int32_t>(t * K + k);
}

}  // namespace

void cpu::moe_permute(Stream& s, Tensor rows, Tensor pairs, Tensor offsets, Tensor x,
                      Tensor experts) {
    const int64_t K = experts.dim(1), D = x.dim(1), bytes = D * size_of(x.dtype);
    auto* order = pairs.as<int32_t>();
    sort_pairs(order, offsets.as<int32_t>(), offsets.dim(0) - 1, experts);
    for_rows(s, rows.dim(0), D, [&](int64_t r) {
        std::memcpy(rows.rows(r, r + 1).data, x.rows(order[r] / K, order[r] / K + 1).data, bytes);
    });
}

}  // namespace fathom
