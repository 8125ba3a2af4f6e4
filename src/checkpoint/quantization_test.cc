#include "checkpoint/quantization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>

#include "base/file.h"
#include "checkpoint/quantization_config.h"
#include "checkpoint/quantize_rows.h"
#include "checkpoint/verify.h"
#include "testing/tiny_checkpoint.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;
using testing::tiny_checkpoint;

constexpr CheckpointFormat kBf16 = CheckpointFormat::bf16, kFp8 = CheckpointFormat::fp8,
                           kW8a8 = CheckpointFormat::w8a8;

Checkpoint open(const fs::path& folder) {
    Result<Checkpoint> checkpoint = Checkpoint::open(folder);
    CHECK(checkpoint.ok(), checkpoint.error().message);
    return std::move(checkpoint).value();
}

ModelArgs args_of(const fs::path& folder) {
    Result<ModelArgs> args = load_model_args(folder);
    CHECK(args.ok(), args.error().message);
    return args.value();
}

std::string text_of(const fs::path& path) {
    Result<std::string> text = read_text(path, 16 << 20);
    return text.ok() ? text.value() : text.error().message;
}

Quantization job_of(const fs::path& in, const fs::path& out, CheckpointFormat format) {
    Quantization job{.in = in, .out = out, .format = format, .threads = 2};
    if (format == kW8a8) job.ranges = tiny_preset("reference").value().ranges;
    return job;
}

Result<int64_t> run(const Quantization& job) {
    return quantize(job, open(job.in), args_of(job.in));
}

// The error of a run that must fail.
std::string refusal(const Quantization& job) {
    Result<int64_t> written = run(job);
    return written.ok() ? "it was not refused" : written.error().message;
}

bool has(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
}

void expect_sound(const fs::path& folder) {
    const Checkpoint checkpoint = open(folder);
    const Verification found = verify(checkpoint, args_of(folder));
    EXPECT_TRUE(found.problems.empty()) << found.problems[0];
    EXPECT_TRUE(found.notes.empty()) << found.notes[0];
}

// The same names, dtypes, shapes and bytes.
void expect_same_tensors(const fs::path& got_folder, const fs::path& want_folder) {
    const Checkpoint got = open(got_folder), want = open(want_folder);
    EXPECT_EQ(got.tensors().size(), want.tensors().size());
    for (const auto& [name, tensor] : want.tensors()) {
        const StoredTensor* other = got.find(name);
        ASSERT_NE(other, nullptr) << name;
        EXPECT_EQ(describe(*other), describe(*tensor)) << name;
        ASSERT_EQ(other->data.size(), tensor->data.size()) << name;
        EXPECT_EQ(std::memcmp(other->data.data(), tensor->data.data(), tensor->data.size()), 0)
            << name;
    }
}

std::vector<float> values_of(const Checkpoint& checkpoint, std::string_view module) {
    Result<StoredLinear> linear = checkpoint.linear(module);
    CHECK(linear.ok(), linear.error().message);
    std::vector<float> values(linear.value().N * linear.value().K);
    read_rows(linear.value(), 0, values);
    return values;
}

// int8 weights times their scales; a static one's scale is deq_scale / input_scale.
std::vector<double> int8_values_of(const StoredLinear& linear, std::vector<double>* scales) {
    const bool dynamic = linear.kind == Linear::Kind::w8a8_dynamic;
    const std::vector<float> stored = floats(dynamic ? *linear.scale : *linear.deq_scale);
    const double input = dynamic ? 1 : floats(*linear.input_scale)[0];
    const auto* codes = reinterpret_cast<const int8_t*>(linear.weight->data.data());
    std::vector<double> values(linear.N * linear.K);
    for (int64_t row = 0; row < linear.N; ++row) {
        scales->push_back(stored[row] / input);
        for (int64_t i = row * linear.K; i < (row + 1) * linear.K; ++i)
            values[i] = codes[i] * scales->back();
    }
    return values;
}

// Linears that are quantized in a checkpoint.
std::vector<std::string> quantized_modules(const Checkpoint& checkpoint) {
    std::vector<std::string> modules;
    for (const auto& [name, tensor] : checkpoint.tensors())
        if (size_of(tensor->dtype) == 1) modules.emplace_back(name.substr(0, name.rfind('.')));
    return modules;
}

