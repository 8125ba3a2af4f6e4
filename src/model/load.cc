#include "model/load.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "model/rope.h"
#include "ops/linear/pack.h"

namespace fathom {
namespace {

// Work on rows [begin, end) of one tensor, run after all places are known.
struct Job {
    int64_t rows;
    int64_t grain;  // Rows are cut at multiples of it.
    int64_t bytes;  // Of the result.
    std::function<void(int64_t begin, int64_t end)> run;
};

// Hands out places for weights and notes how they get there. Without memory it only counts, so that
// the plan and the loading are one code.
class Placer {
public:
    Placer(const Checkpoint& checkpoint, void* memory)
        : checkpoint_(checkpoint), memory_(static_cast<char*>(memory)) {}

    int64_t bytes() const { return used_; }
    std::vector<Job>& jobs() { return jobs_; }

    Linear linear(const std::string& module);
    // A small vector in f32, whatever the file has.
    Tensor vector(const std::string& name);
    // A large bf16 matrix as it is.
    Tensor table(const std::string& name);
    // The halves of kv_b_proj per head, dequantized: [C, nope] (transposed) and [v, C].
    void absorbed(const std::string& module, const ModelArgs& args, std::vector<Linear>& nope,
                  std::vector<Linear>& v);

private:
    const StoredTensor& stored(const std::string& name) const {
        const StoredTensor* tensor = checkpoint_.find(name);
        CHECK(tensor != nullptr, "no tensor ", name, " in a verified checkpoint");
        return *tensor;
    }
    char* take(int64_t bytes) {
        char* place = memory_ == nullptr ? nullptr : memory_ + used_;
        used_ += (bytes + 63) / 64 * 64;
        return place;
    }
    template <class T>
    Tensor copy(const std::vector<T>& values, DType dtype) {
        const auto count = std::ssize(values);
        Tensor t = view_of(take(count * size_of(dtype)), dtype, {count});
        if (memory_ != nullptr) std::memcpy(t.data, values.data(), count * size_of(dtype));
        return t;
    }
    Linear place(Linear::Kind kind, int64_t N, int64_t K) {
        Linear w{.kind = kind, .N = N, .K = K};
        const int64_t bytes = packed_bytes(kind, N, K);
        w.packed = view_of(take(bytes), DType::u8, {bytes});
        return w;
    }

