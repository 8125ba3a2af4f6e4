#include "server/serve_flags.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>

#include "server/argv.h"

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
    {"worker-extension-cls", FlagKind::value, "there are no Python workers"}};

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
    {"profiler-config", FlagKind::json, "traces"},
    {"async-scheduling", FlagKind::toggle, "the next step while the last one's result is read"},
    {"reasoning-parser", FlagKind::value, "chat"},
    {"tool-call-parser", FlagKind::value, "chat"},
    {"enable-auto-tool-choice", FlagKind::toggle, "chat"},
    {"chat-template", FlagKind::value, "chat"},
    {"max-logprobs", FlagKind::value, "logprobs"},
    {"scheduling-policy", FlagKind::value, "first come, first served"}};

// Flags that guard the server: to ignore one would be worse than to refuse it.
constexpr const char* kRefused[] = {"api-key", "ssl-keyfile", "ssl-certfile", "ssl-ca-certs",
                                    "uds"};

const char* kind_name(DType dtype) { return dtype == DType::f32 ? "float32" : "bfloat16"; }

// Collects options into one CLI::App and the list of names that the rewriter must know.
class Options {
public:
    explicit Options(CLI::App& app) : app_(app) {}

    template <class T>
    CLI::Option* value(const std::string& name, T& to, const std::string& help) {
        names_.push_back({name, FlagKind::value});
        return app_.add_option("--" + name, to, help)->take_last()->capture_default_str();
    }
    // An integer with k, m, K, M .. behind it.
    template <class T>
    void integer(const std::string& name, T& to, int64_t low, int64_t high,
                 const std::string& help) {
        names_.push_back({name, FlagKind::value});
        const auto refuse = [low, high](const std::string& text) -> std::string {
            const std::optional<int64_t> number = human_integer(text);
            if (number && low <= *number && *number <= high) return "";
            return str(text, " is not an integer in ", low, "..", high);
        };
        const auto set = [&to](const std::string& text) {
            to = static_cast<T>(*human_integer(text));
        };
        app_.add_option_function<std::string>("--" + name, set, help)
            ->check(refuse)
            ->take_last()
            ->default_str(std::to_string(to));
    }
    void toggle(const std::string& name, bool& to, const std::string& help) {
        names_.push_back({name, FlagKind::toggle});
        app_.add_flag("--" + name, to, help)->take_last()->capture_default_str();
    }
    void values(const std::string& name, std::vector<std::string>& to, const std::string& help) {
        names_.push_back({name, FlagKind::values});
        app_.add_option("--" + name, to, help)->expected(1)->take_all();
    }
    void idle(const IdleFlag& flag, std::vector<std::string>& given, const std::string& why) {
        names_.push_back({flag.name, flag.kind});
        const std::string name = str("--", flag.name), help = str(why, ": ", flag.help);
        if (flag.kind == FlagKind::toggle)
            app_.add_flag_function(
                name, [&given, name](int64_t) { given.push_back(name); }, help);
        else
            app_.add_option_function<std::string>(
                    name, [&given, name](const std::string&) { given.push_back(name); }, help)
                ->take_last();
    }
    void name_only(const char* name) { names_.push_back({name, FlagKind::value}); }

    const std::vector<FlagName>& names() const { return names_; }

private:
    CLI::App& app_;
    std::vector<FlagName> names_;
};

// What the command line says as words, before it is translated.
struct Words {
    std::string dtype = "auto", kv_cache_dtype = "auto", log_level = "info";
    bool no_access_log = false;
};

// "" for a number that a uint64_t holds, else what is wrong with it.
std::string unsigned_problem(const std::string& text) {
    uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, number);
    if (code == std::errc() && stop == end) return "";
    return str(text, " is not an integer in 0..", std::numeric_limits<uint64_t>::max());
}

