#include "ops/rotary/rotary.h"
#include "ops/rows.h"

namespace fathom {
namespace {

// Both products are rounded, then their sum: no fma, as in the reference.
template <class T, int64_t kNext>
void rotate(T* first, T* second, const float* cis, int64_t half) {
    for (int64_t i = 0; i < half; ++i) {
        const float a = to_float(first[kNext * i]), b = to_float(second[kNext * i]);
        const float cos = cis[2 * i], sin = cis[2 * i + 1];
        first[kNext * i] = round_to<T>(a * cos - b * sin);
        second[kNext * i] = round_to<T>(a * sin + b * cos);
    }
}

template <class T>
void run(Stream& s, Tensor x, const float* cis, Rope rope) {
    const int64_t H = x.dim(1), R = x.dim(2);
    for_rows(s, x.dim(0), H * R, [&](int64_t t) {
        for (int64_t h = 0; h < H; ++h) {
            T* v = x.as<T>() + t * x.stride[0] + h * x.stride[1];
            rope == Rope::interleaved ? rotate<T, 2>(v, v + 1, cis + t * R, R / 2)
                                      : rotate<T, 1>(v, v + R / 2, cis + t * R, R / 2);
        }
    });
}

}  // namespace

void cpu::rotary(Stream& s, Tensor x, Tensor cis, Rope rope) {
    const auto* table = cis.as<float>();
    x.dtype == DType::bf16 ? run<bf16>(s, x, table, rope) : run<float>(s, x, table, rope);
}

}  // namespace fathom