    const Checkpoint& checkpoint_;
    char* const memory_;
    int64_t used_ = 0;
    std::vector<Job> jobs_;
};

std::vector<int32_t> integers(const StoredTensor& tensor) {
    std::vector<int32_t> values(tensor.data.size() / sizeof(int32_t));
    std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
    return values;
}

// Scales of 128 x 128 blocks keep their shape, per-channel ones become [N].
Tensor shaped(Tensor flat, const StoredTensor& tensor, Linear::Kind kind) {
    if (kind != Linear::Kind::fp8) return flat;
    return view_of(flat.data, flat.dtype, {tensor.shape[0], tensor.shape[1]});
}

Linear Placer::linear(const std::string& module) {
    Result<StoredLinear> found = checkpoint_.linear(module);
    CHECK(found.ok(), found.error().message);
    const StoredLinear& from = found.value();
    Linear w = place(from.kind, from.N, from.K);
    if (from.scale != nullptr)
        w.scale = shaped(copy(floats(*from.scale), DType::f32), *from.scale, from.kind);
    if (from.deq_scale != nullptr) w.scale = copy(floats(*from.deq_scale), DType::f32);
    if (from.quant_bias != nullptr) w.quant_bias = copy(integers(*from.quant_bias), DType::i32);
    if (from.input_scale != nullptr) w.input_scale = floats(*from.input_scale)[0];
    if (from.input_offset != nullptr) w.input_offset = floats(*from.input_offset)[0];
    if (memory_ == nullptr) return w;
    const std::byte* rows = from.weight->data.data();
    const int64_t row_bytes = from.K * size_of(from.weight->dtype);
    jobs_.push_back({.rows = from.N,
                     .grain = 4 * kPanelOutputs,
                     .bytes = w.packed.dim(0),
                     .run = [w, rows, row_bytes](int64_t begin, int64_t end) {
                         pack_rows(w.kind, w.packed.data, w.N, w.K, rows + begin * row_bytes,
                                   row_bytes, begin, end);
                     }});
    return w;
}

Tensor Placer::vector(const std::string& name) { return copy(floats(stored(name)), DType::f32); }

Tensor Placer::table(const std::string& name) {
    const StoredTensor& from = stored(name);
    const int64_t rows = from.shape[0], row_bytes = from.shape[1] * size_of(DType::bf16);
    Tensor to = view_of(take(rows * row_bytes), DType::bf16, {rows, from.shape[1]});
    if (memory_ == nullptr) return to;
    const std::byte* data = from.data.data();
    jobs_.push_back({.rows = rows,
                     .grain = 64,
                     .bytes = rows * row_bytes,
                     .run = [=](int64_t begin, int64_t end) {
                         std::memcpy(to.as<char>() + begin * row_bytes, data + begin * row_bytes,
                                     (end - begin) * row_bytes);
                     }});
    return to;
}

// Rows [first, first + count) of a bf16 or fp8 weight, as bf16.
std::vector<bf16> dequantized_rows(const StoredLinear& from, int64_t first, int64_t count) {
    const int64_t K = from.K;
    std::vector<bf16> rows(count * K);
    if (from.kind == Linear::Kind::bf16) {
        std::memcpy(rows.data(), from.weight->data.data() + first * K * 2, count * K * 2);
        return rows;
    }
    std::vector<float> values(rows.size());
    read_rows(from, first, values);
    std::transform(values.begin(), values.end(), rows.begin(), to_bf16);
    return rows;
}

std::vector<bf16> transposed(const std::vector<bf16>& matrix, int64_t rows, int64_t cols) {
    std::vector<bf16> out(matrix.size());
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < cols; ++c) out[c * rows + r] = matrix[r * cols + c];
    return out;
}

void pack_all(const Linear& w, const std::vector<bf16>& rows) {
    pack_rows(w.kind, w.packed.data, w.N, w.K, rows.data(), w.K * size_of(DType::bf16), 0, w.N);
}

void Placer::absorbed(const std::string& module, const ModelArgs& args, std::vector<Linear>& nope,
                      std::vector<Linear>& v) {
    Result<StoredLinear> found = checkpoint_.linear(module);
    CHECK(found.ok(), found.error().message);
    const StoredLinear from = found.value();
    const int64_t D = args.qk_nope_head_dim, V = args.v_head_dim, C = args.kv_lora_rank;
    for (int h = 0; h < args.n_heads; ++h) {
        nope.push_back(place(Linear::Kind::bf16, C, D));
        v.push_back(place(Linear::Kind::bf16, V, C));
    }
    if (memory_ == nullptr) return;
    jobs_.push_back({.rows = args.n_heads,
                     .grain = 1,
                     .bytes = args.n_heads * (nope[0].packed.dim(0) + v[0].packed.dim(0)),
                     .run = [=](int64_t begin, int64_t end) {
                         for (int64_t h = begin; h < end; ++h) {
                             std::vector<bf16> key = dequantized_rows(from, h * (D + V), D);
                             key = transposed(key, D, C);
                             pack_all(nope[h], key);
                             std::vector<bf16> value = dequantized_rows(from, h * (D + V) + D, V);
                             pack_all(v[h], value);
                         }
                     }});
}

// The layers' weights by their Hugging Face names; convert.py of the reference has the same table.
class Builder {
public:
    Builder(Placer& placer, const ModelArgs& args) : p_(placer), args_(args) {}

    TransformerWeights transformer(bool mtp);

private:
    std::vector<Linear>& keep() { return out_.linears.emplace_back(); }
    MLA::Weights mla(const std::string& name);
    Indexer::Weights indexer(const std::string& name);
    MLP::Weights mlp(const std::string& name);
    MoE::Weights moe(const std::string& name);
    Block::Weights block(int layer);
    Mtp::Weights mtp();

