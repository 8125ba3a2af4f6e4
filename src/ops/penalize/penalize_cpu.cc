#include "ops/penalize/penalize.h"

namespace fathom {
namespace {

// One number per id of the vocabulary, of which only those of a request's tokens are ever set: no
// pass over the vocabulary.
struct Counts {
    int32_t* of;
    int64_t V;

    void clear(std::span<const Token> tokens) const {
        for (const Token id : tokens) {
            CHECK(0 <= id && id < V, "token ", id, " of ", V);
            of[id] = 0;
        }
    }
    void add(std::span<const Token> tokens) const {
        for (const Token id : tokens) ++of[id];
    }
    // Calls f(id, count) for each different id once.
    template <class F>
    void take(std::span<const Token> tokens, F f) const {
        for (const Token id : tokens) {
            if (of[id] == 0) continue;
            f(id, of[id]);
            of[id] = 0;
        }
    }
};

}  // namespace

void cpu::penalize(Stream& s, Tensor logits, std::span<const Token> prompt,
                   std::span<const Token> output, Penalties penalties) {
    const int64_t V = logits.dim(0);
    auto* logit = logits.as<float>();
    ArenaScope scope(*s.arena);
    const Counts counts{s.arena->tmp(DType::i32, V).as<int32_t>(), V};
    if (penalties.repetition != 1) {
        const auto divide = [&](Token id, int32_t) {
            const float v = logit[id];
            logit[id] = v > 0 ? v / penalties.repetition : v * penalties.repetition;
        };
        counts.clear(prompt);
        counts.clear(output);
        counts.add(prompt);
        counts.add(output);
        counts.take(prompt, divide);
        counts.take(output, divide);
    }
    if (penalties.frequency != 0 || penalties.presence != 0) {
        counts.clear(output);
        counts.add(output);
        counts.take(output, [&](Token id, int32_t count) {
            logit[id] -= penalties.frequency * static_cast<float>(count);
            logit[id] -= penalties.presence;
        });
    }
}

}  // namespace fathom
