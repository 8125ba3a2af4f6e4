#include "model/mlp.h"

#include "ops/linear/linear.h"
#include "ops/silu_mul/silu_mul.h"

namespace fathom {

void MLP::forward(const Forward& f, Tensor out, Tensor x) const {
    Stream& s = f.stream;
    ArenaScope scope(*s.arena);
    Tensor gate = f.tmp(f.dtype, f.T(), w_.w1.N), up = f.tmp(f.dtype, f.T(), w_.w3.N);
    ops::linear(s, gate, x, w_.w1);
    ops::linear(s, up, x, w_.w3);
    ops::silu_mul(s, gate, gate, up);
    ops::linear(s, out, gate, w_.w2);
}

}  // namespace fathom
