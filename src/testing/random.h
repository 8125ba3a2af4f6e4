#pragma once

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tensor/fp8.h"
#include "tensor/tensor.h"

namespace fathom::testing {

// Owns a tensor of a test: 64-byte aligned, convertible to its view.
struct HostTensor {
    std::vector<char> storage;
    Tensor view;
    operator Tensor() const { return view; }
};

inline HostTensor allocate(DType dtype, std::initializer_list<int64_t> shape) {
    CHECK(shape.size() >= 1 && shape.size() <= Tensor::kMaxRank, "rank ", shape.size());
    Tensor t{.data = nullptr, .dtype = dtype, .rank = static_cast<int>(shape.size())};
    int64_t count = 1, i = t.rank;
    std::copy(shape.begin(), shape.end(), t.shape.begin());
    while (i-- > 0) {
        t.stride[i] = count;
        count *= t.shape[i];
    }
    HostTensor owner{.storage = std::vector<char>(count * size_of(dtype) + 64), .view = t};
    const auto address = reinterpret_cast<uintptr_t>(owner.storage.data());
    owner.view.data = reinterpret_cast<void*>((address + 63) / 64 * 64);
    return owner;
}

inline int64_t count_of(const Tensor& t) {
    int64_t count = 1;
    for (int i = 0; i < t.rank; ++i) count *= t.shape[i];
    return count;
}

inline void set(const Tensor& t, int64_t i, float f) {
    switch (t.dtype) {
        case DType::f32: t.as<float>()[i] = f; return;
        case DType::bf16: t.as<bf16>()[i] = to_bf16(f); return;
        case DType::f8e4m3: t.as<f8e4m3>()[i] = to_f8e4m3(f); return;
        case DType::i8: t.as<int8_t>()[i] = static_cast<int8_t>(std::lrint(f)); return;
        case DType::u8: t.as<uint8_t>()[i] = static_cast<uint8_t>(std::lrint(f)); return;
        case DType::i32: t.as<int32_t>()[i] = static_cast<int32_t>(std::lrint(f)); return;
        case DType::i64: t.as<int64_t>()[i] = std::lrint(f); return;
        case DType::f64: t.as<double>()[i] = f; return;
    }
}

// Filled with NaN (floats) or -99 (integers): an op that forgets an element is seen.
inline HostTensor poisoned(DType dtype, std::initializer_list<int64_t> shape) {
    HostTensor t = allocate(dtype, shape);
    const bool real = dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f8e4m3;
    for (int64_t i = 0; i < count_of(t); ++i)
        set(t, i, real ? std::numeric_limits<float>::quiet_NaN() : (dtype == DType::u8 ? 99 : -99));
    return t;
}

inline HostTensor zeros(DType dtype, std::initializer_list<int64_t> shape) {
    return allocate(dtype, shape);
}

// Normal numbers of deviation `std` by a seeded generator; the same on every machine.
inline HostTensor normal(DType dtype, std::initializer_list<int64_t> shape, uint32_t seed,
                         float std = 1) {
    HostTensor t = allocate(dtype, shape);
    std::mt19937 rng(seed);
    std::normal_distribution<float> draw(0, std);
    for (int64_t i = 0; i < count_of(t); ++i) set(t, i, draw(rng));
    return t;
}

}  // namespace fathom::testing