// Writes `values` over the first elements of a bf16 tensor.
void overwrite_bf16(const fs::path& folder, const char* name, const std::vector<float>& values) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() != ".safetensors") continue;
        int64_t at = -1;
        {
            Result<Safetensors> file = Safetensors::open(entry.path());
            ASSERT_TRUE(file.ok()) << file.error().message;
            const StoredTensor* tensor = file.value().find(name);
            if (tensor == nullptr) continue;
            ASSERT_EQ(tensor->dtype, DType::bf16);
            const std::byte* begin = tensor->data.data();
            for (const auto& [other, stored] : file.value().tensors())
                begin = std::min(begin, stored.data.data());
            at = tensor->data.data() - begin;
        }
        std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
        uint64_t header = 0;
        file.read(reinterpret_cast<char*>(&header), sizeof header);
        file.seekp(static_cast<int64_t>(8 + header) + at);
        for (const float value : values) {
            const bf16 rounded = to_bf16(value);
            file.write(reinterpret_cast<const char*>(&rounded), sizeof rounded);
        }
        return;
    }
    FAIL() << "no tensor " << name;
}

TEST(Quantization, Fp8IsTheReferenceByteForByte) {
    const TemporaryFolder out;
    Result<int64_t> bytes = run(job_of(tiny_checkpoint("reference", kBf16), out.path(), kFp8));
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    const fs::path want = tiny_checkpoint("reference", kFp8);
    expect_same_tensors(out.path(), want);
    expect_sound(out.path());
    for (const char* name :
         {"config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"})
        EXPECT_EQ(text_of(out.path() / name), text_of(want / name)) << name;
    int64_t sum = 0;
    const Checkpoint written = open(out.path());
    for (const auto& [name, tensor] : written.tensors()) sum += std::ssize(tensor->data);
    EXPECT_EQ(bytes.value(), sum);
}

// The reference's ranges give the reference's tensors; the MTP layer is quantized there too.
TEST(Quantization, W8a8IsTheReferenceByteForByte) {
    const TemporaryFolder out;
    ASSERT_TRUE(run(job_of(tiny_checkpoint("reference", kBf16), out.path(), kW8a8)).ok());
    const fs::path want = tiny_checkpoint("reference", kW8a8);
    expect_same_tensors(out.path(), want);
    expect_sound(out.path());
    for (const char* name : {"quant_model_description.json", "config.json"})
        EXPECT_EQ(text_of(out.path() / name), text_of(want / name)) << name;
}

// e4m3 has 3 bits of mantissa: half of the last is 1/16 of a value, and 2^-10 below 2^-6.
TEST(Quantization, Fp8IsNearTheWeights) {
    const fs::path in = tiny_checkpoint("wide", kBf16);
    const TemporaryFolder out;
    ASSERT_TRUE(run(job_of(in, out.path(), kFp8)).ok());
    const Checkpoint from = open(in), to = open(out.path());
    const std::vector<std::string> modules = quantized_modules(to);
    EXPECT_GT(modules.size(), 100u);
    for (const std::string& module : modules) {
        const std::vector<float> want = values_of(from, module), got = values_of(to, module);
        Result<StoredLinear> linear = to.linear(module);
        const std::vector<float> scales = floats(*linear.value().scale);
        const int64_t K = linear.value().K, blocks = linear.value().scale->shape[1];
        for (int64_t i = 0; i < std::ssize(want); ++i) {
            const double scale = scales[i / K / 128 * blocks + i % K / 128];
            const double bound = std::max(std::abs(want[i]) / 16.0, scale / 1024);
            ASSERT_LE(std::abs(got[i] - want[i]), bound) << module << " at " << i;
        }
    }
}

TEST(Quantization, W8a8OfFp8IsNearWhatThatHolds) {
    const fs::path in = tiny_checkpoint("reference", kFp8);
    const TemporaryFolder out;
    ASSERT_TRUE(run(job_of(in, out.path(), kW8a8)).ok());
    expect_sound(out.path());
    EXPECT_FALSE(has(text_of(out.path() / "config.json"), "quantization_config"));
    const Checkpoint from = open(in), to = open(out.path());
    for (const std::string& module : quantized_modules(to)) {
        Result<StoredLinear> linear = to.linear(module);
        std::vector<double> scales;
        const std::vector<double> got = int8_values_of(linear.value(), &scales);
        const std::vector<float> want = values_of(from, module);
        for (int64_t i = 0; i < std::ssize(want); ++i)
            ASSERT_LE(std::abs(got[i] - want[i]), 0.5001 * scales[i / linear.value().K])
                << module << " at " << i;
    }
    // What is FLOAT there is the code times the scale, which bf16 holds exactly.
    for (const char* name : {"kv_b_proj", "indexer.wq_b", "indexer.wk"}) {
        const std::string module = str("model.layers.3.self_attn.", name);
        EXPECT_EQ(to.quant_type(module + ".weight"), "FLOAT");
        EXPECT_EQ(to.find(module + ".weight")->dtype, DType::bf16);
        EXPECT_EQ(values_of(to, module), values_of(from, module)) << name;
    }
}

