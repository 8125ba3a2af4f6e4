#pragma once

#include "model/forward.h"
#include "tensor/linear.h"

namespace fathom {

// w2(silu(w1(x)) * w3(x)). MLP of inference/model.py: the first layers, and the shared expert.
class MLP {
public:
    struct Weights {
        Linear w1, w3;  // [inter, dim]: gate_proj, up_proj
        Linear w2;      // [dim, inter]: down_proj
    };
    explicit MLP(const Weights& weights) : w_(weights) {}

    // out, x: [T, dim]; out may be x.
    void forward(const Forward& f, Tensor out, Tensor x) const;

private:
    const Weights w_;
};

}  // namespace fathom
