#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <ostream>

#include "base/check.h"

namespace fathom {

// f64 occurs in files only; no op takes it.
enum class DType : uint8_t { f32, bf16, f8e4m3, i8, u8, i32, i64, f64 };

inline int64_t size_of(DType dtype) {
    switch (dtype) {
        case DType::f32:
        case DType::i32: return 4;
        case DType::bf16: return 2;
        case DType::f8e4m3:
        case DType::i8:
        case DType::u8: return 1;
        case DType::i64:
        case DType::f64: return 8;
    }
    CHECK(false, "dtype ", static_cast<int>(dtype));
}

inline const char* name_of(DType dtype) {
    constexpr const char* kNames[] = {"f32", "bf16", "f8e4m3", "i8", "u8", "i32", "i64", "f64"};
    return kNames[static_cast<int>(dtype)];
}
inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

// Bit-compatible with __nv_bfloat16.
struct bf16 {
    uint16_t bits;
};
inline float to_float(float v) { return v; }
inline float to_float(bf16 v) {
    const uint32_t bits = uint32_t{v.bits} << 16;
    float f;
    std::memcpy(&f, &bits, sizeof f);
    return f;
}
inline bf16 to_bf16(float f) {  // Round to nearest even, as the GPU does.
    uint32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
    bits += 0x7fffu + ((bits >> 16) & 1u);
    return {static_cast<uint16_t>(bits >> 16)};
}

struct Tensor;
inline std::ostream& operator<<(std::ostream& out, const Tensor& t);

// A view of memory: never owns, trivially copyable, passed by value.
// Strides are in elements; a sub-view (rows, split_last) keeps its parent's strides.
struct Tensor {
    static constexpr int kMaxRank = 4;

    void* data = nullptr;
    DType dtype = DType::f32;
    int rank = 0;
    std::array<int64_t, kMaxRank> shape{};
    std::array<int64_t, kMaxRank> stride{};

    template <class T>
    T* as() const {
        return static_cast<T*>(data);
    }

    int64_t dim(int i) const {
        CHECK(-rank <= i && i < rank, "dim ", i, " of rank ", rank);
        return shape[i < 0 ? i + rank : i];
    }
    int64_t row_stride() const { return rank >= 2 ? stride[rank - 2] : stride[0]; }
    bool is_contiguous() const {
        int64_t expected = 1;
        for (int i = rank - 1; i >= 0; --i) {
            if (shape[i] != 1 && stride[i] != expected) return false;
            expected *= shape[i];
        }
        return true;
    }

    // Every row starts at a multiple of `bytes`: what a kernel with vector loads must ask for.
    bool rows_aligned(int64_t bytes) const {
        return reinterpret_cast<uintptr_t>(data) % bytes == 0 &&
               row_stride() * size_of(dtype) % bytes == 0;
    }

    Tensor rows(int64_t begin, int64_t end) const {
        CHECK(0 <= begin && begin <= end && end <= dim(0), begin, "..", end, " of ", dim(0));
        Tensor view = *this;
        view.shape[0] = end - begin;
        view.data = static_cast<char*>(data) + begin * stride[0] * size_of(dtype);
        return view;
    }
    // The columns [0, left) and [left, left + right) of the last dimension, without a copy.
    std::array<Tensor, 2> split_last(int64_t left, int64_t right) const {
        CHECK(left + right == dim(-1), left, " + ", right, " != ", dim(-1));
        Tensor a = *this, b = *this;
        a.shape[rank - 1] = left;
        b.shape[rank - 1] = right;
        b.data = static_cast<char*>(data) + left * stride[rank - 1] * size_of(dtype);
        return {a, b};
    }
    // {T, H * D}.split_heads(H) is {T, H, D}: splits the last dimension in two, without a copy.
    Tensor split_heads(int64_t heads) const {
        CHECK(rank < kMaxRank && heads > 0 && dim(-1) % heads == 0, *this, " into ", heads,
              " heads");
        Tensor view = *this;
        view.rank = rank + 1;
        view.shape[rank] = shape[rank - 1] / heads;
        view.stride[rank] = stride[rank - 1];
        view.shape[rank - 1] = heads;
        view.stride[rank - 1] = view.shape[rank] * stride[rank - 1];
        return view;
    }
    // Merges all dimensions from `first` on into one: {T, H, D}.flatten(1) is {T, H*D}.
    Tensor flatten(int first) const {
        CHECK(is_contiguous(), "flatten of a strided view");
        Tensor view = *this;
        view.rank = first + 1;
        for (int i = first + 1; i < rank; ++i) view.shape[first] *= shape[i];
        view.stride[first] = 1;
        return view;
    }
};

inline std::ostream& operator<<(std::ostream& out, const Tensor& t) {
    out << name_of(t.dtype) << "[";
    for (int i = 0; i < t.rank; ++i) out << (i ? ", " : "") << t.shape[i];
    return out << "]";
}

template <size_t N>
Tensor view_of(void* data, DType dtype, const int64_t (&shape)[N]) {
    Tensor t{.data = data, .dtype = dtype, .rank = static_cast<int>(N)};
    int64_t stride = 1;
    for (int i = static_cast<int>(N) - 1; i >= 0; --i) {
        t.shape[i] = shape[i];
        t.stride[i] = stride;
        stride *= shape[i];
    }
    return t;
}

}  // namespace fathom
