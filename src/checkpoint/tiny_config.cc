#include "checkpoint/tiny_config.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "checkpoint/quantization_config.h"

namespace fathom {
namespace {

struct Entry {
    const char* key;
    const char* json;
};

// deepseek-ai/DeepSeek-V3.2's config.json without its quantization_config.
constexpr Entry kV32[] = {
    {"architectures", "[\n    \"DeepseekV32ForCausalLM\"\n  ]"},
    {"attention_bias", "false"},
    {"attention_dropout", "0.0"},
    {"bos_token_id", "0"},
    {"eos_token_id", "1"},
    {"ep_size", "1"},
    {"first_k_dense_replace", "3"},
    {"hidden_act", "\"silu\""},
    {"hidden_size", "7168"},
    {"index_head_dim", "128"},
    {"index_n_heads", "64"},
    {"index_topk", "2048"},
    {"initializer_range", "0.02"},
    {"intermediate_size", "18432"},
    {"kv_lora_rank", "512"},
    {"max_position_embeddings", "163840"},
    {"model_type", "\"deepseek_v32\""},
    {"moe_intermediate_size", "2048"},
    {"moe_layer_freq", "1"},
    {"n_group", "8"},
    {"n_routed_experts", "256"},
    {"n_shared_experts", "1"},
    {"norm_topk_prob", "true"},
    {"num_attention_heads", "128"},
    {"num_experts_per_tok", "8"},
    {"num_hidden_layers", "61"},
    {"num_key_value_heads", "128"},
    {"num_nextn_predict_layers", "1"},
    {"q_lora_rank", "1536"},
    {"qk_nope_head_dim", "128"},
    {"qk_rope_head_dim", "64"},
    {"rms_norm_eps", "1e-06"},
    {"rope_scaling",
     "{\n    \"beta_fast\": 32,\n    \"beta_slow\": 1,\n    \"factor\": 40,\n    \"mscale\": 1.0,\n"
     "    \"mscale_all_dim\": 1.0,\n    \"original_max_position_embeddings\": 4096,\n"
     "    \"type\": \"yarn\"\n  }"},
    {"rope_theta", "10000"},
    {"routed_scaling_factor", "2.5"},
    {"scoring_func", "\"sigmoid\""},
    {"tie_word_embeddings", "false"},
    {"topk_group", "4"},
    {"topk_method", "\"noaux_tc\""},
    {"torch_dtype", "\"bfloat16\""},
    {"transformers_version", "\"4.44.2\""},
    {"use_cache", "true"},
    {"v_head_dim", "128"},
    {"vocab_size", "129280"},
};
constexpr const char* kSizeKeys[] = {
    "hidden_size",
    "intermediate_size",
    "moe_intermediate_size",
    "num_hidden_layers",
    "first_k_dense_replace",
    "num_nextn_predict_layers",
    "num_attention_heads",
    "q_lora_rank",
    "kv_lora_rank",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "v_head_dim",
    "index_n_heads",
    "index_head_dim",
    "index_topk",
    "n_routed_experts",
    "n_shared_experts",
    "num_experts_per_tok",
    "n_group",
    "topk_group",
    "vocab_size",
    "max_position_embeddings",
};

}  // namespace

std::span<const char* const> tiny_size_keys() { return kSizeKeys; }

std::string tiny_config_json(const TinyRecipe& recipe) {
    const auto known = [](const std::string& key) {
        return std::find(std::begin(kSizeKeys), std::end(kSizeKeys), key) != std::end(kSizeKeys);
    };
    for (const auto& [key, value] : recipe.sizes) CHECK(known(key), "size ", key, " = ", value);
    std::string text = "{\n";
    for (const Entry& entry : kV32) {
        const std::string key = entry.key;
        const std::string source = key == "num_key_value_heads" ? "num_attention_heads" : key;
        std::string json = entry.json;
        for (const auto& [changed, value] : recipe.sizes)
            if (changed == source) json = std::to_string(value);
        text += str(text.size() > 2 ? ",\n" : "", "  \"", key, "\": ", json);
    }
    text += "\n}";
    return recipe.format == CheckpointFormat::fp8 ? with_fp8_blocks(text) : text;
}

}  // namespace fathom