    Placer& p_;
    const ModelArgs& args_;
    TransformerWeights out_;
};

Indexer::Weights Builder::indexer(const std::string& name) {
    return {.wq_b = p_.linear(name + ".wq_b"),
            .wk = p_.linear(name + ".wk"),
            .k_norm = p_.vector(name + ".k_norm.weight"),
            .k_norm_bias = p_.vector(name + ".k_norm.bias"),
            .weights_proj = p_.linear(name + ".weights_proj")};
}

MLA::Weights Builder::mla(const std::string& name) {
    std::vector<Linear>& nope = keep();
    std::vector<Linear>& v = keep();
    p_.absorbed(name + ".kv_b_proj", args_, nope, v);
    return {.wq_a = p_.linear(name + ".q_a_proj"),
            .q_norm = p_.vector(name + ".q_a_layernorm.weight"),
            .wq_b = p_.linear(name + ".q_b_proj"),
            .wkv_a = p_.linear(name + ".kv_a_proj_with_mqa"),
            .kv_norm = p_.vector(name + ".kv_a_layernorm.weight"),
            .wkv_b_nope = nope,
            .wkv_b_v = v,
            .wo = p_.linear(name + ".o_proj"),
            .indexer = indexer(name + ".indexer")};
}

MLP::Weights Builder::mlp(const std::string& name) {
    return {.w1 = p_.linear(name + ".gate_proj"),
            .w3 = p_.linear(name + ".up_proj"),
            .w2 = p_.linear(name + ".down_proj")};
}

MoE::Weights Builder::moe(const std::string& name) {
    std::vector<Linear>&w1 = keep(), &w2 = keep(), &w3 = keep();
    for (int e = 0; e < args_.n_routed_experts; ++e) {
        const MLP::Weights expert = mlp(str(name, ".experts.", e));
        w1.push_back(expert.w1);
        w2.push_back(expert.w2);
        w3.push_back(expert.w3);
    }
    return {.gate = p_.linear(name + ".gate"),
            .gate_bias = p_.vector(name + ".gate.e_score_correction_bias"),
            .w1 = w1,
            .w2 = w2,
            .w3 = w3,
            .shared_experts = mlp(name + ".shared_experts")};
}

Block::Weights Builder::block(int layer) {
    const std::string name = str("model.layers.", layer);
    Block::Weights w{.attn_norm = p_.vector(name + ".input_layernorm.weight"),
                     .ffn_norm = p_.vector(name + ".post_attention_layernorm.weight"),
                     .attn = mla(name + ".self_attn")};
    if (args_.is_dense(layer))
        w.mlp = mlp(name + ".mlp");
    else
        w.moe = moe(name + ".mlp");
    return w;
}

Mtp::Weights Builder::mtp() {
    const std::string name = str("model.layers.", args_.n_layers);
    return {.embed = p_.table(name + ".embed_tokens.weight"),
            .enorm = p_.vector(name + ".enorm.weight"),
            .hnorm = p_.vector(name + ".hnorm.weight"),
            .eh_proj = p_.linear(name + ".eh_proj"),
            .layer = block(args_.n_layers),
            .shared_head_norm = p_.vector(name + ".shared_head.norm.weight"),
            .shared_head = p_.linear(name + ".shared_head.head")};
}

TransformerWeights Builder::transformer(bool with_mtp) {
    out_.embed = p_.table("model.embed_tokens.weight");
    for (int layer = 0; layer < args_.n_layers; ++layer) out_.layers.push_back(block(layer));
    out_.norm = p_.vector("model.norm.weight");
    out_.head = p_.linear("lm_head");
    if (with_mtp && args_.n_mtp_layers > 0) out_.mtp = mtp();
    out_.rope_frequencies = rope_frequencies(args_);
    return std::move(out_);
}

}  // namespace

int64_t weight_bytes(const Checkpoint& checkpoint, const ModelArgs& args, bool mtp) {
    Placer placer(checkpoint, nullptr);
    Builder(placer, args).transformer(mtp);
    return placer.bytes();
}

std::unique_ptr<Transformer> load_transformer(const Checkpoint& checkpoint, const ModelArgs& args,
                                              Stream& s, const LoadOptions& options) {
    Buffer memory = Buffer::host(weight_bytes(checkpoint, args, options.mtp));
    Placer placer(checkpoint, memory.data());
    TransformerWeights weights = Builder(placer, args).transformer(options.mtp);
    int64_t done = 0;
    for (const Job& job : placer.jobs()) {
        const int64_t pieces = (job.rows + job.grain - 1) / job.grain;
        s.workers->parallel_for(pieces, 1, [&](int64_t begin, int64_t end, int) {
            job.run(begin * job.grain, std::min(end * job.grain, job.rows));
        });
        done += job.bytes;
        if (options.progress && done < memory.bytes()) options.progress(done, memory.bytes());
    }
    if (options.progress) options.progress(memory.bytes(), memory.bytes());
    weights.memory = std::move(memory);
    return std::make_unique<Transformer>(args, std::move(weights));
}

}  // namespace fathom
