// expect(): the shape comment of an op, written as code that runs.
#pragma once

#include <initializer_list>

#include "tensor/tensor.h"

namespace fathom {

// A size with a name. The first tensor that mentions it binds it; all others must agree.
class Dim {
public:
    explicit Dim(const char* name) : name_(name) {}
    operator int64_t() const {
        CHECK(value_ >= 0, "Dim ", name_, " is not bound yet");
        return value_;
    }

private:
    friend void expect_shape(const char*, const Tensor&, std::initializer_list<struct DimRef>);
    const char* name_;
    const char* bound_by_ = nullptr;
    int64_t value_ = -1;
};

struct DimRef {
    DimRef(Dim& dim) : dim(&dim) {}
    DimRef(int64_t size) : size(size) {}
    Dim* dim = nullptr;
    int64_t size = -1;
};

// CHECKs rank, sizes and a unit stride in the last dimension.
inline void expect_shape(const char* name, const Tensor& t, std::initializer_list<DimRef> shape) {
    CHECK(t.rank == static_cast<int>(shape.size()), name, " is ", t, ", expected rank ",
          shape.size());
    CHECK(t.rank == 0 || t.stride[t.rank - 1] == 1, name, " is strided in its last dimension");
    int i = 0;
    for (const DimRef& want : shape) {
        const int64_t got = t.shape[i];
        if (want.dim == nullptr) {
            CHECK(got == want.size, name, " is ", t, ": dim ", i, " must be ", want.size);
        } else if (want.dim->value_ < 0) {
            want.dim->value_ = got;
            want.dim->bound_by_ = name;
        } else {
            CHECK(got == want.dim->value_, name, " is ", t, ": dim ", i, " must be ",
                  want.dim->name_, " = ", want.dim->value_, " as in ", want.dim->bound_by_);
        }
        ++i;
    }
}

// The same, and the dtype.
inline void expect(const char* name, const Tensor& t, std::initializer_list<DimRef> shape,
                   DType dtype) {
    CHECK(t.dtype == dtype, name, " is ", t, ", expected ", dtype);
    expect_shape(name, t, shape);
}

// The same for an activation: bf16, or f32 when the model computes without rounding.
inline void expect_activation(const char* name, const Tensor& t,
                              std::initializer_list<DimRef> shape) {
    CHECK(t.dtype == DType::bf16 || t.dtype == DType::f32, name, " is ", t,
          ", expected bf16 or f32");
    expect_shape(name, t, shape);
}

}  // namespace fathom
