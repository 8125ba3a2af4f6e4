#include "server/serve.h"

#include <pthread.h>
#include <sys/resource.h>

#include <condition_variable>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>

#include "checkpoint/verify.h"
#include "engine/engine.h"
#include "engine/runner.h"
#include "model/activations.h"
#include "model/load.h"
#include "server/metrics.h"
#include "server/model_routes.h"
#include "server/profile_routes.h"
#include "server/progress_bar.h"
#include "server/router.h"
#include "server/serve_plan.h"
#include "server/signals.h"
#include "server/startup_lines.h"
#include "server/status_routes.h"
#include "server/tokenize.h"

namespace fathom {
namespace {

using namespace std::chrono_literals;

constexpr int kWorkers = 2;             // Threads that parse bodies and tokenize.
constexpr size_t kWorkersQueue = 1024;  // Bodies that wait for them; more get 429.
constexpr auto kCloseGrace = 2s;        // For the last answers to be read.

// Everything that is known of the checkpoint before anything large is allocated.
struct Loaded {
    ModelArgs args;
    std::optional<Checkpoint> checkpoint;  // Gone once the weights are in place.
    Tokenizer tokenizer;
    std::vector<Token> end_tokens;
    ServedModel served;
};

Status check_quantization(const ServeFlags& flags, const Checkpoint& checkpoint) {
    const CheckpointFormat format = checkpoint.format();
    const bool contradicts = (flags.quantization == "ascend" && format != CheckpointFormat::w8a8) ||
                             (flags.quantization == "fp8" && format != CheckpointFormat::fp8);
    if (contradicts)
        return Error{Code::invalid_argument, str("--quantization ", flags.quantization,
                                                 " contradicts the checkpoint, which is ",
                                                 name_of(format), "; leave the flag out")};
    return Unit{};
}

Result<Checkpoint> open_checked(const ServeFlags& flags, const ModelArgs& args,
                                const Console& console) {
    Result<Checkpoint> checkpoint = Checkpoint::open(flags.model);
    if (!checkpoint.ok()) return checkpoint;
    if (Status status = check_quantization(flags, checkpoint.value()); !status.ok())
        return std::move(status).error();
    const Verification found = verify(checkpoint.value(), args);
    for (const std::string& note : found.notes) console.say("note: " + note);
    if (found.problems.empty()) return checkpoint;
    return Error{Code::corrupt,
                 str(flags.model, ": ", found.problems[0],
                     found.problems.size() == 1 ? ""
                                                : str(" (and ", found.problems.size() - 1,
                                                      " more: fathom inspect ", flags.model, ")"))};
}

bool begins_with_bos(ApiFlags::AddBos asked, const Tokenizer& tokenizer) {
    if (asked == ApiFlags::AddBos::automatic) return tokenizer.add_bos();
    return asked == ApiFlags::AddBos::always;
}

Result<Loaded> open_model(const ServeFlags& flags, const Console& console) {
    Result<ModelArgs> args = load_model_args(flags.model);
    if (!args.ok()) return std::move(args).error();
    Result<Checkpoint> checkpoint = open_checked(flags, args.value(), console);
    if (!checkpoint.ok()) return std::move(checkpoint).error();
    Result<Tokenizer> tokenizer = Tokenizer::open(flags.model);
    if (!tokenizer.ok()) return std::move(tokenizer).error();
    const auto largest = static_cast<Token>(tokenizer.value().vocab_size() - 1);
    if (auto problem = tokenizer_problem(largest, args.value()))
        return Error{Code::corrupt, std::move(*problem)};
    Result<std::vector<Token>> ends = load_end_tokens(flags.model, args.value());
    if (!ends.ok()) return std::move(ends).error();
    const std::string& config = flags.api.generation_config;
    Result<api::SamplingDefaults> defaults =
        load_sampling_defaults(config == "auto"   ? flags.model
                               : config == "vllm" ? ""
                                                  : config,
                               flags.api.override_generation_config);
    if (!defaults.ok()) return std::move(defaults).error();

    ServedModel served{.names = served_names(flags.served_model_names, flags.model),
                       .path = flags.model,
                       .created = std::time(nullptr),
                       .vocab_size = args.value().vocab_size,
                       .rules = {.defaults = defaults.value(),
                                 .max_logprobs = flags.api.max_logprobs,
                                 .choices_max = flags.max_waiting_requests,
                                 .force_usage = flags.api.enable_force_include_usage,
                                 .tokens_as_ids = flags.api.return_tokens_as_token_ids},
                       .chat = flags.api.chat,
                       .response_role = flags.api.response_role,
                       .exclude_tools_when_none = flags.api.exclude_tools_when_tool_choice_none,
                       .prompt_tokens_details = flags.api.enable_prompt_tokens_details,
                       .log_requests = flags.api.enable_log_requests,
                       .accept_any = flags.api.accept_any_model,
                       .add_bos = begins_with_bos(flags.api.add_bos, tokenizer.value())};
    return Loaded{args.value(), std::move(checkpoint).value(), std::move(tokenizer).value(),
                  std::move(ends).value(), std::move(served)};
}

void say_all(const Console& console, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) console.say(line);
}

// Set by the signal thread; the main thread waits for it once the server is ready.
class Shutdown {
public:
    // Leaves at once where there is nothing to finish: before ready, or when asked again.
    void request(int count) {
        const std::lock_guard lock(mutex_);
        if (!ready_ || count > 1) std::_Exit(count > 1 ? 1 : 0);
        requested_ = true;
        changed_.notify_all();
    }
    // From now on requests may come, and are finished first.
    void set_ready() {
        const std::lock_guard lock(mutex_);
        ready_ = true;
    }
    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return requested_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ready_ = false, requested_ = false;
};

// A connection is a descriptor; the usual soft limit of 1,024 is less than connections_max.
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

http::ServerOptions server_options(const ServeFlags& flags, const Router& router) {
    http::ServerOptions options = server_options(flags.http);
    options.answer_headers = [&router](const http::Request& request,
                                       std::vector<http::Header>& headers) {
        router.add_headers(request, headers);
    };
    options.error_body = [](int status, std::string_view message) {
        return api::to_json(api::error_of_status(status, message));
    };
    return options;
}

// Weights, threads and cache of the one rank.
struct Rank {
    Rank(const ServeFlags& flags, const Loaded& model, const MemoryPlan& plan,
         const Console& console)
        : workers(thread_count(flags)),
          arena(activation_bytes(model.args, plan.limits, flags.dtype, flags.index,
                                 thread_count(flags))) {
        stream.workers = &workers;
        stream.arena = &arena;
        ProgressBar bar("loading weights", console);
        auto transformer = load_transformer(
            *model.checkpoint, model.args, stream,
            {.progress = [&](int64_t done, int64_t total) { bar.update(done, total); }});
        runner = std::make_unique<Runner>(
            Runner::Options{.limits = plan.limits,
                            .dtype = flags.dtype,
                            .end_tokens = model.end_tokens,
                            .vocab = static_cast<int>(model.tokenizer.vocab_size())},
            std::move(transformer), plan.layout, stream);
    }

