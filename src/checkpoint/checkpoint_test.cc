#include "checkpoint/checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/file.h"
#include "checkpoint/inventory.h"
#include "checkpoint/safetensors_writer.h"
#include "checkpoint/verify.h"
#include "testing/tiny_checkpoint.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::TemporaryFolder;

constexpr const char* kWeights[] = {"model-00001-of-00001.safetensors",
                                    "quant_model_weights-00001-of-00001.safetensors"};
const std::string kQa = "model.layers.0.self_attn.q_a_proj";
const std::string kGate = "model.layers.0.mlp.gate_proj";

// A checkpoint of one dense layer, one with four experts, and one that predicts; small enough to be
// written anew for every test and then damaged.
TinyRecipe small(CheckpointFormat format) {
    TinyRecipe recipe = tiny_preset("small").value();
    recipe.format = format;
    for (const auto& [key, value] : {std::pair{"num_hidden_layers", 2},
                                     {"hidden_size", 128},
                                     {"intermediate_size", 128},
                                     {"n_routed_experts", 4},
                                     {"n_group", 2},
                                     {"topk_group", 1},
                                     {"num_experts_per_tok", 2},
                                     {"num_attention_heads", 1},
                                     {"index_n_heads", 1},
                                     {"kv_lora_rank", 128},
                                     {"vocab_size", 512}})
        recipe.sizes.emplace_back(key, value);
    return recipe;
}

// A tensor in memory, to be written back.
struct Loose {
    DType dtype;
    std::vector<int64_t> shape;
    std::vector<std::byte> data;
};
using LooseTensors = std::map<std::string, Loose>;

class Damaged {
public:
    explicit Damaged(CheckpointFormat format, const TinyRecipe* recipe = nullptr)
        : file_(folder_.path() / kWeights[format == CheckpointFormat::w8a8]) {
        const Result<int64_t> made = write_tiny(folder(), recipe ? *recipe : small(format), 2);
        CHECK(made.ok(), made.error().message);
    }
    const fs::path& folder() const { return folder_.path(); }
    const fs::path& file() const { return file_; }

    // Rewrites the weights after a change. The index keeps what it had.
    void change(const std::function<void(LooseTensors&)>& how) {
        LooseTensors tensors;
        {
            Safetensors old = std::move(Safetensors::open(file_)).value();
            for (const auto& [name, t] : old.tensors())
                tensors[name] = {t.dtype, t.shape, {t.data.begin(), t.data.end()}};
        }
        how(tensors);
        SafetensorsWriter writer;
        for (const auto& [name, t] : tensors) writer.add(name, t.dtype, t.shape);
        CHECK(writer.create(file_).ok(), file_.string());
        int slot = 0;
        for (const auto& [name, t] : tensors) CHECK(writer.write(slot++, 0, t.data).ok(), name);
    }
    void change_json(const char* name, const std::function<void(Json&)>& how) {
        const fs::path path = folder() / name;
        Json json = Json::parse(read_text(path, 1 << 24).value());
        how(json);
        std::ofstream(path) << json;
    }
    void patch(int64_t at, std::string_view bytes) {
        std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(at);
        file << bytes;
    }

    // Every problem, one a line; "" for a checkpoint that can be served.
    std::string problems() const { return joined(&Verification::problems); }
    std::string notes() const { return joined(&Verification::notes); }

private:
    std::string joined(std::vector<std::string> Verification::*which) const {
        Result<ModelArgs> args = load_model_args(folder());
        if (!args.ok()) return args.error().message;
        Result<Checkpoint> checkpoint = Checkpoint::open(folder());
        if (!checkpoint.ok()) return checkpoint.error().message;
        std::string out;
        const Verification found = verify(checkpoint.value(), args.value());
        for (const std::string& line : found.*which) out += line + "\n";
        return out;
    }

    TemporaryFolder folder_;
    fs::path file_;
};

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}
int lines(const std::string& text) {
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}
template <class T>
void set(Loose& tensor, int64_t i, T value) {
    std::memcpy(tensor.data.data() + i * sizeof(T), &value, sizeof value);
}
void retype(Loose& tensor, DType dtype) {
    tensor.data.resize(tensor.data.size() / size_of(tensor.dtype) * size_of(dtype));
    tensor.dtype = dtype;
}