// Every block with a scale of its own; the formula, block by block.
TEST(Quantization, RowsOfFp8AreCodesTimesTheirBlocksScale) {
    const int64_t N = 300, K = 200;
    std::vector<uint8_t> codes(N * K);
    for (int64_t i = 0; i < N * K; ++i) codes[i] = static_cast<uint8_t>(0x38 + i % 8);  // 1..1.875
    const std::vector<float> scales{1, 2, 0.25f, 3, 0.5f, 5};
    const StoredTensor weight{DType::f8e4m3, {N, K}, std::as_bytes(std::span(codes))},
        scale{DType::f32, {3, 2}, std::as_bytes(std::span(scales))};
    const StoredLinear linear{
        .kind = Linear::Kind::fp8, .N = N, .K = K, .weight = &weight, .scale = &scale};
    for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, N}, {100, 60}, {256, 44}}) {
        std::vector<float> rows(count * K);
        read_rows(linear, first, rows);
        for (int64_t n = 0; n < count; ++n)
            for (int64_t k = 0; k < K; ++k) {
                const int64_t i = (first + n) * K + k;
                const float block = scales[(first + n) / 128 * 2 + k / 128];
                ASSERT_EQ(rows[n * K + k], (1 + static_cast<float>(i % 8) / 8) * block)
                    << first + n << ", " << k;
            }
    }
}

TEST(Quantization, FilesAreAsLargeAsAsked) {
    Quantization job = job_of(tiny_checkpoint("reference", kBf16), "", kW8a8);
    const TemporaryFolder out;
    job.out = out.path() / "made" / "here";
    job.file_bytes_max = 400'000;
    int64_t last = 0, total = 0;
    job.progress = [&](int64_t done, int64_t all) {
        EXPECT_GE(done, last);
        last = done;
        total = all;
    };
    Result<int64_t> bytes = run(job);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    EXPECT_EQ(last, bytes.value());
    EXPECT_EQ(total, bytes.value());
    int files = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(job.out)) {
        if (entry.path().extension() != ".safetensors") continue;
        ++files;
        Result<Safetensors> file = Safetensors::open(entry.path());
        int64_t size = 0;
        for (const auto& [name, tensor] : file.value().tensors()) size += std::ssize(tensor.data);
        EXPECT_TRUE(size <= 400'000 || file.value().tensors().size() == 1) << entry.path();
    }
    EXPECT_GT(files, 5);
    expect_sound(job.out);
    expect_same_tensors(job.out, tiny_checkpoint("reference", kW8a8));
}

TEST(Quantization, FilesBesideTheWeightsAreCopied) {
    const TemporaryFolder temporary;
    const fs::path in = temporary.path() / "in", out = temporary.path() / "out";
    fs::copy(tiny_checkpoint("reference", kBf16), in);
    std::ofstream(in / "LICENSE-MODEL") << "free";
    std::ofstream(in / "chat_template.jinja") << "{{ messages }}";
    std::ofstream(in / "model.py") << "print()";
    ASSERT_TRUE(run(job_of(in, out, kFp8)).ok());
    EXPECT_EQ(text_of(out / "LICENSE-MODEL"), "free");
    EXPECT_EQ(text_of(out / "chat_template.jinja"), "{{ messages }}");
    EXPECT_FALSE(fs::exists(out / "model.py"));
}

TEST(Quantization, WhatIsQuantizedAlreadyIsRefused) {
    const TemporaryFolder out;
    for (const auto& [from, to] : {std::pair{kFp8, kFp8}, {kW8a8, kFp8}, {kW8a8, kW8a8}}) {
        const std::string message =
            refusal(job_of(tiny_checkpoint("reference", from), out.path() / "x", to));
        EXPECT_TRUE(has(message, str(" is ", name_of(from), " already"))) << message;
        EXPECT_FALSE(fs::exists(out.path() / "x"));
    }
}

