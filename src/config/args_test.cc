#include "config/args.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace fathom {
namespace {

using Json = nlohmann::json;

// The sizes of deepseek-ai/DeepSeek-V3.2.
Json real_config() {
    return Json::parse(R"({
        "architectures": ["DeepseekV32ForCausalLM"], "model_type": "deepseek_v32",
        "attention_bias": false, "bos_token_id": 0, "eos_token_id": 1, "first_k_dense_replace": 3,
        "hidden_act": "silu", "hidden_size": 7168, "index_head_dim": 128, "index_n_heads": 64,
        "index_topk": 2048, "intermediate_size": 18432, "kv_lora_rank": 512,
        "max_position_embeddings": 163840, "moe_intermediate_size": 2048, "moe_layer_freq": 1,
        "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1, "norm_topk_prob": true,
        "num_attention_heads": 128, "num_experts_per_tok": 8, "num_hidden_layers": 61,
        "num_nextn_predict_layers": 1, "q_lora_rank": 1536, "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06, "rope_theta": 10000,
        "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0,
            "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096, "type": "yarn"},
        "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "tie_word_embeddings": false,
        "topk_group": 4, "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 129280,
        "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3",
            "quant_method": "fp8", "scale_fmt": "ue8m0", "weight_block_size": [128, 128]}})");
}

