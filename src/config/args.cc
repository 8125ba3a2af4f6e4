#include "config/args.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace fathom {
namespace {

using Json = nlohmann::json;

constexpr int64_t kConfigBytesMax = 1 << 20;
// No size of a config may be larger, so that a product of two fits an int64_t.
constexpr int kSizeMax = 1 << 24;
constexpr int kWidthMax = 1 << 22;  // Heads times their columns.
constexpr int kDepthMax = 16;

Error wrong(std::string message) { return Error{Code::invalid_argument, std::move(message)}; }

struct IntField {
    const char* key;
    int ModelArgs::*field;
    int min, max;
};

constexpr IntField kSizes[] = {
    {"vocab_size", &ModelArgs::vocab_size, 1, kSizeMax},
    {"hidden_size", &ModelArgs::dim, 1, kSizeMax},
    {"intermediate_size", &ModelArgs::inter_dim, 1, kSizeMax},
    {"moe_intermediate_size", &ModelArgs::moe_inter_dim, 1, kSizeMax},
    {"num_hidden_layers", &ModelArgs::n_layers, 1, 1024},
    {"first_k_dense_replace", &ModelArgs::n_dense_layers, 0, 1024},
    {"num_nextn_predict_layers", &ModelArgs::n_mtp_layers, 0, 1},
    {"num_attention_heads", &ModelArgs::n_heads, 1, 4096},
    {"max_position_embeddings", &ModelArgs::max_position, 1, kSizeMax},
    {"n_routed_experts", &ModelArgs::n_routed_experts, 1, 65536},
    {"n_shared_experts", &ModelArgs::n_shared_experts, 1, 64},
    {"num_experts_per_tok", &ModelArgs::n_activated_experts, 1, 1024},
    {"n_group", &ModelArgs::n_expert_groups, 1, 1024},
    {"topk_group", &ModelArgs::n_limited_groups, 1, 1024},
    {"q_lora_rank", &ModelArgs::q_lora_rank, 1, kSizeMax},
    {"kv_lora_rank", &ModelArgs::kv_lora_rank, 1, 65536},
    {"qk_nope_head_dim", &ModelArgs::qk_nope_head_dim, 1, 65536},
    {"qk_rope_head_dim", &ModelArgs::qk_rope_head_dim, 1, 65536},
    {"v_head_dim", &ModelArgs::v_head_dim, 1, 65536},
    {"index_n_heads", &ModelArgs::index_n_heads, 1, 4096},
    {"index_head_dim", &ModelArgs::index_head_dim, 1, 65536},
    {"index_topk", &ModelArgs::index_topk, 1, kSizeMax},
};

// Switches of the architecture that have one legal value. A missing one means that value.
struct Fixed {
    const char* key;
    const char* json;  // The value, as JSON.
};
constexpr Fixed kFixed[] = {
    {"hidden_act", "\"silu\""},       {"scoring_func", "\"sigmoid\""},
    {"topk_method", "\"noaux_tc\""},  {"moe_layer_freq", "1"},
    {"norm_topk_prob", "true"},       {"attention_bias", "false"},
    {"tie_word_embeddings", "false"},
};

Status read_int(const Json& json, const IntField& want, ModelArgs* args) {
    const auto found = json.find(want.key);
    const std::string expected = str("expected an integer from ", want.min, " to ", want.max);
    if (found == json.end()) return wrong(str(want.key, " is missing; ", expected));
    if (!found->is_number_integer())
        return wrong(str(want.key, " is ", found->dump(), "; ", expected));
    const auto value = found->is_number_unsigned() && found->get<uint64_t>() > uint64_t{kSizeMax}
                           ? int64_t{kSizeMax} + 1
                           : found->get<int64_t>();
    if (value < want.min || value > want.max)
        return wrong(str(want.key, " is ", found->dump(), "; ", expected));
    args->*want.field = static_cast<int>(value);
    return Unit{};
}

// A positive finite number; `missing` is what stands for it when the file has none.
Status read_float(const Json& json, const char* key, float* out, bool required) {
    const auto found = json.find(key);
    if (found == json.end()) {
        if (!required) return Unit{};
        return wrong(str(key, " is missing; expected a positive number"));
    }
    const double value = found->is_number() ? found->get<double>() : 0;
    if (!(value > 0 && std::isfinite(static_cast<float>(value))))
        return wrong(str(key, " is ", found->dump(), "; expected a positive number"));
    *out = static_cast<float>(value);
    return Unit{};
}

Status read_token(const Json& json, const char* key, int vocab_size, int* out) {
    auto found = json.find(key);
    if (found == json.end()) return Unit{};
    const Json& value = found->is_array() && !found->empty() ? found->front() : *found;
    if (!value.is_number_unsigned() || value.get<uint64_t>() >= static_cast<uint64_t>(vocab_size))
        return wrong(str(key, " is ", found->dump(),
                         "; expected an id from 0 to vocab_size - 1 = ", vocab_size - 1));
    *out = static_cast<int>(value.get<uint64_t>());
    return Unit{};
}

Status check_architecture(const Json& json) {
    const Json type = json.value("model_type", Json()), names = json.value("architectures", Json());
    if (type != "deepseek_v32")
        return wrong(str("model_type is ", type.dump(),
                         "; fathom serves \"deepseek_v32\" (DeepSeek-V3.2) only"));
    if (!names.is_array() ||
        std::find(names.begin(), names.end(), "DeepseekV32ForCausalLM") == names.end())
        return wrong(str("architectures is ", names.dump(),
                         "; fathom serves [\"DeepseekV32ForCausalLM\"] only"));
    for (const Fixed& want : kFixed) {
        const auto found = json.find(want.key);
        if (found != json.end() && *found != Json::parse(want.json))
            return wrong(str(want.key, " is ", found->dump(), "; DeepSeek-V3.2 has ", want.json,
                             ", and fathom knows no other"));
    }
    return Unit{};
}

Status read_yarn(const Json& rope, ModelArgs* args) {
    for (const auto& [key, out] : {std::pair{"factor", &args->rope_factor},
                                   {"beta_fast", &args->beta_fast},
                                   {"beta_slow", &args->beta_slow},
                                   {"mscale_all_dim", &args->mscale_all_dim}})
        if (Status read = read_float(rope, key, out, true); !read.ok()) return read;
    const IntField original{"original_max_position_embeddings", &ModelArgs::original_seq_len, 1,
                            kSizeMax};
    if (Status read = read_int(rope, original, args); !read.ok()) return read;
    if (args->rope_factor < 1)
        return wrong(str("factor is ", args->rope_factor, "; expected a number from 1 on"));
    float mscale = args->mscale_all_dim;  // Their ratio would scale the rotation itself.
    if (Status read = read_float(rope, "mscale", &mscale, false); !read.ok()) return read;
    if (mscale != args->mscale_all_dim)
        return wrong(str("mscale is ", mscale, " and mscale_all_dim ", args->mscale_all_dim,
                         "; in DeepSeek-V3.2 they are equal, and fathom knows no other"));
    return Unit{};
}

Status read_rope(const Json& json, ModelArgs* args) {
    const bool newer = !json.contains("rope_scaling") && json.contains("rope_parameters");
    const char* key = newer ? "rope_parameters" : "rope_scaling";
    const Json rope = json.value(key, Json());
    if (!rope.is_null() && !rope.is_object())
        return wrong(str(key, " is ", rope.dump(), "; expected an object or null"));
    const bool inside = rope.is_object() && rope.contains("rope_theta");
    Status theta = read_float(inside ? rope : json, "rope_theta", &args->rope_theta, true);
    if (!theta.ok()) return theta;

    const Json type =
        rope.is_null() ? Json("default") : rope.value("type", rope.value("rope_type", Json()));
    if (type == "default") {
        args->rope_factor = 1;
        return Unit{};
    }
    if (type != "yarn")
        return wrong(str(key, " has type ", type.dump(), "; fathom knows \"yarn\" and null"));
    if (Status yarn = read_yarn(rope, args); !yarn.ok()) return std::move(yarn).error().in(key);
    return Unit{};
}

Status read_quantization(const Json& json, ModelArgs* args) {
    const Json config = json.value("quantization_config", Json());
    if (config.is_null()) return Unit{};
    if (!config.is_object())
        return wrong(str("quantization_config is ", config.dump(), "; expected an object"));
    // scale_fmt: V3.2's activations have power-of-two scales; V3's, which say nothing, have not.
    const Fixed required[] = {{"quant_method", "\"fp8\""},
                              {"weight_block_size", "[128,128]"},
                              {"scale_fmt", "\"ue8m0\""}};
    const Fixed optional[] = {{"fmt", "\"e4m3\""}, {"activation_scheme", "\"dynamic\""}};
    const auto differs = [&](const Fixed& want, const Json& missing) {
        return config.value(want.key, missing) != Json::parse(want.json);
    };
    const auto refuse = [&](const char* key, const std::string& legal) {
        return wrong(str("quantization_config: ", key, " is ", config.value(key, Json()).dump(),
                         "; fathom reads ", legal,
                         ", bf16 without a quantization_config, and W8A8 with a "
                         "quant_model_description.json"));
    };
    for (const Fixed& want : required)
        if (differs(want, Json())) return refuse(want.key, want.json);
    for (const Fixed& want : optional)
        if (differs(want, Json::parse(want.json))) return refuse(want.key, want.json);
    args->fp8_blocks = true;
    return Unit{};
}

Status check_experts(const ModelArgs& a) {
    if (a.n_routed_experts % a.n_expert_groups != 0)
        return wrong(str("n_routed_experts is ", a.n_routed_experts,
                         "; n_group = ", a.n_expert_groups, " must divide it"));
    const int group = a.n_routed_experts / a.n_expert_groups;
    if (group < 2)  // A group is judged by the sum of its two best (model.py, Gate).
        return wrong(str("n_routed_experts is ", a.n_routed_experts, " in ", a.n_expert_groups,
                         " groups; a group needs at least 2 experts"));
    if (a.n_limited_groups > a.n_expert_groups)
        return wrong(str("topk_group is ", a.n_limited_groups,
                         "; expected at most n_group = ", a.n_expert_groups));
    if (a.n_activated_experts > a.n_limited_groups * group)
        return wrong(str("num_experts_per_tok is ", a.n_activated_experts, "; ", a.n_limited_groups,
                         " groups of ", group, " experts have only ", a.n_limited_groups * group));
    return Unit{};
}

Status check_sizes(const ModelArgs& a) {
    if (a.n_dense_layers > a.n_layers)
        return wrong(str("first_k_dense_replace is ", a.n_dense_layers,
                         "; expected at most num_hidden_layers = ", a.n_layers));
    if (a.qk_rope_head_dim % 2 != 0)
        return wrong(str("qk_rope_head_dim is ", a.qk_rope_head_dim,
                         "; expected an even number, rotation takes pairs"));
    if (a.kv_lora_rank % 128 != 0)
        return wrong(str("kv_lora_rank is ", a.kv_lora_rank,
                         "; expected a multiple of 128, the cache has a scale per 128"));
    if ((a.index_head_dim & (a.index_head_dim - 1)) != 0)
        return wrong(str("index_head_dim is ", a.index_head_dim,
                         "; expected a power of two, the Hadamard transform needs one"));
    if (a.index_head_dim < a.qk_rope_head_dim)
        return wrong(str("index_head_dim is ", a.index_head_dim,
                         "; expected at least qk_rope_head_dim = ", a.qk_rope_head_dim));
    const int64_t widest = std::max(a.qk_head_dim(), a.qk_nope_head_dim + a.v_head_dim);
    if (a.n_heads * widest > kWidthMax)
        return wrong(str("num_attention_heads is ", a.n_heads, " of ", widest,
                         " columns; expected a product of at most ", kWidthMax));
    if (int64_t{a.index_n_heads} * a.index_head_dim > kWidthMax)
        return wrong(str("index_n_heads is ", a.index_n_heads, " of ", a.index_head_dim,
                         " columns; expected a product of at most ", kWidthMax));
    if (int64_t{a.n_shared_experts} * a.moe_inter_dim > kWidthMax)
        return wrong(str("n_shared_experts is ", a.n_shared_experts, " of ", a.moe_inter_dim,
                         " columns; expected a product of at most ", kWidthMax));
    return Unit{};
}

// act_quant cuts the input of a linear into pieces of 128 (kernel.py asserts it).
Status check_fp8_inputs(const ModelArgs& a) {
    const std::pair<const char*, int> inputs[] = {
        {"hidden_size", a.dim},
        {"q_lora_rank", a.q_lora_rank},
        {"num_attention_heads * v_head_dim", a.n_heads * a.v_head_dim},
        {"intermediate_size", a.inter_dim},
        {"moe_intermediate_size", a.moe_inter_dim}};
    for (const auto& [name, size] : inputs)
        if (a.fp8_blocks && size % 128 != 0)
            return wrong(str(name, " is ", size,
                             "; expected a multiple of 128 with quantization_config fp8"));
    return Unit{};
}

Result<ModelArgs> read(const Json& json) {
    ModelArgs args;
    if (Status ok = check_architecture(json); !ok.ok()) return std::move(ok).error();
    for (const IntField& size : kSizes)
        if (Status ok = read_int(json, size, &args); !ok.ok()) return std::move(ok).error();
    const std::pair<const char*, float*> floats[] = {{"rms_norm_eps", &args.norm_eps},
                                                     {"routed_scaling_factor", &args.route_scale}};
    for (const auto& [key, out] : floats)
        if (Status ok = read_float(json, key, out, true); !ok.ok()) return std::move(ok).error();
    const std::pair<const char*, int*> tokens[] = {{"bos_token_id", &args.bos_token_id},
                                                   {"eos_token_id", &args.eos_token_id}};
    for (const auto& [key, out] : tokens)
        if (Status ok = read_token(json, key, args.vocab_size, out); !ok.ok())
            return std::move(ok).error();
    if (Status ok = read_rope(json, &args); !ok.ok()) return std::move(ok).error();
    if (Status ok = read_quantization(json, &args); !ok.ok()) return std::move(ok).error();
    for (const auto check : {check_experts, check_sizes, check_fp8_inputs})
        if (Status ok = check(args); !ok.ok()) return std::move(ok).error();
    return args;
}

}  // namespace

Result<ModelArgs> parse_model_args(std::string_view text) {
    bool too_deep = false;
    const auto limit_depth = [&](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > kDepthMax;
        return depth <= kDepthMax;
    };
    const Json json = Json::parse(text, limit_depth, /*allow_exceptions=*/false);
    if (json.is_discarded() || too_deep || !json.is_object())
        return Error{Code::corrupt,
                     "not a JSON object; expected the config.json that came with the weights"};
    return read(json);
}

Result<ModelArgs> load_model_args(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / "config.json";
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder, ignored))
        return Error{Code::not_found,
                     str(folder.string(),
                         " is not a folder; expected one with config.json, tokenizer.json and "
                         "*.safetensors")};
    if (!std::filesystem::exists(path, ignored))
        return Error{Code::not_found,
                     str(folder.string(),
                         " has no config.json; expected a Hugging Face checkpoint folder, or run "
                         "fathom tiny to make one")};
    Result<std::string> text = read_text(path, kConfigBytesMax);
    if (!text.ok()) return std::move(text).error();
    Result<ModelArgs> args = parse_model_args(text.value());
    if (!args.ok()) return std::move(args).error().in(path.string());
    return args;
}

}  // namespace fathom
