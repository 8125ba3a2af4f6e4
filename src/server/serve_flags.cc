#include "server/serve_flags.h"

#include "server/flag_list.h"

namespace fathom {
namespace {

// Flags of vLLM's that are accepted, so that scripts run, and do nothing.
struct IdleFlag {
    const char* name;
    FlagKind kind;
    const char* help;
};

constexpr IdleFlag kNoMeaning[] = {
    {"trust-remote-code", FlagKind::toggle, "nothing from a checkpoint folder is ever run"},
    {"additional-config", FlagKind::json, "options of Ascend's plugin"},
    {"gpu-memory-utilization", FlagKind::value,
     "the plan is printed in bytes; see "
     "--kv-cache-memory-bytes"},
    {"enforce-eager", FlagKind::toggle, "there are no graphs on the CPU"},
    {"distributed-executor-backend", FlagKind::value, "ranks are threads and processes of ours"},
    {"load-format", FlagKind::value, "safetensors only"},
    {"tokenizer-mode", FlagKind::value, "the checkpoint's own tokenizer.json is used"},
    {"disable-log-stats", FlagKind::toggle, "statistics are never logged"},
    {"api-server-count", FlagKind::value, "one front end serves all"},
    {"chat-template-content-format", FlagKind::value, "V3.2 has no template"},
    {"enable-chunked-prefill", FlagKind::toggle, "always on"},
    {"swap-space", FlagKind::value, "preempted sequences are recomputed"},
    {"worker-extension-cls", FlagKind::value, "there are no Python workers"},
    {"disable-fastapi-docs", FlagKind::toggle, "there are no pages of documentation"},
    {"disable-log-requests", FlagKind::toggle, "they are not, without --enable-log-requests"},
    {"disable-frontend-multiprocessing", FlagKind::toggle, "the front end is a thread"},
    {"h11-max-header-count", FlagKind::value, "headers are limited by their bytes"}};

constexpr IdleFlag kNotBuilt[] = {
    {"tensor-parallel-size", FlagKind::value, "ranks that share each layer"},
    {"pipeline-parallel-size", FlagKind::value, "ranks that share the layers"},
    {"data-parallel-size", FlagKind::value, "ranks with a scheduler each"},
    {"data-parallel-rank", FlagKind::value, "this process's rank among them"},
    {"data-parallel-size-local", FlagKind::value, "ranks of this node"},
    {"data-parallel-start-rank", FlagKind::value, "first rank of this node"},
    {"data-parallel-address", FlagKind::value, "where rank 0 listens"},
    {"data-parallel-rpc-port", FlagKind::value, "and its port"},
    {"headless", FlagKind::toggle, "ranks without a front end"},
    {"enable-expert-parallel", FlagKind::toggle, "experts split over all ranks"},
    {"speculative-config", FlagKind::json, "drafts by the MTP layer"},
    {"compilation-config", FlagKind::json, "graphs"},
    {"kv-transfer-config", FlagKind::json, "prefill and decode on different nodes"},
    {"async-scheduling", FlagKind::toggle, "the next step while the last one's result is read"},
    {"chat-template", FlagKind::value, "chat"},
    {"enable-ssl-refresh", FlagKind::toggle, "certificates that change are read again"}};

const char* kind_name(DType dtype) { return dtype == DType::f32 ? "float32" : "bfloat16"; }

// What the command line says as words, before it is translated.
struct Words {
    std::string dtype = "auto", kv_cache_dtype = "auto", log_level = "info";
    bool no_access_log = false;
    std::string block_size = "64";
    std::string model;  // As a flag.
    ApiFlagWords api;
};

void add_engine_flags(FlagList& o, ServeFlags& f, Words& w) {
    o.integer("max-model-len", f.max_model_len, 1, 1 << 24, "tokens of a prompt and its output");
    o.integer("max-num-batched-tokens", f.max_num_batched_tokens, 1, 1 << 20,
              "tokens computed in one step; more: quicker prompts, longer gaps between tokens");
    o.integer("max-num-seqs", f.max_num_seqs, 1, 4096, "sequences in one step");
    o.choice("block-size", w.block_size, {"16", "32", "64", "128"},
             "tokens in a block of the cache");
    o.integer("kv-cache-memory-bytes", f.kv_cache_memory_bytes, 1, int64_t{1} << 50,
              "memory of the cache");
    o.toggle("enable-prefix-caching", f.enable_prefix_caching, "share computed beginnings");
    o.integer("max-waiting-requests", f.max_waiting_requests, 1, 1 << 20,
              "requests that may wait; more get 429");
    o.choice("dtype", w.dtype, {"auto", "bfloat16", "float32"},
             "activations: auto (bfloat16), bfloat16, float32");
    o.choice("kv-cache-dtype", w.kv_cache_dtype,
             {"auto", "fp8", "fp8_e4m3", "fp8_ds_mla", "bf16", "bfloat16"},
             "auto (fp8), fp8, fp8_ds_mla, bfloat16");
    o.choice("quantization", f.quantization, {"ascend", "fp8"},
             "must be what the checkpoint is: ascend, fp8");
    o.unsigned_integer("seed", f.seed, "of requests that bring none");
    o.integer("threads", f.threads, 1, 256, "CPU threads of the model");
}

void add_flags(FlagList& o, ServeFlags& f, Words& w) {
    o.positional("checkpoint", f.model, "folder with config.json, tokenizer.json, *.safetensors");
    o.text("model", w.model, "the same, as a flag");
    o.values("served-model-name", f.served_model_names, "names that requests may use");
    add_http_flags(o, f.http);
    add_api_flags(o, f.api, w.api);
    add_engine_flags(o, f, w);
    o.integer("shutdown-timeout", f.shutdown_timeout_s, 0, 86400,
              "seconds that running requests get after SIGTERM");
    o.toggle("disable-uvicorn-access-log", w.no_access_log, "no line per request");
    o.choice("uvicorn-log-level", w.log_level,
             {"trace", "debug", "info", "warning", "error", "critical"},
             "debug, info, warning, error, critical");
    for (const IdleFlag& flag : kNoMeaning)
        o.idle(flag.name, flag.kind, f.no_meaning, str("no meaning here: ", flag.help));
    for (const IdleFlag& flag : kNotBuilt)
        o.idle(flag.name, flag.kind, f.not_built, str("not built yet: ", flag.help));
}

Error usage(std::string message) { return Error{Code::invalid_argument, std::move(message)}; }

Status translate(const Words& w, ServeFlags& f) {
    f.dtype = w.dtype == "float32" ? DType::f32 : DType::bf16;
    const bool bf16_cache = w.kv_cache_dtype.starts_with("bf");
    if (f.dtype == DType::f32 && w.kv_cache_dtype != "auto")
        return usage(str("--dtype ", kind_name(f.dtype),
                         " keeps the cache in float32, which "
                         "contradicts --kv-cache-dtype ",
                         w.kv_cache_dtype, "; leave one out"));
    if (f.dtype == DType::f32) f.latent = LatentFormat::f32, f.index = IndexFormat::f32;
    if (bf16_cache) f.latent = LatentFormat::bf16, f.index = IndexFormat::bf16;
    f.http.access_log = !w.no_access_log;
    f.block_size = std::stoi(w.block_size);
    f.log_level = w.log_level == "trace" || w.log_level == "debug" ? log::Level::debug
                  : w.log_level == "warning"                       ? log::Level::warning
                  : w.log_level == "info"                          ? log::Level::info
                                                                   : log::Level::error;
    const int tokens = f.max_num_batched_tokens, sequences = f.max_num_seqs;
    if (tokens > 0 && sequences > tokens)
        return usage(str("--max-num-batched-tokens ", tokens, " is less than --max-num-seqs ",
                         sequences, ": every running sequence needs a token of each step"));
    return Unit{};
}

}  // namespace

Result<ServeCommand> parse_serve_flags(std::span<const std::string> words) {
    ServeCommand command;
    ServeFlags& f = command.flags;
    Words w;
    FlagList list("Serves a DeepSeek-V3.2 checkpoint over HTTP.", "fathom serve");
    add_flags(list, f, w);
    Result<std::optional<std::string>> help = list.parse(words);
    if (!help.ok()) return std::move(help).error();
    if (help.value()) {
        command.text = std::move(*help.value());
        return command;
    }
    if (!f.model.empty() && !w.model.empty() && f.model != w.model)
        return usage(
            str("two checkpoints, ", f.model, " and --model ", w.model, "; leave one out"));
    if (f.model.empty()) f.model = w.model;
    if (f.model.empty())
        return usage("no checkpoint: name its folder, as in `fathom serve models/tiny`");
    if (Status status = settle_http_flags(f.http); !status.ok()) return std::move(status).error();
    if (Status status = settle_api_flags(w.api, f.api); !status.ok())
        return std::move(status).error();
    if (Status status = translate(w, f); !status.ok()) return std::move(status).error();
    return command;
}

}  // namespace fathom