class Args : public ::testing::Test {
protected:
    void SetUp() override {
        folder_ = std::filesystem::temp_directory_path() /
                  str("fathom-args-", ::getpid(), "-",
                      ::testing::UnitTest::GetInstance()->current_test_info()->name());
        std::filesystem::create_directories(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    Result<ModelArgs> load_text(const std::string& text) {
        std::ofstream(folder_ / "config.json") << text;
        return load_model_args(folder_);
    }
    Result<ModelArgs> load(const Json& json) { return load_text(json.dump()); }
    // "" when it loads.
    std::string error_with(const std::string& pointer, const Json& value) {
        Json json = real_config();
        json[Json::json_pointer(pointer)] = value;
        const Result<ModelArgs> args = load(json);
        return args.ok() ? "" : args.error().message;
    }
    std::string error_without(const std::string& key) {
        Json json = real_config();
        json.erase(key);
        const Result<ModelArgs> args = load(json);
        return args.ok() ? "" : args.error().message;
    }

    std::filesystem::path folder_;
};

TEST_F(Args, ReadsEverySize) {
    // No number occurs twice, so a field that is read from another's key is seen.
    Json json = real_config();
    const std::pair<const char*, int> sizes[] = {{"vocab_size", 1001},
                                                 {"hidden_size", 1152},
                                                 {"intermediate_size", 1280},
                                                 {"num_hidden_layers", 17},
                                                 {"moe_intermediate_size", 384},
                                                 {"first_k_dense_replace", 2},
                                                 {"num_attention_heads", 6},
                                                 {"max_position_embeddings", 5000},
                                                 {"n_routed_experts", 60},
                                                 {"n_shared_experts", 4},
                                                 {"num_experts_per_tok", 9},
                                                 {"n_group", 10},
                                                 {"topk_group", 7},
                                                 {"q_lora_rank", 896},
                                                 {"kv_lora_rank", 640},
                                                 {"qk_nope_head_dim", 96},
                                                 {"qk_rope_head_dim", 30},
                                                 {"v_head_dim", 64},
                                                 {"index_n_heads", 5},
                                                 {"index_head_dim", 32},
                                                 {"index_topk", 100},
                                                 {"bos_token_id", 11},
                                                 {"eos_token_id", 12}};
    for (const auto& [key, value] : sizes) json[key] = value;
    Result<ModelArgs> loaded = load(json);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    const ModelArgs& a = loaded.value();
    const int got[] = {a.vocab_size,
                       a.dim,
                       a.inter_dim,
                       a.n_layers,
                       a.moe_inter_dim,
                       a.n_dense_layers,
                       a.n_heads,
                       a.max_position,
                       a.n_routed_experts,
                       a.n_shared_experts,
                       a.n_activated_experts,
                       a.n_expert_groups,
                       a.n_limited_groups,
                       a.q_lora_rank,
                       a.kv_lora_rank,
                       a.qk_nope_head_dim,
                       a.qk_rope_head_dim,
                       a.v_head_dim,
                       a.index_n_heads,
                       a.index_head_dim,
                       a.index_topk,
                       a.bos_token_id,
                       a.eos_token_id};
    for (size_t i = 0; i < std::size(got); ++i)
        EXPECT_EQ(got[i], sizes[i].second) << sizes[i].first;
}

TEST_F(Args, ReadsNumbersThatAreNoSizes) {
    Json json = real_config();
    json["num_nextn_predict_layers"] = 0;
    json["rms_norm_eps"] = 1e-5;
    json["routed_scaling_factor"] = 1.5;
    json["rope_theta"] = 50000.0;
    json["rope_scaling"] = {{"beta_fast", 31},
                            {"beta_slow", 2},
                            {"factor", 8.0},
                            {"mscale", 0.5},
                            {"mscale_all_dim", 0.5},
                            {"type", "yarn"},
                            {"original_max_position_embeddings", 2048}};
    Result<ModelArgs> loaded = load(json);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    const ModelArgs& a = loaded.value();
    EXPECT_EQ(a.n_mtp_layers, 0);
    EXPECT_EQ(a.norm_eps, 1e-5f);
    EXPECT_EQ(a.route_scale, 1.5f);
    EXPECT_EQ(a.rope_theta, 50000.0f);
    EXPECT_EQ(a.rope_factor, 8);
    EXPECT_EQ(a.beta_fast, 31);
    EXPECT_EQ(a.beta_slow, 2);
    EXPECT_EQ(a.mscale_all_dim, 0.5f);
    EXPECT_EQ(a.original_seq_len, 2048);
    EXPECT_TRUE(a.fp8_blocks);
}

TEST_F(Args, DefaultsAreTheRealModel) {
    Result<ModelArgs> loaded = load(real_config());
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    const ModelArgs defaults;
    EXPECT_EQ(loaded.value().dim, defaults.dim);
    EXPECT_EQ(loaded.value().n_routed_experts, defaults.n_routed_experts);
    EXPECT_EQ(loaded.value().rope_factor, defaults.rope_factor);
    EXPECT_EQ(loaded.value().vocab_size, defaults.vocab_size);
}

TEST_F(Args, FormsThatAreLegal) {
    EXPECT_EQ(error_without("quantization_config"), "");
    EXPECT_EQ(error_with("/quantization_config", nullptr), "");
    EXPECT_EQ(error_with("/rope_scaling", nullptr), "");
    EXPECT_EQ(load_model_args(folder_).value().rope_factor, 1);
    EXPECT_EQ(error_with("/eos_token_id", Json::array({7, 8})), "");
    EXPECT_EQ(load_model_args(folder_).value().eos_token_id, 7);

    Json json = real_config();
    json["rope_parameters"] = json["rope_scaling"];
    json["rope_parameters"]["rope_theta"] = 20000;
    json["rope_parameters"]["rope_type"] = "yarn";
    for (const char* key : {"rope_scaling", "rope_theta"}) json.erase(key);
    json["rope_parameters"].erase("type");
    Result<ModelArgs> newer = load(json);
    ASSERT_TRUE(newer.ok()) << newer.error().message;
    EXPECT_EQ(newer.value().rope_theta, 20000);
    EXPECT_EQ(newer.value().rope_factor, 40);
}

TEST_F(Args, NoFolderNoFileNoJson) {
    const Result<ModelArgs> none = load_model_args(folder_ / "absent");
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.error().code, Code::not_found);
    EXPECT_NE(none.error().message.find("absent is not a folder"), std::string::npos);
    const Result<ModelArgs> empty = load_model_args(folder_);
    ASSERT_FALSE(empty.ok());
    EXPECT_NE(empty.error().message.find("has no config.json"), std::string::npos);
    for (const char* text : {"", "{", "[]", "3", "{\"a\": 1,}"}) {
        const Result<ModelArgs> args = load_text(text);
        ASSERT_FALSE(args.ok()) << text;
        EXPECT_NE(args.error().message.find("not a JSON object"), std::string::npos) << text;
    }
    EXPECT_FALSE(load_text(std::string(100000, '[')).ok());
}

// Each names its key and the value that it found.
TEST_F(Args, RefusesWhatV32DoesNotHave) {
    const std::tuple<const char*, Json, const char*> cases[] = {
        {"/model_type", "deepseek_v3", "model_type is \"deepseek_v3\""},
        {"/architectures", Json::array({"LlamaForCausalLM"}), "architectures is [\"LlamaFor"},
        {"/architectures", 3, "architectures is 3"},
        {"/scoring_func", "softmax", "scoring_func is \"softmax\""},
        {"/topk_method", "greedy", "topk_method is \"greedy\""},
        {"/hidden_act", "gelu", "hidden_act is \"gelu\""},
        {"/moe_layer_freq", 2, "moe_layer_freq is 2"},
        {"/norm_topk_prob", false, "norm_topk_prob is false"},
        {"/attention_bias", true, "attention_bias is true"},
        {"/tie_word_embeddings", true, "tie_word_embeddings is true"},
        {"/rope_scaling/type", "linear", "has type \"linear\""},
        {"/rope_scaling", "yarn", "rope_scaling is \"yarn\""},
        {"/rope_scaling/factor", 0.5, "factor is 0.5"},
        {"/rope_scaling/mscale", 0.5, "mscale is 0.5"},
        {"/quantization_config/quant_method", "gptq", "quant_method is \"gptq\""},
        {"/quantization_config/fmt", "e5m2", "fmt is \"e5m2\""},
        {"/quantization_config/activation_scheme", "static", "activation_scheme is \"static\""},
        {"/quantization_config/weight_block_size", Json::array({64, 128}),
         "weight_block_size is [64,128]"},
        {"/quantization_config/scale_fmt", "float", "scale_fmt is \"float\""},
        {"/quantization_config/scale_fmt", nullptr, "scale_fmt is null"},
        {"/quantization_config", 8, "quantization_config is 8"}};
    for (const auto& [pointer, value, want] : cases)
        EXPECT_NE(error_with(pointer, value).find(want), std::string::npos)
            << pointer << ": " << error_with(pointer, value);
}

TEST_F(Args, RefusesSizesThatDoNotFit) {
    const std::tuple<const char*, Json, const char*> cases[] = {
        {"/n_routed_experts", 250, "n_routed_experts is 250"},
        {"/n_routed_experts", 8, "at least 2 experts"},
        {"/topk_group", 9, "topk_group is 9"},
        {"/num_experts_per_tok", 129, "num_experts_per_tok is 129"},
        {"/first_k_dense_replace", 62, "first_k_dense_replace is 62"},
        {"/qk_rope_head_dim", 63, "qk_rope_head_dim is 63"},
        {"/qk_rope_head_dim", 256, "expected at least qk_rope_head_dim = 256"},
        {"/kv_lora_rank", 500, "kv_lora_rank is 500"},
        {"/index_head_dim", 96, "index_head_dim is 96"},
        {"/index_topk", 0, "index_topk is 0"},
        {"/hidden_size", -1, "hidden_size is -1"},
        {"/hidden_size", 7000.5, "hidden_size is 7000.5"},
        {"/hidden_size", "7168", "hidden_size is \"7168\""},
        {"/hidden_size", 18446744073709551615u, "hidden_size is 18446744073709551615"},
        {"/hidden_size", 7100, "hidden_size is 7100; expected a multiple of 128"},
        {"/v_head_dim", 65536, "num_attention_heads is 128 of 65664"},
        {"/index_n_heads", 4097, "index_n_heads is 4097"},
        {"/num_nextn_predict_layers", 2, "num_nextn_predict_layers is 2"},
        {"/eos_token_id", 129280, "eos_token_id is 129280"},
        {"/bos_token_id", -1, "bos_token_id is -1"},
        {"/rms_norm_eps", 0, "rms_norm_eps is 0"},
        {"/rope_theta", -5, "rope_theta is -5"},
        {"/routed_scaling_factor", "2", "routed_scaling_factor is \"2\""}};
    for (const auto& [pointer, value, want] : cases)
        EXPECT_NE(error_with(pointer, value).find(want), std::string::npos)
            << pointer << ": " << error_with(pointer, value);
}

TEST_F(Args, RefusesMissingSizes) {
    const Json config = real_config();
    for (const auto& [key, value] : config.items()) {
        const bool optional = key == "bos_token_id" || key == "eos_token_id" ||
                              key == "moe_layer_freq" || !value.is_number();
        if (optional) continue;
        EXPECT_NE(error_without(key).find(key + " is missing"), std::string::npos) << key;
    }
}

}  // namespace
}  // namespace fathom
