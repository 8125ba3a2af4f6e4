#include "ops/penalize/penalize.h"

#include "tensor/expect.h"

namespace fathom {

void ops::penalize(Stream& s, Tensor logits, std::span<const Token> prompt,
                   std::span<const Token> output, Penalties penalties) {
    Dim V("V");
    expect("logits", logits, {V}, DType::f32);
    CHECK(penalties.repetition > 0, "repetition_penalty = ", penalties.repetition);

    switch (s.device) {
        case Device::cpu: return cpu::penalize(s, logits, prompt, output, penalties);
        case Device::cuda: return cuda::penalize(s, logits, prompt, output, penalties);
    }
}

}  // namespace fathom
