#include "ops/dense_indices/dense_indices.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::dense_indices(Stream& s, Tensor indices, Tensor positions) {
    Dim T("T"), K("K");
    expect("indices", indices, {T, K}, DType::i32);
    expect("positions", positions, {T}, DType::i32);

    if (T == 0) return;
    const trace::Span span("dense_indices");
    switch (s.device) {
        case Device::cpu: return cpu::dense_indices(s, indices, positions);
        case Device::cuda: return cuda::dense_indices(s, indices, positions);
    }
}

}  // namespace fathom
