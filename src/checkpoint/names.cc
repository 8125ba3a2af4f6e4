#include "checkpoint/names.h"

#include "base/check.h"

namespace fathom {
namespace {

// Appends the tensors of one layer after the other.
class Names {
public:
    explicit Names(const ModelArgs& args) : args_(args) {}

    std::vector<ExpectedTensor> all() && {
        const int64_t vocab = args_.vocab_size, dim = args_.dim;
        add("model.embed_tokens.weight", {vocab, dim}, Part::embedding, Store::plain);
        for (int n = 0; n < args_.n_all_layers(); ++n) layer(n);
        mtp_ = false;
        add("model.norm.weight", {dim}, Part::norms, Store::plain);
        add("lm_head.weight", {vocab, dim}, Part::head, Store::plain);
        return std::move(out_);
    }

private:
    void add(std::string name, std::vector<int64_t> shape, Part part, Store store) {
        out_.push_back({std::move(name), std::move(shape), part, store, mtp_});
    }
    void norm(const std::string& name, int64_t size) {
        add(name + ".weight", {size}, Part::norms, Store::plain);
    }

    void layer(int n) {
        const std::string p = str("model.layers.", n);
        const int64_t vocab = args_.vocab_size, dim = args_.dim;
        mtp_ = n >= args_.n_layers;
        if (mtp_) {
            add(p + ".embed_tokens.weight", {vocab, dim}, Part::embedding, Store::plain);
            norm(p + ".enorm", dim);
            norm(p + ".hnorm", dim);
            add(p + ".eh_proj.weight", {dim, 2 * dim}, Part::attention, Store::plain);
        }
        attention(p);
        norm(p + ".post_attention_layernorm", dim);
        args_.is_dense(n) ? mlp(p + ".mlp", args_.inter_dim, Part::dense_mlp) : experts(p + ".mlp");
        if (mtp_) {
            norm(p + ".shared_head.norm", dim);
            add(p + ".shared_head.head.weight", {vocab, dim}, Part::head, Store::plain);
        }
    }

    void attention(const std::string& p) {
        const int64_t dim = args_.dim, heads = args_.n_heads, q_rank = args_.q_lora_rank,
                      kv_rank = args_.kv_lora_rank, rope = args_.qk_rope_head_dim,
                      nope = args_.qk_nope_head_dim, v = args_.v_head_dim;
        const std::string a = p + ".self_attn";
        const auto linear = [&](const char* name, int64_t out, int64_t in) {
            add(str(a, ".", name, ".weight"), {out, in}, Part::attention, Store::linear);
        };
        norm(p + ".input_layernorm", dim);
        linear("q_a_proj", q_rank, dim);
        norm(a + ".q_a_layernorm", q_rank);
        linear("q_b_proj", heads * (nope + rope), q_rank);
        linear("kv_a_proj_with_mqa", kv_rank + rope, dim);
        norm(a + ".kv_a_layernorm", kv_rank);
        linear("kv_b_proj", heads * (nope + v), kv_rank);
        linear("o_proj", dim, heads * v);

        const int64_t width = args_.index_head_dim;
        const std::string i = a + ".indexer";
        add(i + ".wq_b.weight", {args_.index_n_heads * width, q_rank}, Part::indexer,
            Store::linear);
        add(i + ".wk.weight", {width, dim}, Part::indexer, Store::linear);
        add(i + ".k_norm.weight", {width}, Part::indexer, Store::f32);
        add(i + ".k_norm.bias", {width}, Part::indexer, Store::f32);
        add(i + ".weights_proj.weight", {args_.index_n_heads, dim}, Part::indexer, Store::plain);
    }

    void mlp(const std::string& p, int64_t inter, Part part) {
        const int64_t dim = args_.dim;
        add(p + ".gate_proj.weight", {inter, dim}, part, Store::linear);
        add(p + ".up_proj.weight", {inter, dim}, part, Store::linear);
        add(p + ".down_proj.weight", {dim, inter}, part, Store::linear);
    }

    void experts(const std::string& p) {
        const int64_t count = args_.n_routed_experts, inter = args_.moe_inter_dim;
        add(p + ".gate.weight", {count, args_.dim}, Part::router, Store::plain);
        add(p + ".gate.e_score_correction_bias", {count}, Part::router, Store::f32);
        for (int64_t e = 0; e < count; ++e) mlp(str(p, ".experts.", e), inter, Part::experts);
        mlp(p + ".shared_experts", inter * args_.n_shared_experts, Part::shared_experts);
    }

    const ModelArgs& args_;
    std::vector<ExpectedTensor> out_;
    bool mtp_ = false;
};

}  // namespace

const char* name_of(Part part) {
    constexpr const char* kNames[kParts] = {"embedding",      "attention", "indexer",
                                            "dense MLP",      "router",    "experts",
                                            "shared experts", "norms",     "head"};
    return kNames[static_cast<int>(part)];
}

std::vector<ExpectedTensor> expected_tensors(const ModelArgs& args) { return Names(args).all(); }

bool is_known_extra(std::string_view name) {
    return name.ends_with(".rotary_emb.inv_freq") || name == "global_rotation" ||
           name.find("quarot") != std::string_view::npos;
}

std::string_view module_of(std::string_view weight_name) {
    constexpr std::string_view kSuffix = ".weight";
    CHECK(weight_name.ends_with(kSuffix), weight_name, " is not the name of a weight");
    return weight_name.substr(0, weight_name.size() - kSuffix.size());
}

}  // namespace fathom
