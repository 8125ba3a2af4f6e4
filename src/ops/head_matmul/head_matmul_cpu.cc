#include <algorithm>

#include "ops/head_matmul/head_matmul.h"
#include "ops/linear/gemm.h"

namespace fathom {
namespace {

// [T, H, D] to the [T, D] of one head.
Tensor head_of(const Tensor& t, int64_t h) {
    Tensor view = t;
    view.rank = 2;
    view.shape = {t.dim(0), t.dim(2)};
    view.stride = {t.stride[0], t.stride[2]};
    view.data = static_cast<char*>(t.data) + h * t.stride[1] * size_of(t.dtype);
    return view;
}

// What a piece uses of the scratch memory for its sums; what it widens x into lies behind.
constexpr int64_t kSumBytes = gemm::kDecodedBytes + gemm::kPieceRows * gemm::kGroupOutputs * 4;

}  // namespace

void cpu::head_matmul(Stream& s, Tensor y, Tensor x, std::span<const Linear> w) {
    const int64_t T = x.dim(0), H = x.dim(1), groups = gemm::groups_of(w[0]);
    const int64_t rows = gemm::piece_rows(T, H, s.workers->threads());
    const int64_t parts = (T + rows - 1) / rows;
    const int64_t grain = std::max<int64_t>(1, gemm::grain_of(w[0], std::min(T, rows)) / groups);
    s.workers->parallel_for(H * parts, grain, [&](int64_t begin, int64_t end, int worker) {
        const std::span<std::byte> scratch = s.workers->scratch(worker);
        for (int64_t i = begin; i < end; ++i) {
            const int64_t h = i / parts, t = i % parts * rows;
            const Tensor in = head_of(x, h).rows(t, std::min(t + rows, T));
            const Tensor out = head_of(y, h).rows(t, std::min(t + rows, T));
            const int64_t bytes = gemm::input_bytes(w[h].kind, in);
            CHECK(kSumBytes + bytes <= std::ssize(scratch), bytes, " bytes for a head");
            const auto input = gemm::make_input(w[h].kind, in, scratch.data() + kSumBytes);
            gemm::fill_rows(input, in, w[h], 0, in.dim(0));
            for (int64_t group = 0; group < groups; ++group)
                gemm::run_piece(out, input, w[h], group, 0, in.dim(0), scratch.data());
        }
    });
}

}  // namespace fathom
