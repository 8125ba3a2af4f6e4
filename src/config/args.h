#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace fathom {

// ModelArgs of inference/model.py, with its names, read from Hugging Face's config.json. Every size
// of the model comes from here; defaults are deepseek-ai/DeepSeek-V3.2's.
struct ModelArgs {
    int vocab_size = 129280;
    int dim = 7168;             // hidden_size
    int inter_dim = 18432;      // intermediate_size
    int moe_inter_dim = 2048;   // moe_intermediate_size
    int n_layers = 61;          // num_hidden_layers
    int n_dense_layers = 3;     // first_k_dense_replace
    int n_mtp_layers = 1;       // num_nextn_predict_layers
    int n_heads = 128;          // num_attention_heads
    float norm_eps = 1e-6f;     // rms_norm_eps
    int max_position = 163840;  // max_position_embeddings

    // Mixture of experts
    int n_routed_experts = 256;
    int n_shared_experts = 1;
    int n_activated_experts = 8;  // num_experts_per_tok
    int n_expert_groups = 8;      // n_group
    int n_limited_groups = 4;     // topk_group
    float route_scale = 2.5f;     // routed_scaling_factor

    // Multi-head latent attention
    int q_lora_rank = 1536;
    int kv_lora_rank = 512;
    int qk_nope_head_dim = 128;
    int qk_rope_head_dim = 64;
    int v_head_dim = 128;

    // YaRN (rope_scaling); factor 1 means none
    float rope_theta = 10000;
    float rope_factor = 40;
    int original_seq_len = 4096;  // original_max_position_embeddings
    float beta_fast = 32, beta_slow = 1;
    float mscale_all_dim = 1;

    // Lightning indexer
    int index_n_heads = 64;
    int index_head_dim = 128;
    int index_topk = 2048;

    int bos_token_id = 0, eos_token_id = 1;

    // quantization_config: linears may be e4m3 with one scale per 128x128 (weight_scale_inv). The
    // tensors themselves say which are (checkpoint/names.h).
    bool fp8_blocks = false;

    int qk_head_dim() const { return qk_nope_head_dim + qk_rope_head_dim; }
    // The MTP layer is layer n_layers; it is counted here.
    int n_all_layers() const { return n_layers + n_mtp_layers; }
    bool is_dense(int layer) const { return layer < n_dense_layers; }
};

// Reads the text of a config.json, or FOLDER/config.json. Errors (one sentence with the value and
// the remedy): no such file; not JSON; another architecture; a size that is missing, out of range
// or that does not divide as the model needs; scoring, rope, activation or quantization that V3.2
// does not have. Names as in
// https://huggingface.co/deepseek-ai/DeepSeek-V3.2/blob/main/config.json; rope_parameters and
// rope_type, as newer transformers write them, are read too.
Result<ModelArgs> parse_model_args(std::string_view text);
Result<ModelArgs> load_model_args(const std::filesystem::path& folder);

}  // namespace fathom
