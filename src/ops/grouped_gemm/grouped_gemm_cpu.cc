#include <algorithm>

#include "ops/grouped_gemm/grouped_gemm.h"
#include "ops/linear/gemm.h"

namespace fathom {
namespace {

void check_offsets(const int32_t* offsets, int64_t E, int64_t R) {
    CHECK(offsets[0] == 0 && offsets[E] == R, "offsets ", offsets[0], "..", offsets[E], " of ", R);
    for (int64_t e = 0; e < E; ++e)
        CHECK(offsets[e] <= offsets[e + 1], "offsets fall at expert ", e);
}

// All rows at once; the static kind has another scale in each expert.
gemm::Input quantized(Stream& s, Tensor x, const int32_t* offsets, std::span<const Linear> w) {
    if (w[0].kind != Linear::Kind::w8a8_static) return gemm::quantized(s, x, w[0]);
    const int64_t bytes = gemm::input_bytes(w[0].kind, x);
    const auto input = gemm::make_input(w[0].kind, x, s.arena->tmp(DType::u8, bytes).data);
    const int64_t grain = std::max<int64_t>(1, 16384 / w[0].K);
    s.workers->parallel_for(x.dim(0), grain, [&](int64_t begin, int64_t end, int) {
        auto e = std::upper_bound(offsets, offsets + w.size(), begin) - offsets - 1;
        for (int64_t r = begin; r < end; r = std::min<int64_t>(offsets[e], end)) {
            const Linear& expert = w[e++];
            gemm::fill_rows(input, x, expert, r, std::min<int64_t>(offsets[e], end));
        }
    });
    return input;
}

}  // namespace

void cpu::grouped_gemm(Stream& s, Tensor y, Tensor x, Tensor offsets_tensor,
                       std::span<const Linear> w) {
    ArenaScope scope(*s.arena);
    const auto* offsets = offsets_tensor.as<int32_t>();
    const auto E = static_cast<int64_t>(w.size()), R = x.dim(0);
    check_offsets(offsets, E, R);
    const gemm::Input input = quantized(s, x, offsets, w);

    // Pieces in the order of the experts, those of one group of outputs side by side: a weight
    // that few rows ask for is read once, and taken by whoever is free.
    const int64_t groups = gemm::groups_of(w[0]);
    auto* const ends = s.arena->tmp(DType::i64, E).as<int64_t>();
    int64_t pieces = 0, active = 0;
    for (int64_t e = 0; e < E; ++e) {
        const int64_t rows = offsets[e + 1] - offsets[e];
        active += rows > 0;
        pieces += (rows + gemm::kPieceRows - 1) / gemm::kPieceRows * groups;
        ends[e] = pieces;
    }
    const int64_t grain = gemm::grain_of(w[0], std::min(R / active, gemm::kPieceRows));
    s.workers->parallel_for(pieces, grain, [&](int64_t begin, int64_t end, int worker) {
        std::byte* const scratch = s.workers->scratch(worker).data();
        for (int64_t i = begin; i < end; ++i) {
            const int64_t e = std::upper_bound(ends, ends + E, i) - ends;
            const int64_t first = e == 0 ? 0 : ends[e - 1], parts = (ends[e] - first) / groups;
            const int64_t r = offsets[e] + (i - first) % parts * gemm::kPieceRows;
            const int64_t r_end = std::min<int64_t>(r + gemm::kPieceRows, offsets[e + 1]);
            gemm::run_piece(y, input, w[e], (i - first) / parts, r, r_end, scratch);
        }
    });
}

}  // namespace fathom
