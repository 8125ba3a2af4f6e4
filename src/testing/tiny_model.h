#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kv/kv_cache.h"
#include "model/model_step.h"
#include "testing/cpu_stream.h"

namespace fathom::testing {

// How a model computes; the variants of tests/golden (docs/numerics.md).
struct Numerics {
    DType dtype = DType::bf16;
    LatentFormat latent = LatentFormat::fp8;
    IndexFormat index = IndexFormat::fp8;
};
inline constexpr Numerics kPlain{DType::f32, LatentFormat::f32, IndexFormat::f32};
inline constexpr Numerics kRounded{DType::bf16, LatentFormat::bf16, IndexFormat::bf16};
inline constexpr Numerics kExactFp8{DType::bf16, LatentFormat::fp8, IndexFormat::fp8};

// A tiny checkpoint, loaded, with a cache: everything that a test of the model needs.
class TinyModel {
public:
    // preset: reference | wide; format: bf16 | fp8 | w8a8.
    TinyModel(const std::string& preset, const std::string& format, Numerics numerics,
              int block_tokens = 64, int threads = 2);

    // The checkpoint in a folder, whose sizes are those of a preset.
    TinyModel(const std::filesystem::path& folder, Numerics numerics, int block_tokens = 64,
              int threads = 2);

    // The blocks of sequence i of a test: as many as the longest needs, none shared.
    std::vector<int32_t> blocks(int i) const;

    const ModelArgs args;
    const Numerics numerics;
    const Limits limits;
    CpuStream stream;
    std::unique_ptr<Transformer> model;
    KvCache kv;
    ModelStep step;
};

// Runs tokens [computed, all) of sequence `i` in chunks; -> the logits after the last token.
std::vector<float> run_chunked(TinyModel& m, const std::vector<Token>& tokens, int computed,
                               int chunk, int i = 0);

}  // namespace fathom::testing
