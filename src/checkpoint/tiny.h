#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "checkpoint/format.h"
#include "checkpoint/input_range.h"

namespace fathom {

// What `fathom tiny` writes: DeepSeek-V3.2's config.json with some sizes changed, and seeded random
// weights (tiny_weights.h).
struct TinyRecipe {
    CheckpointFormat format = CheckpointFormat::bf16;
    uint64_t seed = 0;  // Below 2^32.
    // Keys of config.json and their values; the rest is the real model's. num_key_value_heads
    // follows num_attention_heads.
    std::vector<std::pair<std::string, int>> sizes;
    int files = 2;                 // The weights are cut into so many, at any tensor.
    bool int64_deq_scale = false;  // w8a8: deq_scale as 64-bit integers that hold f32 bits.
    bool quantize_mtp = true;      // w8a8: false leaves the MTP layer in bf16.
    // w8a8. A module that is not here has the range -3.875 .. 4, which normalized activations
    // keep: scale (4 + 3.875) / 255, offset round(3.875 / scale) - 128 = -3.
    std::vector<InputRange> ranges;
    bool overwrite = false;  // Of a checkpoint that is in the folder already.
};

// reference and wide: the checkpoints that tests/golden was made with, byte for byte. bench: about
// 1 GB in bf16 (docs/adr). small: one file, quick to load, fp8. nullopt for another name.
std::optional<TinyRecipe> tiny_preset(std::string_view name);
std::span<const char* const> tiny_preset_names();
// The keys that TinyRecipe::sizes may have.
std::span<const char* const> tiny_size_keys();

// Writes weights, index, tokenizer, and config.json last; makes the folder. Returns the bytes of
// the weights. Memory: some megabytes per thread. Errors: sizes that do not fit together (as
// load_model_args), a folder with other weights in it, no space.
Result<int64_t> write_tiny(const std::filesystem::path& folder, const TinyRecipe& recipe,
                           int threads);

}  // namespace fathom
