#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fathom {
namespace {

// The dimension whose pair turns `turns` times within original_seq_len.
double dimension_of(double turns, const ModelArgs& args) {
    return args.qk_rope_head_dim *
           std::log(args.original_seq_len / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(static_cast<double>(args.rope_theta)));
}

}  // namespace

std::vector<float> rope_frequencies(const ModelArgs& args) {
    const int pairs = args.qk_rope_head_dim / 2;
    const double low = std::max(std::floor(dimension_of(args.beta_fast, args)), 0.0);
    const double high =
        std::min(std::ceil(dimension_of(args.beta_slow, args)), args.qk_rope_head_dim - 1.0);
    const double width = high > low ? high - low : 0.001;

    std::vector<float> frequencies(pairs);
    for (int i = 0; i < pairs; ++i) {
        const float exponent =
            static_cast<float>(2 * i) / static_cast<float>(args.qk_rope_head_dim);
        const float plain = 1.0f / std::pow(args.rope_theta, exponent);
        if (args.rope_factor == 1) {
            frequencies[i] = plain;
            continue;
        }
        const float ramp = std::clamp(
            (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(width), 0.0f,
            1.0f);
        const float smooth = 1.0f - ramp;
        frequencies[i] = plain / args.rope_factor * (1.0f - smooth) + plain * smooth;
    }
    return frequencies;
}

float softmax_scale(const ModelArgs& args) {
    const double mscale = 0.1 * args.mscale_all_dim * std::log(args.rope_factor) + 1.0;
    return static_cast<float>(mscale * mscale / std::sqrt(args.qk_head_dim()));
}

}  // namespace fathom
