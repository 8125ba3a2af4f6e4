#include "checkpoint/tiny.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <fstream>
#include <map>

#include "base/file.h"
#include "checkpoint/quantize_rows.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/tiny_weights.h"
#include "config/args.h"
#include "testing/golden.h"
#include "testing/tiny_checkpoint.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

std::string sha256(const fs::path& path) {
    Result<MappedFile> file = MappedFile::open(path);
    if (!file.ok()) return file.error().message;
    unsigned char digest[32];
    unsigned size = 0;
    const auto bytes = file.value().bytes();
    EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
    std::string hex;
    for (const unsigned char byte : digest) {
        constexpr char kDigits[] = "0123456789abcdef";
        hex += kDigits[byte >> 4];
        hex += kDigits[byte & 15];
    }
    return hex;
}

// Lines of sha256sum: "HASH  FOLDER/FILE".
std::map<std::string, std::string> sums(const std::string& golden) {
    std::ifstream file(testing::golden_path(golden));
    std::map<std::string, std::string> out;
    std::string hash, name;
    while (file >> hash >> name) out[name] = hash;
    EXPECT_FALSE(out.empty()) << golden;
    return out;
}

// Every file of `golden` in the folder "PREFIX-FORMAT" has its hash; returns how many there were.
int expect_sums(const std::string& golden, const std::string& prefix, CheckpointFormat format,
                const fs::path& folder) {
    const std::string start = str(prefix, "-", name_of(format), "/");
    int count = 0;
    for (const auto& [name, hash] : sums(golden)) {
        if (!name.starts_with(start)) continue;
        EXPECT_EQ(sha256(folder / name.substr(start.size())), hash) << name;
        ++count;
    }
    return count;
}

TinyRecipe recipe_of(const char* preset, CheckpointFormat format) {
    TinyRecipe recipe = tiny_preset(preset).value();
    recipe.format = format;
    return recipe;
}

TEST(Tiny, ReferenceIsByteForByte) {
    for (const auto& [format, files] : {std::pair{CheckpointFormat::bf16, 7},
                                        {CheckpointFormat::fp8, 7},
                                        {CheckpointFormat::w8a8, 8}}) {
        TemporaryFolder folder;
        Result<int64_t> bytes = write_tiny(folder.path(), recipe_of("reference", format), 2);
        ASSERT_TRUE(bytes.ok()) << bytes.error().message;
        EXPECT_EQ(expect_sums("SHA256SUMS.tiny", "tiny", format, folder.path()), files);
        EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), files);
    }
}

TEST(Tiny, WideIsByteForByte) {
    for (const auto format : {CheckpointFormat::bf16, CheckpointFormat::fp8}) {
        const fs::path folder = testing::tiny_checkpoint("wide", format);
        EXPECT_EQ(expect_sums("wide/SHA256SUMS", "wide", format, folder), 2);
    }
}

TEST(Tiny, OneThreadOrThreeMakeTheSame) {
    TemporaryFolder one, three;
    const TinyRecipe recipe = recipe_of("small", CheckpointFormat::w8a8);
    ASSERT_TRUE(write_tiny(one.path(), recipe, 1).ok());
    ASSERT_TRUE(write_tiny(three.path(), recipe, 3).ok());
    for (const auto& entry : fs::directory_iterator(one.path()))
        EXPECT_EQ(sha256(entry.path()), sha256(three.path() / entry.path().filename()));
}

TEST(Tiny, SmallPresetIsSmall) {
    const fs::path folder = testing::tiny_checkpoint("small", CheckpointFormat::fp8);
    uintmax_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(folder)) bytes += entry.file_size();
    EXPECT_LE(bytes, 12'500'000u);
    EXPECT_GT(bytes, 1'000'000u);
}

TEST(Tiny, EveryPresetHasALegalConfig) {
    for (const char* name : tiny_preset_names()) {
        TinyRecipe recipe = tiny_preset(name).value();
        recipe.format = CheckpointFormat::fp8;
        recipe.sizes.emplace_back("num_hidden_layers", 2);  // Quick; the sizes stay.
        recipe.sizes.emplace_back("vocab_size", 512);
        TemporaryFolder folder;
        Result<int64_t> bytes = write_tiny(folder.path(), recipe, 2);
        ASSERT_TRUE(bytes.ok()) << name << ": " << bytes.error().message;
        Result<ModelArgs> args = load_model_args(folder.path());
        ASSERT_TRUE(args.ok()) << name << ": " << args.error().message;
        EXPECT_EQ(args.value().n_layers, 2) << name;
        EXPECT_TRUE(args.value().fp8_blocks) << name;
    }
    EXPECT_FALSE(tiny_preset("huge").has_value());
}

TEST(Tiny, SizesAreTheOnesAskedFor) {
    TinyRecipe recipe = recipe_of("reference", CheckpointFormat::bf16);
    recipe.sizes.emplace_back("vocab_size", 600);
    recipe.sizes.emplace_back("num_attention_heads", 2);
    recipe.sizes.emplace_back("num_nextn_predict_layers", 0);
    recipe.files = 1;
    TemporaryFolder folder;
    ASSERT_TRUE(write_tiny(folder.path(), recipe, 2).ok());
    Result<Safetensors> file =
        Safetensors::open(folder.path() / "model-00001-of-00001.safetensors");
    ASSERT_TRUE(file.ok()) << file.error().message;
    const auto shape = [&](const char* name) { return file.value().find(name)->shape; };
    EXPECT_EQ(shape("lm_head.weight"), (std::vector<int64_t>{600, 256}));
    EXPECT_EQ(shape("model.layers.0.self_attn.o_proj.weight"), (std::vector<int64_t>{256, 256}));
    EXPECT_EQ(file.value().find("model.layers.3.enorm.weight"), nullptr);
    const std::string config = read_text(folder.path() / "config.json", 1 << 20).value();
    EXPECT_NE(config.find("\"num_key_value_heads\": 2"), std::string::npos);
}

