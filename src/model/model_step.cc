#include "model/model_step.h"

#include "ops/gather_rows/gather_rows.h"

namespace fathom {

ModelStep::ModelStep(const Transformer& model, const KvCache& kv, Stream& stream,
                     const Limits& limits, DType dtype)
    : model_(model),
      kv_(kv),
      stream_(stream),
      dtype_(dtype),
      memory_(Buffer::host(ForwardInput::bytes(limits))),
      in_(memory_.data(), limits) {}

Tensor ModelStep::run(std::span<const SequencePart> parts, Probe* probe) {
    Arena& arena = *stream_.arena;
    arena.rewind(0);
    fill_input(in_, parts);
    const int64_t T = in_.num_tokens(), R = in_.num_logits(), dim = model_.args().dim;
    Tensor logits = arena.tmp(DType::f32, R, int64_t{model_.args().vocab_size});
    ArenaScope scope(arena);

    const Forward f(stream_, kv_, in_, dtype_, model_.freqs_cis(stream_, in_), probe);
    Tensor x = f.tmp(dtype_, T, dim), residual = f.tmp(dtype_, T, dim);
    model_.forward(f, in_.tokens.rows(0, T), x, residual);

    // Only these rows go on: norm and head cost nothing for the rest of a prompt.
    const Tensor rows = in_.logits_rows.rows(0, R);
    Tensor last_x = f.tmp(dtype_, R, dim), last_residual = f.tmp(dtype_, R, dim);
    ops::gather_rows(stream_, last_x, x, rows);
    ops::gather_rows(stream_, last_residual, residual, rows);
    model_.hidden(f, last_x, last_x, last_residual);
    f.see("final_norm", model_.args().n_layers, last_x);
    model_.logits(f, logits, last_x);
    return logits;
}

}  // namespace fathom