void add_options(Options& o, ServeFlags& f, Words& w) {
    o.value("host", f.host, "address to listen on");
    o.integer("port", f.port, 0, 65535, "TCP port; 0 takes a free one and says which");
    o.values("served-model-name", f.served_model_names, "names that requests may use");
    o.integer("max-model-len", f.max_model_len, 1, 1 << 24, "tokens of a prompt and its output");
    o.integer("max-num-batched-tokens", f.max_num_batched_tokens, 1, 1 << 20,
              "tokens computed in one step; more: quicker prompts, longer gaps between tokens");
    o.integer("max-num-seqs", f.max_num_seqs, 1, 4096, "sequences in one step");
    o.value("block-size", f.block_size, "tokens in a block of the cache")
        ->check(CLI::IsMember({16, 32, 64, 128}));
    o.integer("kv-cache-memory-bytes", f.kv_cache_memory_bytes, 1, int64_t{1} << 50,
              "memory of the cache");
    o.toggle("enable-prefix-caching", f.enable_prefix_caching, "share computed beginnings");
    o.integer("max-waiting-requests", f.max_waiting_requests, 1, 1 << 20,
              "requests that may wait; more get 429");
    o.value("dtype", w.dtype, "activations: auto (bfloat16), bfloat16, float32")
        ->check(CLI::IsMember({"auto", "bfloat16", "float32"}));
    o.value("kv-cache-dtype", w.kv_cache_dtype, "auto (fp8), fp8, fp8_ds_mla, bfloat16")
        ->check(CLI::IsMember({"auto", "fp8", "fp8_e4m3", "fp8_ds_mla", "bf16", "bfloat16"}));
    o.value("quantization", f.quantization, "must be what the checkpoint is: ascend, fp8")
        ->check(CLI::IsMember({"ascend", "fp8"}));
    o.value("seed", f.seed, "of requests that bring none")->check(unsigned_problem);
    o.integer("threads", f.threads, 1, 256, "CPU threads of the model");
    o.integer("shutdown-timeout", f.shutdown_timeout_s, 0, 86400,
              "seconds that running requests get after SIGTERM");
    o.toggle("disable-uvicorn-access-log", w.no_access_log, "no line per request");
    o.value("uvicorn-log-level", w.log_level, "debug, info, warning, error, critical")
        ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "critical"}));
    for (const IdleFlag& flag : kNoMeaning) o.idle(flag, f.no_meaning, "no meaning here");
    for (const IdleFlag& flag : kNotBuilt) o.idle(flag, f.not_built, "not built yet");
    for (const char* name : kRefused) o.name_only(name);
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
    f.access_log = !w.no_access_log;
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

Status refuse_guards(const std::vector<std::string>& words) {
    for (const std::string& word : words)
        for (const char* name : kRefused)
            if (word == str("--", name))
                return usage(str(word,
                                 " is not built yet and will not be ignored; leave it out and "
                                 "keep --host at 127.0.0.1 behind a proxy that guards it"));
    return Unit{};
}

// CLI11's messages without its class names and line breaks.
std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

}  // namespace

std::optional<int64_t> human_integer(const std::string& text) {
    size_t digits = 0;
    while (digits < text.size() &&
           (std::isdigit(static_cast<unsigned char>(text[digits])) || text[digits] == '.'))
        ++digits;
    if (digits == 0 || digits > 15 || text.size() - digits > 1) return std::nullopt;
    const bool whole = text.substr(0, digits).find('.') == std::string::npos;
    const char suffix = digits < text.size() ? text[digits] : ' ';
    const size_t power = std::string(" kmgt").find(suffix),
                 binary = std::string(" KMGT").find(suffix);
    double scale = 1;
    if (power != std::string::npos)
        scale = std::pow(1000.0, static_cast<double>(power));
    else if (binary != std::string::npos && whole)
        scale = std::pow(1024.0, static_cast<double>(binary));
    else
        return std::nullopt;
    if (!whole && suffix == ' ') return std::nullopt;
    if (std::count(text.begin(), text.end(), '.') > 1) return std::nullopt;
    return static_cast<int64_t>(std::llround(std::stod(text.substr(0, digits)) * scale));
}

Result<ServeCommand> parse_serve_flags(std::span<const std::string> words) {
    ServeCommand command;
    ServeFlags& f = command.flags;
    Words w;
    CLI::App app("Serves a DeepSeek-V3.2 checkpoint over HTTP.", "fathom serve");
    std::string model_flag;
    app.add_option("checkpoint", f.model, "folder with config.json, tokenizer.json, *.safetensors");
    Options options(app);
    options.value("model", model_flag, "the same, as a flag");
    add_options(options, f, w);
    std::vector<FlagName> names = options.names();
    names.push_back({"help", FlagKind::toggle});

    Result<std::vector<std::string>> plain = rewrite_argv(words, names);
    if (!plain.ok()) return std::move(plain).error();
    std::vector<std::string>& argv = plain.value();
    if (Status status = refuse_guards(argv); !status.ok()) return std::move(status).error();
    for (std::string& word : argv)
        if (word == "--help=true" || word == "-h") {
            command.text = app.help();
            return command;
        }
    std::reverse(argv.begin(), argv.end());  // CLI11 takes them from the back.
    try {
        app.parse(argv);
    } catch (const CLI::ParseError& error) {
        return usage(one_line(error.what()));
    }
    if (!f.model.empty() && !model_flag.empty() && f.model != model_flag)
        return usage(
            str("two checkpoints, ", f.model, " and --model ", model_flag, "; leave one out"));
    if (f.model.empty()) f.model = model_flag;
    if (f.model.empty())
        return usage("no checkpoint: name its folder, as in `fathom serve models/tiny`");
    if (Status status = translate(w, f); !status.ok()) return std::move(status).error();
    return command;
}

}  // namespace fathom
