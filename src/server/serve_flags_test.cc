#include "server/serve_flags.h"

#include <gtest/gtest.h>

#include <cstdlib>

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
    EXPECT_EQ(f.http.host, "0.0.0.0");
    EXPECT_EQ(f.http.port, 9100);
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
    EXPECT_NE(refused({"m", "--quantization", "awq"}).find("awq"), std::string::npos);
    EXPECT_NE(refused({"m", "n"}).find('n'), std::string::npos);
}

// The recipe's line for tools and thinking.
TEST(ServeFlags, TheRecipesParsers) {
    const ServeFlags f =
        parsed({"m", "--tokenizer-mode", "deepseek_v32", "--tool-call-parser", "deepseek_v32",
                "--enable-auto-tool-choice", "--reasoning-parser", "deepseek_v3"});
    EXPECT_TRUE(f.api.enable_auto_tool_choice);
    EXPECT_EQ(f.api.tool_call_parser, "deepseek_v32");
    EXPECT_EQ(f.api.reasoning_parser, "deepseek_v3");
    EXPECT_EQ(refused({"m", "--tool-call-parser", "hermes"}),
              "--tool-call-parser hermes reads the calls of another model; DeepSeek-V3.2 writes "
              "deepseek_v32");
    EXPECT_NE(refused({"m", "--reasoning-parser", "deepseek_r1"}).find("deepseek_v3"),
              std::string::npos);
    EXPECT_NE(refused({"m", "--enable-auto-tool-choice"}).find("needs --tool-call-parser"),
              std::string::npos);
}

TEST(ServeFlags, OfTheApi) {
    const ApiFlags d = parsed({"m"}).api;
    EXPECT_EQ(d.max_logprobs, 20);
    EXPECT_EQ(d.response_role, "assistant");
    EXPECT_EQ(d.add_bos, ApiFlags::AddBos::automatic);
    EXPECT_FALSE(d.priority_scheduling);
    const ApiFlags f =
        parsed({"m", "--max-logprobs", "-1", "--tools-prompt-style", "vllm", "--developer-role",
                "system", "--add-bos", "never", "--scheduling-policy", "priority",
                "--override-generation-config.temperature", "0.5", "--accept-any-model"})
            .api;
    EXPECT_EQ(f.max_logprobs, -1);
    EXPECT_EQ(f.chat.tools_prompt, ChatFormatOptions::ToolsPrompt::vllm);
    EXPECT_EQ(f.chat.developer_role, ChatFormatOptions::DeveloperRole::system);
    EXPECT_EQ(f.add_bos, ApiFlags::AddBos::never);
    EXPECT_TRUE(f.priority_scheduling);
    EXPECT_EQ(f.override_generation_config, R"({"temperature":0.5})");
    EXPECT_TRUE(f.accept_any_model);
    EXPECT_EQ(refused({"m", "--max-logprobs", "-2"}),
              "--max-logprobs: -2 is not an integer in -1..1048576");
    EXPECT_NE(refused({"m", "--add-bos", "maybe"}).find("maybe"), std::string::npos);
}

TEST(ServeFlags, TheProfilerInBothWords) {
    EXPECT_EQ(parsed({"m"}).api.profile_dir, "");
    EXPECT_EQ(parsed({"m", "--profile-dir", "/t"}).api.profile_dir, "/t");
    EXPECT_EQ(parsed({"m", "--profiler-config.profiler", "torch",
                      "--profiler-config.torch_profiler_dir", "/t"})
                  .api.profile_dir,
              "/t");
    EXPECT_EQ(parsed({"m", "--profiler-config", "{}"}).api.profile_dir, "");
    EXPECT_NE(refused({"m", "--profiler-config", R"({"profiler":"cuda"})"}).find("\"cuda\""),
              std::string::npos);
}

TEST(ServeFlags, OfConnections) {
    const HttpFlags d = parsed({"m"}).http;
    EXPECT_EQ(d.allowed_origins, (Words{"*"}));
    EXPECT_EQ(d.max_body_bytes, 64 << 20);
    EXPECT_TRUE(d.access_log);
    EXPECT_TRUE(d.api_keys.empty());
    const HttpFlags f = parsed({"m",
                                "--allowed-origins",
                                R"(["http://a","http://b"])",
                                "--allowed-methods",
                                "GET",
                                "POST",
                                "--root-path",
                                "/llm/",
                                "--api-key",
                                "one",
                                "two",
                                "--api-key",
                                "three",
                                "--ssl-keyfile",
                                "k",
                                "--ssl-certfile",
                                "c",
                                "--ssl-ca-certs",
                                "a",
                                "--ssl-cert-reqs",
                                "2",
                                "--max-body-bytes",
                                "1M",
                                "--disable-uvicorn-access-log"})
                            .http;
    EXPECT_EQ(f.allowed_origins, (Words{"http://a", "http://b"}));
    EXPECT_EQ(f.allowed_methods, (Words{"GET", "POST"}));
    EXPECT_EQ(f.root_path, "/llm");
    EXPECT_EQ(f.api_keys, (Words{"one", "two", "three"}));
    EXPECT_FALSE(f.access_log);
    const http::ServerOptions options = server_options(f);
    EXPECT_EQ(options.body_bytes_max, 1u << 20);
    ASSERT_TRUE(options.tls.has_value());
    EXPECT_EQ(options.tls->certificate_file, "c");
    EXPECT_EQ(options.tls->client_certificate, http::TlsOptions::ClientCertificate::required);
    EXPECT_FALSE(server_options(d).tls.has_value());
    EXPECT_EQ(parsed({"m", "--api-key", "[a,b]"}).http.api_keys, (Words{"[a,b]"}));
    EXPECT_EQ(parsed({"[m]"}).model, "[m]");
    EXPECT_NE(refused({"m", "--ssl-keyfile", "k"}).find("needs --ssl-certfile"), std::string::npos);
    EXPECT_NE(refused({"m", "--ssl-ca-certs", "a"}).find("--ssl-keyfile"), std::string::npos);
    EXPECT_NE(refused({"m", "--allowed-origins", "[1]"}).find("[1] is not a JSON list"),
              std::string::npos);
    EXPECT_NE(refused({"m", "--root-path", "llm"}).find("write /llm"), std::string::npos);
    EXPECT_NE(refused({"m", "--api-key", "a\nb"}).find("--api-key"), std::string::npos);
}

TEST(ServeFlags, AKeyFromTheEnvironmentWhereNoFlagNamesOne) {
    ASSERT_EQ(::setenv("VLLM_API_KEY", "secret", 1), 0);
    EXPECT_EQ(parsed({"m"}).http.api_keys, (Words{"secret"}));
    EXPECT_EQ(parsed({"m", "--api-key", "mine"}).http.api_keys, (Words{"mine"}));
    ::unsetenv("VLLM_API_KEY");
}

TEST(ServeFlags, HelpNamesEveryFlagAndStops) {
    Result<ServeCommand> command = parse_serve_flags(Words{"--help"});
    ASSERT_TRUE(command.ok());
    for (const char* name : {"--max-model-len", "--kv-cache-dtype", "--tensor-parallel-size"})
        EXPECT_NE(command.value().text.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace fathom
