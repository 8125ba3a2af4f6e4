#include <iterator>
#include <span>

#include "checkpoint/tiny.h"

namespace fathom {
namespace {

constexpr const char* kPresets[] = {"reference", "wide", "bench", "small"};

const InputRange kReferenceRanges[] = {
#include "checkpoint/data/reference_ranges.inc"
};

struct Size {
    const char* key;
    int value;
};

// The heads, ranks and widths that kernels are compiled for stay the real model's.
constexpr Size kTiny[] = {
    {"hidden_size", 256},
    {"intermediate_size", 512},
    {"moe_intermediate_size", 128},
    {"num_hidden_layers", 3},
    {"first_k_dense_replace", 1},
    {"num_attention_heads", 4},
    {"q_lora_rank", 128},
    {"index_n_heads", 16},
    {"index_topk", 64},
    {"n_routed_experts", 16},
    {"n_group", 4},
    {"topk_group", 2},
    {"num_experts_per_tok", 4},
    {"vocab_size", 512},
};
// What differs from kTiny: the numbers of heads that the real model has on a rank, and its groups.
constexpr Size kWide[] = {
    {"num_attention_heads", 16}, {"index_n_heads", 64}, {"index_topk", 128},
    {"n_routed_experts", 32},    {"n_group", 8},        {"topk_group", 4},
    {"num_experts_per_tok", 8},
};
constexpr Size kBench[] = {
    {"hidden_size", 1536},    {"intermediate_size", 3072},  {"moe_intermediate_size", 256},
    {"num_hidden_layers", 8}, {"first_k_dense_replace", 1}, {"num_attention_heads", 16},
    {"q_lora_rank", 512},     {"n_routed_experts", 32},     {"n_group", 8},
    {"topk_group", 4},        {"num_experts_per_tok", 8},   {"vocab_size", 16384},
};

void change(TinyRecipe* recipe, std::span<const Size> sizes) {
    for (const auto& [key, value] : sizes) recipe->sizes.emplace_back(key, value);
}

}  // namespace

std::span<const char* const> tiny_preset_names() { return kPresets; }

std::optional<TinyRecipe> tiny_preset(std::string_view name) {
    TinyRecipe recipe;
    if (name == "bench") {
        change(&recipe, kBench);
    } else {
        change(&recipe, kTiny);
    }
    if (name == "reference") {
        recipe.seed = 20251201;
        recipe.ranges.assign(std::begin(kReferenceRanges), std::end(kReferenceRanges));
    } else if (name == "wide") {
        recipe.seed = 20251202;
        change(&recipe, kWide);
    } else if (name == "bench") {
        recipe.seed = 20251203;
        recipe.files = 4;
    } else if (name == "small") {
        recipe.seed = 20251204;
        recipe.format = CheckpointFormat::fp8;
        recipe.files = 1;
    } else {
        return std::nullopt;
    }
    return recipe;
}

}  // namespace fathom
