#pragma once

#include <vector>

#include "config/args.h"

namespace fathom {

// The angle per position of each pair of the rotated dimensions, [qk_rope_head_dim / 2], with YaRN:
// frequencies that turn often within original_seq_len stay, slow ones are divided by rope_factor, a
// ramp between beta_fast and beta_slow turns connects them. Each step in f32, as
// precompute_freqs_cis of inference/model.py; config.json alone decides, not the context in use.
std::vector<float> rope_frequencies(const ModelArgs& args);

// (qk_head_dim)^-0.5 * mscale^2, mscale = 0.1 * mscale_all_dim * ln(rope_factor) + 1: YaRN's
// correction of the attention temperature. MLA.__init__ of inference/model.py.
float softmax_scale(const ModelArgs& args);

}  // namespace fathom
