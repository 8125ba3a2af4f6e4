#include "ops/mask_bias/mask_bias.h"

#include <cmath>

#include "tensor/expect.h"

namespace fathom {

void ops::mask_bias(Stream& s, Tensor logits, std::span<const uint32_t> allowed,
                    std::span<const Token> masked, std::span<const std::pair<Token, float>> bias) {
    Dim V("V");
    expect("logits", logits, {V}, DType::f32);
    CHECK(allowed.empty() || std::ssize(allowed) == (V + 31) / 32, allowed.size(), " words for ", V,
          " logits");
    for (const Token id : masked) CHECK(0 <= id && id < V, "masked ", id, " of ", V);
    for (const auto& [id, value] : bias)
        CHECK(0 <= id && id < V && std::isfinite(value), "bias ", value, " of ", id, " of ", V);

    switch (s.device) {
        case Device::cpu: return cpu::mask_bias(s, logits, allowed, masked, bias);
        case Device::cuda: return cuda::mask_bias(s, logits, allowed, masked, bias);
    }
}

}  // namespace fathom
