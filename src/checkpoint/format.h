#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fathom {

// How the linears of a checkpoint are stored.
//   bf16  as trained, model*.safetensors
//   fp8   e4m3 with an f32 scale per 128x128 block (weight_scale_inv), as DeepSeek publishes
//   w8a8  int8, quant_model_weights*.safetensors; quant_model_description.json says how each
//         tensor is stored (Ascend's msmodelslim)
enum class CheckpointFormat : uint8_t { bf16, fp8, w8a8 };

inline const char* name_of(CheckpointFormat format) {
    constexpr const char* kNames[] = {"bf16", "fp8", "w8a8"};
    return kNames[static_cast<int>(format)];
}
inline std::optional<CheckpointFormat> format_named(std::string_view name) {
    for (const auto format :
         {CheckpointFormat::bf16, CheckpointFormat::fp8, CheckpointFormat::w8a8})
        if (name == name_of(format)) return format;
    return std::nullopt;
}

}  // namespace fathom