TEST(Checkpoint, EveryPresetAndFormatIsSound) {
    for (const auto format :
         {CheckpointFormat::bf16, CheckpointFormat::fp8, CheckpointFormat::w8a8}) {
        const fs::path folder = testing::tiny_checkpoint("reference", format);
        Result<Checkpoint> checkpoint = Checkpoint::open(folder);
        ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
        EXPECT_EQ(checkpoint.value().format(), format);
        Result<ModelArgs> args = load_model_args(folder);
        const Verification found = verify(checkpoint.value(), args.value());
        EXPECT_TRUE(found.problems.empty()) << found.problems.front();
        EXPECT_TRUE(found.notes.empty()) << found.notes.front();
    }
}

TEST(Checkpoint, TheShippedFolderIsSound) {
    const fs::path folder = fs::path(FATHOM_SOURCE_DIR) / "models" / "tiny";
    uintmax_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(folder)) bytes += entry.file_size();
    EXPECT_LE(bytes, 40'000'000u);
    Result<ModelArgs> args = load_model_args(folder);
    ASSERT_TRUE(args.ok()) << args.error().message;
    Result<Checkpoint> checkpoint = Checkpoint::open(folder);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint.value().format(), CheckpointFormat::bf16);
    const Verification found = verify(checkpoint.value(), args.value());
    EXPECT_TRUE(found.problems.empty()) << found.problems.front();
    // The real inner sizes, and enough of the rest for each part to matter.
    const ModelArgs& a = args.value();
    EXPECT_EQ(std::tie(a.kv_lora_rank, a.qk_rope_head_dim, a.qk_nope_head_dim, a.v_head_dim,
                       a.index_head_dim, a.n_mtp_layers),
              std::make_tuple(512, 64, 128, 128, 128, 1));
    EXPECT_GE(a.n_layers, 6);
    EXPECT_GE(a.n_routed_experts, 16);
    EXPECT_GT(a.n_expert_groups, a.n_limited_groups);
    EXPECT_LE(a.index_topk, 256);
    EXPECT_GE(a.max_position, 8192);
}

TEST(Checkpoint, LinearsByFormat) {
    const auto open = [](CheckpointFormat format) {
        return std::move(Checkpoint::open(testing::tiny_checkpoint("reference", format))).value();
    };
    const Checkpoint bf16 = open(CheckpointFormat::bf16), fp8 = open(CheckpointFormat::fp8),
                     w8a8 = open(CheckpointFormat::w8a8);
    const std::string kv_a = "model.layers.1.self_attn.kv_a_proj_with_mqa";
    const StoredLinear a = std::move(bf16.linear(kv_a)).value();
    EXPECT_EQ(a.kind, Linear::Kind::bf16);
    EXPECT_EQ(a.N, 576);
    EXPECT_EQ(a.K, 256);
    const StoredLinear b = std::move(fp8.linear(kv_a)).value();
    EXPECT_EQ(b.kind, Linear::Kind::fp8);
    EXPECT_EQ(b.scale->shape, (std::vector<int64_t>{5, 2}));  // 4.5 blocks of rows.
    const StoredLinear c = std::move(w8a8.linear(kv_a)).value();
    EXPECT_EQ(c.kind, Linear::Kind::w8a8_static);
    EXPECT_EQ(c.quant_bias->dtype, DType::i32);
    EXPECT_EQ(floats(*c.input_offset), std::vector<float>{-3});
    EXPECT_EQ(floats(*c.deq_scale).size(), 576u);
    const StoredLinear d = std::move(w8a8.linear("model.layers.1.mlp.experts.3.up_proj")).value();
    EXPECT_EQ(d.kind, Linear::Kind::w8a8_dynamic);
    EXPECT_EQ(d.scale->shape, (std::vector<int64_t>{128, 1}));
    EXPECT_EQ(w8a8.linear("model.layers.1.self_attn.kv_b_proj").value().kind, Linear::Kind::bf16);
    EXPECT_FALSE(bf16.linear("model.layers.9.self_attn.o_proj").ok());
    EXPECT_EQ(bf16.find("nothing"), nullptr);
}

TEST(Checkpoint, Int64DeqScaleHasTheSameValues) {
    TinyRecipe recipe = small(CheckpointFormat::w8a8);
    Damaged f32(CheckpointFormat::w8a8, &recipe);
    recipe.int64_deq_scale = true;
    recipe.quantize_mtp = false;
    Damaged i64(CheckpointFormat::w8a8, &recipe);
    EXPECT_EQ(i64.problems(), "");
    const Checkpoint a = std::move(Checkpoint::open(f32.folder())).value();
    const Checkpoint b = std::move(Checkpoint::open(i64.folder())).value();
    EXPECT_EQ(floats(*a.find(kQa + ".deq_scale")), floats(*b.find(kQa + ".deq_scale")));
    EXPECT_EQ(b.linear("model.layers.2.mlp.shared_experts.up_proj").value().kind,
              Linear::Kind::bf16);
}

