#pragma once

#include <string>
#include <string_view>

namespace fathom {

// The text of a config.json with the quantization_config of DeepSeek's FP8 checkpoints (e4m3,
// 128x128 blocks, scales that are powers of two), or without any. All else stays, in its order, as
// Python's json.dump(indent=2) would write it. REQUIRES: a JSON object.
std::string with_fp8_blocks(std::string_view config_json);
std::string without_quantization(std::string_view config_json);

}  // namespace fathom
