#include <algorithm>
#include <limits>
#include <span>

#include "ops/moe_gate/moe_gate.h"
#include "ops/rows.h"
#include "ops/vec8.h"

namespace fathom {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// The largest values seen so far, best first; of equal ones the first seen. NaN counts as the
// lowest, so that `size` offers always leave `size` valid ids.
struct Best {
    float* values;
    int32_t* ids;
    int size;
    int count = 0;

    void offer(float v, int32_t id) {
        if (v != v) v = kLowest;
        if (count == size && !(v > values[size - 1])) return;
        int at = count < size ? count++ : size - 1;
        for (; at > 0 && v > values[at - 1]; --at) {
            values[at] = values[at - 1];
            ids[at] = ids[at - 1];
        }
        values[at] = v;
        ids[at] = id;
    }
};

// The sum of the two best of `size` experts; the best if there is one.
float group_score(const float* choice, int size) {
    float first = kLowest, second = kLowest;
    for (int i = 0; i < size; ++i) {
        const float v = choice[i];
        second = v > first ? first : (v > second ? v : second);
        first = v > first ? v : first;
    }
    return size == 1 ? first : first + second;
}

// Memory of one worker: the experts' scores, with and without bias, and two lists of the best.
struct Scratch {
    float *scores, *choice, *values;
    int32_t* groups;

    Scratch(std::span<std::byte> bytes, int64_t E, int64_t K) {
        CHECK((4 * E + K) * int64_t{sizeof(float)} <= std::ssize(bytes), E, " experts");
        scores = reinterpret_cast<float*>(bytes.data());
        choice = scores + E;
        groups = reinterpret_cast<int32_t*>(choice + E);
        values = choice + 2 * E;
    }
};

void choose(const Scratch& m, int E, int K, GateArgs args, float* weights, int32_t* experts) {
    const int size = E / args.groups;
    Best groups{.values = m.values, .ids = m.groups, .size = args.topk_groups};
    for (int g = 0; g < args.groups; ++g) groups.offer(group_score(m.choice + g * size, size), g);
    // Ascending, so that of equal experts the lower is offered first.
    std::sort(m.groups, m.groups + args.topk_groups);

    Best best{.values = m.values, .ids = experts, .size = K};
    for (int i = 0; i < args.topk_groups; ++i)
        for (int e = m.groups[i] * size; e < (m.groups[i] + 1) * size; ++e)
            best.offer(m.choice[e], e);

    float sum = 0;
    for (int k = 0; k < K; ++k) sum += m.scores[experts[k]];
    for (int k = 0; k < K; ++k) weights[k] = m.scores[experts[k]] / sum * args.route_scale;
}

}  // namespace

void cpu::moe_gate(Stream& s, Tensor weights, Tensor experts, Tensor logits, Tensor bias,
                   GateArgs args) {
    const auto E = static_cast<int>(logits.dim(1)), K = static_cast<int>(weights.dim(1));
    const auto* b = bias.as<float>();
    s.workers->parallel_for(logits.dim(0), 8, [&](int64_t begin, int64_t end, int worker) {
        const Scratch m(s.workers->scratch(worker), E, K);
        for (int64_t t = begin; t < end; ++t) {
            const float* in = row<float>(logits, t);
            vec8::for_each(E, [&](int64_t e, int64_t n) {
                const __m256 score = vec8::sigmoid(vec8::load(in + e, n));
                vec8::store(m.scores + e, score, n);
                vec8::store(m.choice + e, _mm256_add_ps(score, vec8::load(b + e, n)), n);
            });
            choose(m, E, K, args, row<float>(weights, t), row<int32_t>(experts, t));
        }
    });
}

}  // namespace fathom