TEST(Checkpoint, FoldersWithoutWeights) {
    TemporaryFolder folder;
    const auto error = [](const fs::path& path) { return Checkpoint::open(path).error().message; };
    EXPECT_TRUE(has(error(folder.path() / "absent"), "is not a folder"));
    EXPECT_TRUE(has(error(folder.path()), "holds neither model.safetensors nor an index"));
    std::ofstream(folder.path() / "model.safetensors.index.json") << "{";
    EXPECT_TRUE(has(error(folder.path()), "not a JSON object"));
    std::ofstream(folder.path() / "model.safetensors.index.json") << "{}";
    EXPECT_TRUE(has(error(folder.path()), "no weight_map"));
    std::ofstream(folder.path() / "model.safetensors.index.json")
        << R"({"weight_map": {"a": "../model.safetensors"}})";
    EXPECT_TRUE(has(error(folder.path()), "expected the name of a *.safetensors file"));
    std::ofstream(folder.path() / "model.safetensors.index.json")
        << R"({"weight_map": {"a": "model-7.safetensors"}})";
    EXPECT_TRUE(has(error(folder.path()), "model-7.safetensors is missing"));
}

TEST(Checkpoint, OneFileWithoutIndex) {
    Damaged c(CheckpointFormat::fp8);
    fs::remove(c.folder() / "model.safetensors.index.json");
    fs::rename(c.file(), c.folder() / "model.safetensors");
    EXPECT_EQ(c.problems(), "");
}

TEST(Checkpoint, FilesThatAreNotWhole) {
    {
        Damaged c(CheckpointFormat::bf16);
        fs::resize_file(c.file(), fs::file_size(c.file()) - 1);
        EXPECT_TRUE(has(c.problems(), "is the file truncated?")) << c.problems();
        EXPECT_TRUE(has(c.problems(), kWeights[0]));
        fs::resize_file(c.file(), 100);
        EXPECT_TRUE(has(c.problems(), "in a file of 100")) << c.problems();
        fs::resize_file(c.file(), 3);
        EXPECT_TRUE(has(c.problems(), "only 3 bytes")) << c.problems();
    }
    {
        Damaged c(CheckpointFormat::bf16);
        c.patch(0, std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8));
        EXPECT_TRUE(has(c.problems(), "a header of 9223372036854775807 bytes")) << c.problems();
    }
    {
        Damaged c(CheckpointFormat::bf16);
        c.patch(8, "[");
        EXPECT_TRUE(has(c.problems(), "not a JSON object of tensors")) << c.problems();
    }
}

TEST(Checkpoint, TensorsThatOverlap) {
    Damaged c(CheckpointFormat::bf16);
    const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                               R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}       )";
    const auto length = static_cast<uint64_t>(header.size());
    std::ofstream file(c.file(), std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), 8) << header << std::string(12, '\0');
    file.close();
    EXPECT_TRUE(has(c.problems(), "it overlaps another")) << c.problems();
}

TEST(Checkpoint, TheSameTensorTwice) {
    TinyRecipe recipe = small(CheckpointFormat::bf16);
    recipe.files = 2;
    Damaged c(CheckpointFormat::bf16, &recipe);
    fs::copy_file(c.folder() / "model-00002-of-00002.safetensors",
                  c.folder() / "model-00001-of-00002.safetensors",
                  fs::copy_options::overwrite_existing);
    EXPECT_TRUE(has(c.problems(), "lm_head.weight is in model-00001")) << c.problems();
}

