#include "server/serve_flags.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

using Words = std::vector<std::string>;

ServeFlags parsed(const Words& words) {
    Result<ServeCommand> command = parse_serve_flags(words);
    EXPECT_TRUE(command.ok()) << command.error().message;
    return command.ok() ? std::move(command).value().flags : ServeFlags{};
}
std::string refused(const Words& words) {
    const Result<ServeCommand> command = parse_serve_flags(words);
    EXPECT_FALSE(command.ok());
    return command.ok() ? "" : command.error().message;
}

// The tutorial's decode node, as its script has it.
TEST(ServeFlags, TheTutorialsScript) {
    const ServeFlags f =
        parsed({"/weights",
                "--host",
                "0.0.0.0",
                "--port",
                "9100",
                "--data-parallel-size",
                "8",
                "--data-parallel-rank",
                "0",
                "--data-parallel-address",
                "10.0.0.1",
                "--data-parallel-rpc-port",
                "12777",
                "--tensor-parallel-size",
                "4",
                "--enable-expert-parallel",
                "--speculative-config",
                R"({"num_speculative_tokens": 2, "method":"deepseek_mtp"})",
                "--seed",
                "1024",
                "--served-model-name",
                "dsv3",
                "--max-model-len",
                "68000",
                "--max-num-batched-tokens",
                "12",
                "--compilation-config",
                R"({"cudagraph_mode":"FULL_DECODE_ONLY","cudagraph_capture_sizes":[3,6,9,12]})",
                "--trust-remote-code",
                "--max-num-seqs",
                "4",
                "--gpu-memory-utilization",
                "0.95",
                "--no-enable-prefix-caching",
                "--async-scheduling",
                "--quantization",
                "ascend",
                "--kv-transfer-config",
                R"({"kv_connector":"MooncakeConnectorV1","kv_role":"kv_consumer"})",
                "--additional-config",
                R"({"recompute_scheduler_enable":true})"});
    EXPECT_EQ(f.model, "/weights");
    EXPECT_EQ(f.host, "0.0.0.0");
    EXPECT_EQ(f.port, 9100);
    EXPECT_EQ(f.served_model_names, (Words{"dsv3"}));
    EXPECT_EQ(f.max_model_len, 68000);
    EXPECT_EQ(f.max_num_batched_tokens, 12);
    EXPECT_EQ(f.max_num_seqs, 4);
    EXPECT_EQ(f.seed, 1024u);
    EXPECT_FALSE(f.enable_prefix_caching);
    EXPECT_EQ(f.quantization, "ascend");
    EXPECT_EQ(f.no_meaning,
              (Words{"--trust-remote-code", "--additional-config", "--gpu-memory-utilization"}));
    EXPECT_EQ(f.not_built.size(), 10u);
}

TEST(ServeFlags, DtypesChooseActivationsAndCaches) {
    EXPECT_EQ(parsed({"m"}).latent, LatentFormat::fp8);
    EXPECT_EQ(parsed({"m", "--kv-cache-dtype", "bfloat16"}).index, IndexFormat::bf16);
    EXPECT_EQ(parsed({"m", "--kv_cache_dtype=fp8_ds_mla"}).latent, LatentFormat::fp8);
    EXPECT_EQ(parsed({"m", "--dtype", "float32"}).latent, LatentFormat::f32);
    EXPECT_EQ(parsed({"m", "--dtype", "float32"}).dtype, DType::f32);
    EXPECT_NE(refused({"m", "--dtype", "float32", "--kv-cache-dtype", "fp8"}).find("contradicts"),
              std::string::npos);
}

TEST(ServeFlags, HumanIntegers) {
    EXPECT_EQ(human_integer("68000"), 68000);
    EXPECT_EQ(human_integer("1k"), 1000);
    EXPECT_EQ(human_integer("1K"), 1024);
    EXPECT_EQ(human_integer("1.5m"), 1500000);
    EXPECT_EQ(human_integer("2G"), int64_t{2} << 30);
    for (const char* bad : {"", "k", "1.5K", "1kk", "-1", "1e3", "1.5", "0x10", "1..5k"})
        EXPECT_EQ(human_integer(bad), std::nullopt) << bad;
}

TEST(ServeFlags, RefusalsAreOneSentence) {
    EXPECT_EQ(refused({"m", "--port", "70000"}), "--port: 70000 is not an integer in 0..65535");
    EXPECT_NE(refused({"m", "--block-size", "48"}).find("48"), std::string::npos);
    EXPECT_NE(refused({}).find("no checkpoint"), std::string::npos);
    EXPECT_NE(refused({"m", "--max-num-seqs", "8", "--max-num-batched-tokens", "4"})
                  .find("--max-num-batched-tokens 4 is less than --max-num-seqs 8"),
              std::string::npos);
    EXPECT_NE(refused({"m", "--api-key", "secret"}).find("--api-key is not built yet"),
              std::string::npos);
    EXPECT_EQ(refused({"m", "--api-key", "secret"}).find("secret"), std::string::npos);
    EXPECT_NE(refused({"m", "--quantization", "awq"}).find("awq"), std::string::npos);
    EXPECT_NE(refused({"m", "n"}).find("n"), std::string::npos);
}

TEST(ServeFlags, HelpNamesEveryFlagAndStops) {
    Result<ServeCommand> command = parse_serve_flags(Words{"--help"});
    ASSERT_TRUE(command.ok());
    for (const char* name : {"--max-model-len", "--kv-cache-dtype", "--tensor-parallel-size"})
        EXPECT_NE(command.value().text.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace fathom
