#pragma once

#include <algorithm>

#include "tensor/stream.h"

namespace fathom {

// Calls f(t) for every row t < T of D elements, with the threads of the stream when there is work
// for more than one: waking a thread costs as much as some ten thousand elements.
template <class F>
void for_rows(Stream& s, int64_t T, int64_t D, F f) {
    constexpr int64_t kElements = 16384;
    const int64_t grain = std::max<int64_t>(1, kElements / std::max<int64_t>(1, D));
    s.workers->parallel_for(T, grain, [&](int64_t begin, int64_t end, int) {
        for (int64_t t = begin; t < end; ++t) f(t);
    });
}

// A result in the dtype of its tensor, rounded once.
template <class T>
T round_to(float v);
template <>
inline float round_to<float>(float v) {
    return v;
}
template <>
inline bf16 round_to<bf16>(float v) {
    return to_bf16(v);
}

// Row t of a view of rank 2.
template <class T>
T* row(const Tensor& x, int64_t t) {
    return x.as<T>() + t * x.stride[0];
}

}  // namespace fathom