TEST(Checkpoint, MissingAndUnknownTensors) {
    Damaged c(CheckpointFormat::bf16);
    c.change([](LooseTensors& t) {
        t.erase(kQa + ".weight");
        t.erase("model.norm.weight");
        t["model.layers.0.self_attn.extra.weight"] = {DType::bf16, {1}, {2, std::byte{}}};
        t["model.layers.0.self_attn.rotary_emb.inv_freq"] = {DType::f32, {1}, {4, std::byte{}}};
        t["other"] = {DType::f32, {1}, {4, std::byte{}}};
    });
    const std::string problems = c.problems(), notes = c.notes();
    EXPECT_TRUE(has(problems, kQa + ".weight is missing"));
    EXPECT_TRUE(has(problems, "model.norm.weight is missing"));
    EXPECT_TRUE(has(problems, "the index has model.norm.weight in"));
    EXPECT_TRUE(has(problems, "self_attn.extra.weight is not a tensor of DeepSeek-V3.2"));
    EXPECT_EQ(lines(problems), 5) << problems;
    EXPECT_TRUE(has(notes, "ignored: model.layers.0.self_attn.rotary_emb.inv_freq, other\n"));
}

TEST(Checkpoint, ALayerTooMany) {
    Damaged c(CheckpointFormat::bf16);
    c.change_json("config.json", [](Json& j) { j["num_nextn_predict_layers"] = 0; });
    EXPECT_TRUE(has(c.problems(), "model.layers.2.enorm.weight is not a tensor"));
}

TEST(Checkpoint, WithoutItsMtpLayer) {
    Damaged c(CheckpointFormat::fp8);
    c.change([](LooseTensors& t) {
        std::erase_if(t, [](const auto& e) { return e.first.starts_with("model.layers.2."); });
    });
    fs::remove(c.folder() / "model.safetensors.index.json");
    fs::rename(c.file(), c.folder() / "model.safetensors");
    EXPECT_TRUE(has(c.problems(), "set the number to 0"));
    EXPECT_EQ(lines(c.problems()), 1) << c.problems();
}

TEST(Checkpoint, WrongShapesAndDtypes) {
    Damaged c(CheckpointFormat::bf16);
    c.change([](LooseTensors& t) {
        std::swap(t[kGate + ".weight"].shape[0], t[kQa + ".weight"].shape[0]);  // Both 128.
        t["lm_head.weight"].shape = {256, 256};
        retype(t["model.embed_tokens.weight"], DType::f32);
        retype(t["model.layers.1.mlp.gate.weight"], DType::f32);
        retype(t["model.layers.1.self_attn.q_b_proj.weight"], DType::f32);
        retype(t["model.norm.weight"], DType::f32);                              // Legal.
        retype(t["model.layers.0.self_attn.indexer.k_norm.bias"], DType::bf16);  // Legal.
    });
    const std::string problems = c.problems();
    EXPECT_TRUE(has(problems, "lm_head.weight is bf16[256, 256]; config.json asks for bf16[512, 1"))
        << problems;
    EXPECT_TRUE(has(problems, "model.embed_tokens.weight is f32[512, 128]; expected bf16"));
    EXPECT_TRUE(has(problems, "mlp.gate.weight is f32[4, 128]; expected bf16"));
    EXPECT_TRUE(has(problems, "q_b_proj.weight is f32[192, 128]; fathom reads"));
    EXPECT_EQ(lines(problems), 4) << problems;
}

TEST(Checkpoint, ScalesOfFp8) {
    for (const float bad : {std::nanf(""), 0.0f, -1.0f, INFINITY}) {
        Damaged c(CheckpointFormat::fp8);
        c.change([&](LooseTensors& t) { set(t[kQa + ".weight_scale_inv"], 0, bad); });
        EXPECT_TRUE(has(c.problems(), kQa + ".weight_scale_inv has ")) << bad << c.problems();
        EXPECT_EQ(lines(c.problems()), 1);
    }
    Damaged c(CheckpointFormat::fp8);
    c.change([&](LooseTensors& t) {
        t.erase(kQa + ".weight_scale_inv");
        Loose& scale = t[kGate + ".weight_scale_inv"];
        scale.shape = {1, 2};
        scale.data.resize(8);
    });
    EXPECT_TRUE(has(c.problems(), kQa + ".weight_scale_inv is missing"));
    EXPECT_TRUE(has(c.problems(), kGate + ".weight_scale_inv is f32[1, 2]; expected f32[1, 1]"));
    c.change_json("config.json", [](Json& j) { j.erase("quantization_config"); });
    EXPECT_TRUE(has(c.problems(), "config.json has no quantization_config"));
}

