#include "ops/freqs_cis/freqs_cis.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::freqs_cis(Stream& s, Tensor cis, Tensor positions, Tensor inv_freq) {
    Dim T("T"), half("R/2");
    expect("positions", positions, {T}, DType::i32);
    expect("inv_freq", inv_freq, {half}, DType::f32);
    expect("cis", cis, {T, half, 2}, DType::f32);
    CHECK(cis.is_contiguous(), "cis is strided");

    if (T == 0) return;
    const trace::Span span("freqs_cis");
    switch (s.device) {
        case Device::cpu: return cpu::freqs_cis(s, cis, positions, inv_freq);
        case Device::cuda: return cuda::freqs_cis(s, cis, positions, inv_freq);
    }
}

}  // namespace fathom
