#include "ops/moe_combine/moe_combine.h"
#include "ops/rows.h"
#include "ops/vec8.h"

namespace fathom {
namespace {

// One row of an expert's output, with its weight.
struct Part {
    int32_t row;
    float weight;
};

// parts[t * K ..] are the K rows of token t, ascending: the rows lie by expert, so this is the
// order of the experts. One pass over the pairs.
void find_parts(Part* parts, int32_t* found, Tensor pairs, Tensor weights) {
    const int64_t T = weights.dim(0), K = weights.dim(1);
    std::fill(found, found + T, 0);
    for (int64_t r = 0; r < T * K; ++r) {
        const int32_t pair = pairs.as<int32_t>()[r];
        CHECK(0 <= pair && pair < T * K, "pair ", pair, " of ", T * K);
        const int64_t t = pair / K;
        CHECK(found[t] < K, "token ", t, " has more than ", K, " rows");
        parts[t * K + found[t]++] = {static_cast<int32_t>(r), weights.as<float>()[pair]};
    }
}

template <class Out, class In>
void run(Stream& s, Tensor y, Tensor rows, const Part* parts, int64_t K, Tensor shared) {
    const int64_t D = y.dim(1);
    for_rows(s, y.dim(0), D * (K + 2) / 2, [&](int64_t t) {
        const In* added = row<In>(shared, t);
        Out* out = row<Out>(y, t);
        vec8::for_each(D, [&](int64_t d, int64_t n) {
            __m256 sum = _mm256_setzero_ps();
            for (const Part* part = parts + t * K; part < parts + (t + 1) * K; ++part)
                sum = _mm256_fmadd_ps(_mm256_set1_ps(part->weight),
                                      vec8::load(row<In>(rows, part->row) + d, n), sum);
            vec8::store(out + d, _mm256_add_ps(sum, vec8::load(added + d, n)), n);
        });
    });
}

}  // namespace

void cpu::moe_combine(Stream& s, Tensor y, Tensor rows, Tensor pairs, Tensor weights,
                      Tensor shared) {
    const int64_t T = weights.dim(0), K = weights.dim(1);
    ArenaScope scope(*s.arena);
    auto* parts = s.arena->tmp(DType::i64, T * K).as<Part>();
    find_parts(parts, s.arena->tmp(DType::i32, T).as<int32_t>(), pairs, weights);
    const bool in = rows.dtype == DType::bf16, out = y.dtype == DType::bf16;
    if (in)
        out ? run<bf16, bf16>(s, y, rows, parts, K, shared)
            : run<float, bf16>(s, y, rows, parts, K, shared);
    else
        out ? run<bf16, float>(s, y, rows, parts, K, shared)
            : run<float, float>(s, y, rows, parts, K, shared);
}

}  // namespace fathom
