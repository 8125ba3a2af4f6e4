#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace fathom {

// The static activation range of one W8A8 linear: x_q = round(x / scale + offset).
struct InputRange {
    std::string module;  // "model.layers.0.self_attn.q_a_proj"
    double scale;
    double offset;  // An integer, -128 .. 127.
};

// The range of inputs from `low` to `high`, and of 0, in 255 steps: scale f32((high - low) / 255),
// offset round(-low / scale) - 128. It reaches to within half a step of both. Where all is 0 the
// scale is 1. REQUIRES: finite, low <= high.
InputRange range_between(std::string module, float low, float high);

// {"module": {"input_scale": s, "input_offset": o}, ...} as in tests/golden/calibration-tiny.json.
Result<std::vector<InputRange>> read_input_ranges(const std::filesystem::path& path);

}  // namespace fathom