    Workers workers;
    Arena arena;
    Stream stream;
    std::unique_ptr<StepRunner> runner;
};

EngineFigures figures_of(const EngineStats& stats) {
    return {.running = stats.running,
            .waiting = stats.waiting,
            .cache_usage = static_cast<double>(stats.blocks_used) /
                           static_cast<double>(std::max<int64_t>(stats.blocks, 1)),
            .preemptions = stats.preemptions,
            .prompt_tokens = stats.prompt_tokens,
            .generated_tokens = stats.generated_tokens,
            .prefix_queries = stats.prefix_queries,
            .prefix_hits = stats.prefix_hits,
            .steps_by_tokens = {stats.step_tokens.counts.begin(), stats.step_tokens.counts.end()},
            .step_tokens = stats.step_tokens.sum};
}

Metrics::Options metrics_options(const ServeFlags& flags, const ServedModel& model,
                                 const MemoryPlan& plan) {
    return {.model_name = model.names[0],
            .max_model_len = model.max_model_len,
            .cache_config = {
                {"block_size", str(plan.limits.block_tokens)},
                {"num_gpu_blocks", str(plan.limits.num_blocks)},
                {"cache_dtype", flags.latent == LatentFormat::fp8    ? "fp8_ds_mla"
                                : flags.latent == LatentFormat::bf16 ? "bfloat16"
                                                                     : "float32"},
                {"enable_prefix_caching", flags.enable_prefix_caching ? "True" : "False"}}};
}

Status add_tokenizer_info(Router& router, const std::string& folder) {
    Result<std::string> info = load_tokenizer_info(folder);
    if (!info.ok()) return std::move(info).error();
    router.add({"GET", "/tokenizer_info", [json = std::move(info).value()](http::Exchange& http) {
                    http.reply(200, "application/json", json);
                }});
    return Unit{};
}

// Serves until a signal comes; every part is gone when it returns.
void run_server(const ServeFlags& flags, Loaded& model, const MemoryPlan& plan,
                http::Server& server, Router& router, Shutdown& shutdown, const Console& console,
                Clock::time_point begin) {
    Metrics metrics(metrics_options(flags, model.served, plan));
    StatusRoutes status(router, model.served, metrics, flags.api.enable_server_load_tracking);
    router.set_on_answered([&metrics](const http::Answered& answered, const std::string& route) {
        metrics.on_answered(answered, route);
    });
    std::thread io([&] {
        ::pthread_setname_np(::pthread_self(), "fathom-io");  // For top, traces, bench_streams.
        if (Status status = server.run(router); !status.ok()) log::error(status.error().message);
    });
    Rank rank(flags, model, plan, console);
    model.checkpoint.reset();              // Unmapped: its pages would count as ours.
    GenerationHandler* handler = nullptr;  // Used on the I/O thread only, once it is set there.
    Engine engine(
        {.limits = plan.limits,
         .prefix_caching = flags.enable_prefix_caching,
         .priority_scheduling = flags.api.priority_scheduling,
         .end_tokens = model.end_tokens},
        std::move(rank.runner),
        [&](std::vector<TokenEvent> events) {
            server.post([&handler, events = std::move(events)]() mutable {
                handler->on_events(std::move(events));
            });
        },
        flags.seed);
    {
        http::WorkerPool workers(kWorkers, kWorkersQueue,
                                 [&](std::function<void()> f) { server.post(std::move(f)); });
        GenerationHandler generation(model.served, server, workers, engine, metrics);
        std::optional<ProfileRoutes> profile;
        server.post([&] {
            handler = &generation;
            if (!flags.api.profile_dir.empty())
                profile.emplace(router, server, workers, flags.api.profile_dir);
            metrics.set_engine([&engine] { return figures_of(engine.stats()); });
            status.open([&engine] { return engine.healthy(); },
                        [&engine] { engine.reset_prefix_cache(); });
            router.open(model_routes(generation),
                        [&](uint64_t id) { generation.on_disconnect(id); });
        });
        shutdown.set_ready();
        say_all(console, ready_lines(flags, model.served, server.port(), seconds_since(begin)));
        shutdown.wait();
        log::info("shutting down: running requests get ", flags.shutdown_timeout_s, " s");
        const bool all = engine.drain(std::chrono::seconds(flags.shutdown_timeout_s));
        if (!all) log::warning("some requests were still running and are cut off");
        engine.stop();
        server.stop(kCloseGrace);
        io.join();
    }
}

}  // namespace