TEST(Checkpoint, PiecesOfW8a8) {
    const std::tuple<std::string, std::function<void(LooseTensors&)>, const char*> cases[] = {
        {"scale", [](auto& t) { set(t[kGate + ".weight_scale"], 5, std::nanf("")); },
         "has nan at 5"},
        {"offset", [](auto& t) { set(t[kGate + ".weight_offset"], 5, 1.0f); }, "has 1; fathom"},
        {"deq", [](auto& t) { set(t[kQa + ".deq_scale"], 0, -1.0f); }, ".deq_scale has -1 at 0"},
        {"in", [](auto& t) { set(t[kQa + ".input_scale"], 0, 0.0f); }, ".input_scale has 0 at 0"},
        {"zero", [](auto& t) { set(t[kQa + ".input_offset"], 0, 0.5f); }, "input_offset is 0.5"},
        {"no scale", [](auto& t) { t.erase(kGate + ".weight_scale"); }, "weight_scale is missing"},
        {"no bias", [](auto& t) { t.erase(kQa + ".quant_bias"); }, ".quant_bias is missing"},
        {"no deq", [](auto& t) { t.erase(kQa + ".deq_scale"); }, ".deq_scale is missing"},
        {"dtype", [](auto& t) { retype(t[kQa + ".quant_bias"], DType::i64); }, "expected i32[128]"},
        {"weight", [](auto& t) { retype(t[kQa + ".weight"], DType::u8); }, "is u8[128, 128]"}};
    for (const auto& [name, change, want] : cases) {
        Damaged c(CheckpointFormat::w8a8);
        EXPECT_EQ(c.problems(), "") << name;
        c.change(change);
        EXPECT_TRUE(has(c.problems(), want)) << name << ": " << c.problems();
    }
}

TEST(Checkpoint, Int64ThatHoldsNoFloat) {
    TinyRecipe recipe = small(CheckpointFormat::w8a8);
    recipe.int64_deq_scale = true;
    Damaged c(CheckpointFormat::w8a8, &recipe);
    c.change([](LooseTensors& t) { set(t[kQa + ".deq_scale"], 1, int64_t{1} << 40 | 0x3f800000); });
    EXPECT_TRUE(has(c.problems(), "an i64 that holds no f32"));
}

TEST(Checkpoint, TheDescriptionDecides) {
    const char* kName = "quant_model_description.json";
    const std::tuple<const char*, std::function<void(Json&)>, std::string> cases[] = {
        {"unknown meta keys",
         [](Json& j) {
             j["optional"] = {{"quarot", {{"a", "b"}}}};
         },
         ""},
        {"mtp left out",
         [](Json& j) {
             for (auto it = j.begin(); it != j.end();)
                 it = it.key().starts_with("model.layers.2.") ? j.erase(it) : std::next(it);
         },
         "but quant_model_description.json does not say how"},  // It is int8: nobody can tell.
        {"a norm left out", [](Json& j) { j.erase("model.norm.weight"); },
         "model.norm.weight is not in quant_model_description.json"},
        {"another type", [](Json& j) { j[kQa + ".weight"] = "W4A8_DYNAMIC"; },
         kQa + ".weight is described as W4A8_DYNAMIC"},
        {"not what is stored", [](Json& j) { j[kQa + ".weight"] = "FLOAT"; },
         kQa + ".weight is i8[128, 128], described as FLOAT"},
        {"dynamic without its pieces", [](Json& j) { j[kQa + ".weight"] = "W8A8_DYNAMIC"; },
         kQa + ".weight_scale is missing"},
        {"float as int8", [](Json& j) { j["lm_head.weight"] = "W8A8"; },
         "lm_head.weight is described as W8A8; expected FLOAT"}};
    for (const auto& [name, change, want] : cases) {
        Damaged c(CheckpointFormat::w8a8);
        c.change_json(kName, change);
        EXPECT_TRUE(want.empty() ? c.problems().empty() : has(c.problems(), want))
            << name << ": " << c.problems();
    }
    Damaged none(CheckpointFormat::w8a8);
    fs::remove(none.folder() / kName);
    EXPECT_TRUE(has(none.problems(), "does not say how; fetch that file"));
    Damaged broken(CheckpointFormat::w8a8);
    std::ofstream(broken.folder() / kName) << "{";
    EXPECT_TRUE(has(broken.problems(), "not a JSON object"));
}

TEST(Checkpoint, FloatMtpThatTheDescriptionOmits) {
    TinyRecipe recipe = small(CheckpointFormat::w8a8);
    recipe.quantize_mtp = false;
    Damaged c(CheckpointFormat::w8a8, &recipe);
    c.change_json("quant_model_description.json", [](Json& j) {
        for (auto it = j.begin(); it != j.end();)
            it = it.key().starts_with("model.layers.2.") ? j.erase(it) : std::next(it);
    });
    EXPECT_EQ(c.problems(), "");
}

