#pragma once

#include "kv/kv_cache.h"
#include "model/forward_input.h"
#include "ops/paged_tokens.h"
#include "tensor/stream.h"

namespace fathom {

// Sees intermediate values of a forward pass; for tests and tracing, absent while serving.
class Probe {
public:
    virtual ~Probe() = default;
    // `tensor` is valid during the call only. Names: docs/architecture.md, "Looking inside".
    virtual void see(const char* name, int layer, const Tensor& tensor) = 0;
};

// What every layer needs besides its own weights: passed down, no global context. All tensors are
// the parts in use of one ForwardInput.
struct Forward {
    Forward(Stream& stream, const KvCache& kv, const ForwardInput& in, DType dtype,
            Tensor freqs_cis, Probe* probe = nullptr);

    // A temporary of this step, junk at first; given back by the ArenaScope around it.
    template <class... Sizes>
    Tensor tmp(DType type, Sizes... sizes) const {
        return stream.arena->tmp(type, sizes...);
    }
    void see(const char* name, int layer, const Tensor& tensor) const {
        if (probe != nullptr) probe->see(name, layer, tensor);
    }
    int64_t T() const { return at.positions.dim(0); }

    Stream& stream;
    const KvCache& kv;
    const DType dtype;      // Of activations: bf16, or f32 to compute without rounding.
    const int64_t longest;  // The longest context of the step, in tokens.
    const PagedTokens at;
    const Tensor slots;      // i32 [T]
    const Tensor freqs_cis;  // f32 [T, qk_rope_head_dim / 2, 2]
    Probe* const probe;
};

}  // namespace fathom
