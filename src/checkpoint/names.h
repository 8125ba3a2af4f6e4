#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/args.h"

namespace fathom {

// What a tensor is for; `fathom inspect` sums bytes by it.
enum class Part : uint8_t {
    embedding,
    attention,
    indexer,
    dense_mlp,
    router,
    experts,
    shared_experts,
    norms,
    head,
};
inline constexpr int kParts = 9;
const char* name_of(Part part);

// How a tensor may be stored.
enum class Store : uint8_t {
    linear,  // bf16, or quantized: e4m3 blocks or int8
    plain,   // bf16
    f32,     // f32 or bf16: small vectors whose dtype differs between checkpoints
};

// A tensor of the model by its Hugging Face name, before any quantization.
struct ExpectedTensor {
    std::string name;
    std::vector<int64_t> shape;
    Part part;
    Store store;
    bool mtp = false;  // Of the layer that predicts the token after the next.
};

// Every tensor of a checkpoint, in the order of the layers. The MTP layer, if any, is layer
// n_layers and brings its own embed_tokens and shared_head (model.py and convert.py of
// DeepSeek-V3.2 skip it; the names are those of the published files).
std::vector<ExpectedTensor> expected_tensors(const ModelArgs& args);

// Names that a checkpoint may have beside those, and that mean nothing here.
bool is_known_extra(std::string_view name);

// "a.b.weight" -> "a.b"; REQUIRES: the name ends in ".weight".
std::string_view module_of(std::string_view weight_name);

}  // namespace fathom