Status serve(const ServeFlags& flags, const Console& console) {
    const Clock::time_point begin = Clock::now();
    Shutdown shutdown;
    Signals signals([&](int count) { shutdown.request(count); });
    log::start(flags.log_level);
    Result<Loaded> model = open_model(flags, console);
    if (!model.ok()) return std::move(model).error();
    Loaded& loaded = model.value();
    say_all(console, settings_lines(flags, loaded.checkpoint->format(), thread_count(flags)));

    raise_descriptor_limit();
    Router router(flags.http);
    if (flags.api.enable_tokenizer_info_endpoint)
        if (Status status = add_tokenizer_info(router, flags.model); !status.ok()) return status;
    http::Server server(server_options(flags, router));
    if (Status status = server.bind(); !status.ok()) return status;
    Result<MemoryPlan> plan = plan_serving(flags, loaded.args, *loaded.checkpoint);
    if (!plan.ok()) return std::move(plan).error();
    say_all(console, plan_lines(plan.value()));
    loaded.served.tokenizer = &loaded.tokenizer;
    GrammarCompiler grammars(loaded.tokenizer, loaded.end_tokens, loaded.args.vocab_size);
    loaded.served.grammars = &grammars;
    loaded.served.max_model_len = plan.value().limits.sequence_tokens_max;
    run_server(flags, loaded, plan.value(), server, router, shutdown, console, begin);
    log::stop();
    return Unit{};
}

}  // namespace fathom