TEST(Quantization, NothingIsOverwrittenUnasked) {
    const TemporaryFolder temporary;
    const fs::path in = temporary.path() / "in", out = temporary.path() / "out";
    fs::copy(tiny_checkpoint("reference", kBf16), in);
    Quantization job = job_of(in, temporary.path() / "in" / ".." / "in", kFp8);
    job.overwrite = true;
    EXPECT_TRUE(has(refusal(job), "is the checkpoint to read"));
    expect_same_tensors(in, tiny_checkpoint("reference", kBf16));

    job = job_of(in, out, kFp8);
    fs::create_directory(out);
    std::ofstream(out / "notes.txt") << "mine";
    EXPECT_TRUE(has(refusal(job), "--overwrite"));
    EXPECT_TRUE(has(refusal(job_of(in, out / "notes.txt", kFp8)), "is no folder"));
    job.overwrite = true;
    ASSERT_TRUE(run(job).ok());
    job = job_of(in, out, kW8a8);
    job.overwrite = true;
    ASSERT_TRUE(run(job).ok());  // No file of the FP8 checkpoint is left to be taken for it.
    expect_same_tensors(out, tiny_checkpoint("reference", kW8a8));
    expect_sound(out);
    EXPECT_EQ(text_of(out / "notes.txt"), "mine");
}

TEST(Quantization, WeightsThatAreNotFiniteAreRefused) {
    const TemporaryFolder temporary;
    const fs::path in = temporary.path() / "in";
    fs::copy(tiny_checkpoint("reference", kBf16), in);
    const char* name = "model.layers.1.mlp.experts.3.up_proj.weight";
    for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
        overwrite_bf16(in, name, {0, 0, bad});
        for (const CheckpointFormat format : {kFp8, kW8a8}) {
            const fs::path out = temporary.path() / str(bad, name_of(format));
            const std::string message = refusal(job_of(in, out, format));
            EXPECT_TRUE(has(message, name)) << message;
            EXPECT_FALSE(fs::exists(out / "config.json"));
        }
    }
}

TEST(Quantization, ZerosHaveAScaleThatIsNotZero) {
    const TemporaryFolder temporary;
    const fs::path in = temporary.path() / "in";
    fs::copy(tiny_checkpoint("reference", kBf16), in);
    const char* module = "model.layers.1.mlp.experts.3.up_proj";
    overwrite_bf16(in, "model.layers.1.mlp.experts.3.up_proj.weight",
                   std::vector<float>(128 * 256));
    for (const CheckpointFormat format : {kFp8, kW8a8}) {
        const fs::path out = temporary.path() / name_of(format);
        ASSERT_TRUE(run(job_of(in, out, format)).ok());
        expect_sound(out);
        const Checkpoint written = open(out);
        for (const std::byte code : written.linear(module).value().weight->data)
            ASSERT_EQ(code, std::byte{0});
    }
}

TEST(Quantization, RoundsHalfToEvenAndNeverBeyond127) {
    const std::vector<float> x{-127, 0.5f, 1.5f, 2.5f, -2.5f, 126.5f};
    std::vector<int8_t> codes(6);
    std::vector<float> scales(1);
    std::vector<int64_t> sums(1);
    quantize_int8_rows(x, 6, codes, scales, sums);
    EXPECT_EQ(scales[0], 1);
    EXPECT_EQ(codes, (std::vector<int8_t>{-127, 0, 2, 2, -2, 126}));
    EXPECT_EQ(sums[0], 1);
}

TEST(Quantization, ConfigGainsOrLosesOneKey) {
    const std::string plain = "{\n  \"b\": 1e-06,\n  \"a\": [\n    \"ü\"\n  ]\n}";
    const std::string fp8 = with_fp8_blocks(plain);
    EXPECT_TRUE(has(fp8, "\"scale_fmt\": \"ue8m0\"")) << fp8;
    EXPECT_TRUE(fp8.starts_with(plain.substr(0, plain.size() - 2))) << fp8;
    EXPECT_EQ(without_quantization(fp8), plain);
    EXPECT_EQ(with_fp8_blocks(fp8), fp8);
}

// What the range says a code stands for.
double value_of(const InputRange& range, int code) { return (code - range.offset) * range.scale; }

TEST(Quantization, RangesReachBothEnds) {
    for (const auto& [low, high] : {std::pair{-3.875f, 4.0f},
                                    {-0.1f, 7.3f},
                                    {0.5f, 2.0f},
                                    {-9.0f, -1.0f},
                                    {0.0f, 0.0f},
                                    {-1e-3f, 1e4f}}) {
        const InputRange range = range_between("m", low, high);
        EXPECT_GT(range.scale, 0);
        EXPECT_EQ(range.offset, std::rint(range.offset));
        const double half = 0.5001 * range.scale;
        EXPECT_LE(value_of(range, -128), std::min(low, 0.0f) + half) << low << " .. " << high;
        EXPECT_GE(value_of(range, 127), std::max(high, 0.0f) - half) << low << " .. " << high;
    }
    const InputRange range = range_between("m", -3.875f, 4.0f);
    EXPECT_EQ(range.scale, static_cast<float>(7.875 / 255));
    EXPECT_EQ(range.offset, -3);
}

}  // namespace
}  // namespace fathom