TEST(Checkpoint, SharedHeadUnderItsOtherName) {
    Damaged c(CheckpointFormat::w8a8);
    c.change_json("quant_model_description.json", [](Json& j) {
        j.erase("model.layers.2.shared_head.norm.weight");
        j["model.layers.2.norm.weight"] = "FLOAT";
    });
    const Checkpoint checkpoint = std::move(Checkpoint::open(c.folder())).value();
    EXPECT_EQ(checkpoint.quant_type("model.layers.2.shared_head.norm.weight"), "FLOAT");
}

TEST(Checkpoint, MixCountsAsDynamic) {
    Damaged c(CheckpointFormat::w8a8);
    c.change([](LooseTensors& t) {
        t[kQa + ".weight_scale"] = t[kQa + ".deq_scale"];
        t[kQa + ".weight_scale"].shape = {128, 1};
        t[kQa + ".weight_offset"] = {DType::f32, {128, 1}, std::vector<std::byte>(512)};
    });
    c.change_json("quant_model_description.json", [](Json& j) { j[kQa + ".weight"] = "W8A8_MIX"; });
    EXPECT_EQ(c.problems(), "");
    const Checkpoint checkpoint = std::move(Checkpoint::open(c.folder())).value();
    EXPECT_EQ(checkpoint.linear(kQa).value().kind, Linear::Kind::w8a8_dynamic);
}

TEST(Checkpoint, ExpertsOfOneLayerInTwoFormats) {
    Damaged c(CheckpointFormat::fp8);
    c.change([](LooseTensors& t) {
        const std::string expert = "model.layers.1.mlp.experts.2.up_proj";
        t.erase(expert + ".weight_scale_inv");
        retype(t[expert + ".weight"], DType::bf16);
    });
    EXPECT_TRUE(has(c.problems(), "experts.2.up_proj.weight is bf16 and")) << c.problems();
    EXPECT_TRUE(has(c.problems(), "fathom needs both in one format"));
}

// By hand, from the sizes of the reference preset.
TEST(Checkpoint, InventoryOfTheReference) {
    const fs::path folder = testing::tiny_checkpoint("reference", CheckpointFormat::fp8);
    const ModelArgs args = load_model_args(folder).value();
    const Checkpoint checkpoint = std::move(Checkpoint::open(folder)).value();
    const Inventory inventory = take_inventory(checkpoint, args);
    EXPECT_EQ(inventory[Part::embedding].bytes, 512 * 256 * 2);
    EXPECT_EQ(inventory[Part::head].bytes, 512 * 256 * 2);
    EXPECT_EQ(inventory[Part::experts].tensors, 2 * 16 * 3);
    EXPECT_EQ(inventory[Part::experts].bytes, 2 * 16 * 3 * 128 * 256);
    EXPECT_EQ(inventory[Part::experts].formats, std::set<std::string>{"fp8"});
    EXPECT_EQ(inventory[Part::shared_experts].bytes, 2 * 3 * 128 * 256);
    EXPECT_EQ(inventory[Part::dense_mlp].bytes, 3 * 512 * 256);
    EXPECT_EQ(inventory.total.bytes, 11708072);  // The index's total_size.
    int64_t sum = inventory.mtp.bytes + inventory.scales.bytes;
    for (const InventoryRow& row : inventory.parts) sum += row.bytes;
    EXPECT_EQ(sum, inventory.total.bytes);
    EXPECT_EQ(inventory.other.tensors, 0);
    const int64_t always = sum - inventory.mtp.bytes - inventory[Part::embedding].bytes -
                           inventory[Part::experts].bytes * 12 / 16 + 256 * 2;
    const int64_t expert_scales = 2 * 16 * 3 * 2 * 4;  // One row of blocks, two columns, or so.
    EXPECT_EQ(inventory.active_bytes, always - expert_scales * 12 / 16);
}

TEST(Checkpoint, TokenizerBeyondTheVocabulary) {
    ModelArgs args;
    args.vocab_size = 512;
    EXPECT_EQ(tokenizer_problem(511, args), std::nullopt);
    EXPECT_TRUE(has(tokenizer_problem(512, args).value(), "id 512"));
}

}  // namespace
}  // namespace fathom