TEST(Tiny, SizesThatDoNotFitAreRefused) {
    TinyRecipe recipe = recipe_of("reference", CheckpointFormat::bf16);
    recipe.sizes.emplace_back("kv_lora_rank", 100);
    TemporaryFolder folder;
    const Result<int64_t> written = write_tiny(folder.path() / "x", recipe, 2);
    ASSERT_FALSE(written.ok());
    EXPECT_NE(written.error().message.find("kv_lora_rank is 100"), std::string::npos);
    EXPECT_FALSE(fs::exists(folder.path() / "x"));
}

TEST(Tiny, AnotherCheckpointIsNotMixedIn) {
    TemporaryFolder folder;
    TinyRecipe recipe = recipe_of("small", CheckpointFormat::fp8);
    recipe.sizes.emplace_back("num_hidden_layers", 1);
    recipe.files = 3;
    ASSERT_TRUE(write_tiny(folder.path(), recipe, 2).ok());
    std::ofstream(folder.path() / "README.md") << "mine";
    recipe.files = 2;
    const Result<int64_t> refused = write_tiny(folder.path(), recipe, 2);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("--overwrite"), std::string::npos);
    recipe.overwrite = true;
    ASSERT_TRUE(write_tiny(folder.path(), recipe, 2).ok());
    EXPECT_FALSE(fs::exists(folder.path() / "model-00003-of-00003.safetensors"));
    EXPECT_TRUE(fs::exists(folder.path() / "README.md"));
}

// w8a8 variants that real checkpoints have.
TEST(Tiny, Int64DeqScaleAndFloatMtp) {
    TinyRecipe recipe = recipe_of("reference", CheckpointFormat::w8a8);
    recipe.files = 1;
    TemporaryFolder plain, other;
    ASSERT_TRUE(write_tiny(plain.path(), recipe, 2).ok());
    recipe.int64_deq_scale = true;
    recipe.quantize_mtp = false;
    ASSERT_TRUE(write_tiny(other.path(), recipe, 2).ok());
    const char* kFile = "quant_model_weights-00001-of-00001.safetensors";
    Result<Safetensors> a = Safetensors::open(plain.path() / kFile);
    Result<Safetensors> b = Safetensors::open(other.path() / kFile);
    ASSERT_TRUE(a.ok() && b.ok());
    const StoredTensor* f32 = a.value().find("model.layers.0.self_attn.o_proj.deq_scale");
    const StoredTensor* i64 = b.value().find("model.layers.0.self_attn.o_proj.deq_scale");
    ASSERT_EQ(i64->dtype, DType::i64);
    int32_t low;
    int64_t bits;
    std::memcpy(&low, f32->data.data() + 4, sizeof low);
    std::memcpy(&bits, i64->data.data() + 8, sizeof bits);
    EXPECT_EQ(bits, low);
    EXPECT_EQ(b.value().find("model.layers.3.self_attn.o_proj.weight")->dtype, DType::bf16);
    EXPECT_EQ(a.value().find("model.layers.3.self_attn.o_proj.weight")->dtype, DType::i8);
}

TEST(Tiny, RangesOfAFile) {
    Result<std::vector<InputRange>> ranges =
        read_input_ranges(testing::golden_path("calibration-tiny.json"));
    ASSERT_TRUE(ranges.ok()) << ranges.error().message;
    const TinyRecipe reference = tiny_preset("reference").value();
    ASSERT_EQ(ranges.value().size(), reference.ranges.size());
    for (const InputRange& range : ranges.value()) {  // What is compiled in is what the file says.
        const auto same = [&](const InputRange& other) {
            return other.module == range.module && other.scale == range.scale &&
                   other.offset == range.offset;
        };
        EXPECT_TRUE(std::any_of(reference.ranges.begin(), reference.ranges.end(), same))
            << range.module;
    }
    TemporaryFolder folder;
    for (const char* text :
         {"[]", "{", R"({"a": 1})", R"({"a": {"input_scale": 0, "input_offset": 0}})",
          R"({"a": {"input_scale": 1, "input_offset": 0.5}})",
          R"({"a": {"input_scale": 1, "input_offset": 128}})", R"({"a": {"input_scale": 1}})"}) {
        std::ofstream(folder.path() / "c.json") << text;
        EXPECT_FALSE(read_input_ranges(folder.path() / "c.json").ok()) << text;
    }
}

// No block of the goldens has such a maximum; other seeds do.
TEST(Tiny, Fp8ScaleOfAnExactPowerOfTwo) {
    for (const auto& [largest, want, code] :
         {std::tuple{448.0f, 1.0f, 0x7e}, {449.0f, 2.0f, 0x76}, {224.0f, 0.5f, 0x7e}}) {
        const std::vector<float> x{0, -largest, 0, 0};
        std::vector<uint8_t> codes(4);
        std::vector<float> scales(1);
        quantize_fp8_rows(x, 4, codes, scales);
        EXPECT_EQ(scales[0], want);
        EXPECT_EQ(codes[1], 0x80 | code);
    }
}

TEST(Tiny, Crc32) { EXPECT_EQ(crc32("123456789"), 0xCBF43926u); }  // The published check value.

}  // namespace
}  // namespace fathom
