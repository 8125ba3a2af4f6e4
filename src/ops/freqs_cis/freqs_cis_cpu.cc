#include <cmath>

#include "ops/freqs_cis/freqs_cis.h"
#include "tensor/workers.h"

namespace fathom {

// In double, so that the rounding to f32 is the correct one whatever the library's last bits are:
// the table is the same on every machine.
void cpu::freqs_cis(Stream& s, Tensor cis, Tensor positions, Tensor inv_freq) {
    const int64_t half = inv_freq.dim(0);
    const auto* freq = inv_freq.as<float>();
    s.workers->parallel_for(cis.dim(0), 8, [&](int64_t begin, int64_t end, int) {
        for (int64_t t = begin; t < end; ++t) {
            const int32_t position = positions.as<int32_t>()[t];
            CHECK(position >= 0, "position ", position, " of token ", t);
            float* out = cis.as<float>() + t * half * 2;
            for (int64_t i = 0; i < half; ++i) {
                const double angle = static_cast<float>(position) * freq[i];
                out[2 * i] = static_cast<float>(std::cos(angle));
                out[2 * i + 1] = static_cast<float>(std::sin(angle));
            }
        }
    });
}

}  // namespace fathom
