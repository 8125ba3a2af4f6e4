#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <map>

#include "base/check.h"
#include "server/exposition.h"

namespace fathom {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using Labels = std::map<std::string, std::string>;
using Bounds = Histogram::BucketBoundaries;

const Bounds kFirstTokenSeconds{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,  .75,
                                1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560};
const Bounds kGapSeconds{.01, .025, .05, .075, .1,  .15, .2, .3, .4, .5,
                         .75, 1,    2.5, 5,    7.5, 10,  20, 40, 80};
const Bounds kRequestSeconds{.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                             30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
const Bounds kHttpSeconds{.1, .5, 1};
// From the last byte of a body to the engine's queue: parsing and tokenizing.
const Bounds kReadSeconds{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1};
const Bounds kChoices{1, 2, 5, 10, 20};

// 1, 2, 5, 10, 20, 50 ... as far as a sequence may be.
Bounds length_bounds(int64_t max_model_len) {
    Bounds bounds;
    for (int64_t power = 1; power <= max_model_len; power *= 10)
        for (const int64_t factor : {1, 2, 5})
            if (factor * power <= max_model_len)
                bounds.push_back(static_cast<double>(factor * power));
    return bounds;
}

double unix_time() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// From a to b where both are there; a clock that is read on two threads may run back a little.
void observe(Histogram& histogram, Clock::time_point a, Clock::time_point b) {
    if (!has_come(a) || !has_come(b)) return;
    histogram.Observe(std::max(0.0, std::chrono::duration<double>(b - a).count()));
}

// A counter that follows a number kept elsewhere.
void follow(Counter& counter, int64_t now) {
    const double ahead = static_cast<double>(now) - counter.Value();
    if (ahead > 0) counter.Increment(ahead);
}

// A client may make methods up; a label must not grow by that.
std::string method_label(const std::string& method) {
    for (const char* known : {"GET", "POST", "HEAD", "OPTIONS"})
        if (method == known) return method;
    return "other";
}

std::string status_class(int status) { return status == 0 ? "none" : str(status / 100, "xx"); }

}  // namespace

struct Metrics::Impl {
    explicit Impl(const Options& options)
        : labels{{"engine", options.engine}, {"model_name", options.model_name}},
          lengths(length_bounds(options.max_model_len)) {}

    Labels with(const std::string& key, const std::string& value) const {
        Labels more = labels;
        more[key] = value;
        return more;
    }
    Gauge& gauge(const std::string& name, const char* help) {
        return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
    }
    // `name` without the "_total" that counters end in.
    Counter& counter(const std::string& name, const char* help) {
        return counter_with(name, help, labels);
    }
    Counter& counter_with(const std::string& name, const char* help, const Labels& its) {
        return prometheus::BuildCounter()
            .Name(name + "_total")
            .Help(help)
            .Register(registry)
            .Add(its);
    }
    Histogram& histogram(const std::string& name, const char* help, const Bounds& bounds) {
        return histogram_with(name, help, labels, bounds);
    }
    Histogram& histogram_with(const std::string& name, const char* help, const Labels& its,
                              const Bounds& bounds) {
        return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(its,
                                                                                         bounds);
    }

    void add_fixed(const Options& options);
    void follow_engine();

    const double created = unix_time();
    prometheus::Registry registry;
    const Labels labels;
    const Bounds lengths;
    std::function<EngineFigures()> figures;

    Gauge& running = gauge("vllm:num_requests_running", "Requests in the running batch.");
    Gauge& waiting = gauge("vllm:num_requests_waiting", "Requests that wait to be scheduled.");
    Gauge& cache_usage = gauge("vllm:kv_cache_usage_perc", "Share of the cache in use, 0 to 1.");

    Counter& prefix_queries =
        counter("vllm:prefix_cache_queries", "Prompt tokens looked up in the prefix cache.");
    Counter& prefix_hits =
        counter("vllm:prefix_cache_hits", "Prompt tokens found in the prefix cache.");
    Counter& external_queries = counter("vllm:external_prefix_cache_queries",
                                        "Prompt tokens looked up in caches of other servers.");
    Counter& external_hits = counter("vllm:external_prefix_cache_hits",
                                     "Prompt tokens found in caches of other servers.");
    Counter& mm_queries = counter("vllm:mm_cache_queries", "Lookups of media: there are none.");
    Counter& mm_hits = counter("vllm:mm_cache_hits", "Media found: there are none.");
    Counter& preemptions = counter("vllm:num_preemptions", "Requests that gave their cache back.");
    Counter& prompt_tokens = counter("vllm:prompt_tokens", "Prompt tokens taken in.");
    Counter& generated = counter("vllm:generation_tokens", "Tokens drawn.");
    Counter& corrupted = counter("vllm:corrupted_requests", "Requests with NaN in their logits.");
    Counter& drafts = counter("vllm:spec_decode_num_drafts", "Drafts made.");
    Counter& draft_tokens = counter("vllm:spec_decode_num_draft_tokens", "Tokens of drafts.");
    Counter& accepted = counter("vllm:spec_decode_num_accepted_tokens", "Draft tokens accepted.");
    std::vector<Counter*> accepted_by_position;
    std::map<FinishReason, Counter*> success;

    Histogram& request_prompt =
        histogram("vllm:request_prompt_tokens", "Prompt tokens of a request.", lengths);
    Histogram& request_generated =
        histogram("vllm:request_generation_tokens", "Tokens drawn for a request.", lengths);
    Histogram& request_longest = histogram("vllm:request_max_num_generation_tokens",
                                           "Most tokens that one request drew.", lengths);
    Histogram& params_max_tokens =
        histogram("vllm:request_params_max_tokens", "max_tokens of requests.", lengths);
    Histogram& prefill_computed = histogram("vllm:request_prefill_kv_computed_tokens",
                                            "Prompt tokens not found in the cache.", lengths);
    Histogram& step_tokens =
        histogram("vllm:iteration_tokens_total", "Tokens computed in a step.",
                  Bounds(StepTokens::kBounds.begin(), StepTokens::kBounds.end()));
    Histogram& params_n = histogram("vllm:request_params_n", "n of requests.", kChoices);
    Histogram& first_token =
        histogram("vllm:time_to_first_token_seconds",
                  "From a request's arrival to its first token.", kFirstTokenSeconds);
    Histogram& gap = histogram("vllm:inter_token_latency_seconds",
                               "Between the tokens of a request.", kGapSeconds);
    Histogram& per_token = histogram("vllm:request_time_per_output_token_seconds",
                                     "Mean time between the tokens of a request.", kGapSeconds);
    Histogram& e2e = histogram("vllm:e2e_request_latency_seconds",
                               "From a request's arrival to its last token.", kRequestSeconds);
    Histogram& queue =
        histogram("vllm:request_queue_time_seconds", "Time that requests wait.", kRequestSeconds);
    Histogram& inference = histogram("vllm:request_inference_time_seconds",
                                     "From the first step to the last token.", kRequestSeconds);
    Histogram& prefill = histogram("vllm:request_prefill_time_seconds",
                                   "From the first step to the first token.", kRequestSeconds);
    Histogram& decode = histogram("vllm:request_decode_time_seconds",
                                  "From the first token to the last.", kRequestSeconds);
    Histogram& read = histogram("fathom:request_read_time_seconds",
                                "From a request's last byte to the engine's queue.", kReadSeconds);
};

// Series that never change, and those with a label more.
void Metrics::Impl::add_fixed(const Options& options) {
    auto& sleep = prometheus::BuildGauge()
                      .Name("vllm:engine_sleep_state")
                      .Help("1 for the state that the engine is in; it never sleeps.")
                      .Register(registry);
    for (const char* state : {"awake", "weights_offloaded", "discard_all"})
        sleep.Add(with("sleep_state", state)).Set(state == std::string("awake") ? 1 : 0);
    Labels config = labels;
    for (const auto& [key, value] : options.cache_config) config[key] = value;
    prometheus::BuildGauge()
        .Name("vllm:cache_config_info")
        .Help("How the cache is laid out.")
        .Register(registry)
        .Add(config)
        .Set(1);
    for (const auto& [reason, name] : {std::pair{FinishReason::stop, "stop"},
                                       {FinishReason::length, "length"},
                                       {FinishReason::abort, "abort"},
                                       {FinishReason::error, "error"}})
        success[reason] = &counter_with("vllm:request_success", "Requests that ended.",
                                        with("finished_reason", name));
    for (int i = 0; i < std::max(1, options.draft_tokens); ++i)
        accepted_by_position.push_back(&counter_with(
            "vllm:spec_decode_num_accepted_tokens_per_pos",
            "Draft tokens accepted, by their position in the draft.", with("position", str(i))));
}

void Metrics::Impl::follow_engine() {
    if (!figures) return;
    const EngineFigures now = figures();
    running.Set(static_cast<double>(now.running));
    waiting.Set(static_cast<double>(now.waiting));
    cache_usage.Set(now.cache_usage);
    follow(preemptions, now.preemptions);
    follow(prompt_tokens, now.prompt_tokens);
    follow(generated, now.generated_tokens);
    follow(prefix_queries, now.prefix_queries);
    follow(prefix_hits, now.prefix_hits);
    follow(drafts, now.drafts);
    follow(draft_tokens, now.draft_tokens);
    follow(accepted, now.accepted_tokens);
    const size_t positions = std::min(accepted_by_position.size(), now.accepted_by_position.size());
    for (size_t i = 0; i < positions; ++i)
        follow(*accepted_by_position[i], now.accepted_by_position[i]);
    if (now.steps_by_tokens.empty()) return;
    const auto before = step_tokens.Collect().histogram;
    CHECK(now.steps_by_tokens.size() == before.bucket.size(), now.steps_by_tokens.size());
    std::vector<double> more;
    uint64_t below = 0;
    for (size_t i = 0; i < before.bucket.size(); ++i) {
        const uint64_t counted = before.bucket[i].cumulative_count - below;
        below = before.bucket[i].cumulative_count;
        more.push_back(static_cast<double>(now.steps_by_tokens[i]) - static_cast<double>(counted));
    }
    step_tokens.ObserveMultiple(more, static_cast<double>(now.step_tokens) - before.sample_sum);
}

Metrics::Metrics(const Options& options) : impl_(std::make_unique<Impl>(options)) {
    impl_->add_fixed(options);
}
Metrics::~Metrics() = default;

void Metrics::set_engine(std::function<EngineFigures()> figures) {
    impl_->figures = std::move(figures);
}

void Metrics::on_request(int64_t n, int64_t max_tokens, const Timeline& timeline) {
    impl_->params_n.Observe(static_cast<double>(n));
    impl_->params_max_tokens.Observe(static_cast<double>(max_tokens));
    observe(impl_->read, timeline.arrived, timeline.queued);
}

void Metrics::on_first_token(const Timeline& t) {
    observe(impl_->first_token, t.arrived, t.first_token);
}

void Metrics::on_next_tokens(double gap_s) { impl_->gap.Observe(gap_s); }

void Metrics::on_finish(FinishReason reason, const Choice& choice, const Timeline& t) {
    Impl& m = *impl_;
    m.success.at(reason)->Increment();
    const auto generated = static_cast<double>(choice.generated_tokens);
    m.request_prompt.Observe(static_cast<double>(choice.prompt_tokens));
    m.request_generated.Observe(generated);
    m.prefill_computed.Observe(static_cast<double>(choice.prompt_tokens - choice.cached_tokens));
    observe(m.e2e, t.arrived, t.last_token);
    observe(m.queue, t.queued, t.scheduled);
    observe(m.inference, t.scheduled, t.last_token);
    observe(m.prefill, t.scheduled, t.first_token);
    observe(m.decode, t.first_token, t.last_token);
    if (choice.generated_tokens > 1 && has_come(t.first_token))
        m.per_token.Observe(std::chrono::duration<double>(t.last_token - t.first_token).count() /
                            (generated - 1));
}

void Metrics::on_request_end(int64_t most_generated) {
    impl_->request_longest.Observe(static_cast<double>(most_generated));
}

void Metrics::on_answered(const http::Answered& answered, const std::string& route) {
    if (answered.status != 0)
        impl_
            ->histogram_with("http_request_duration_seconds", "Time to answer, by route.",
                             {{"handler", route}}, kHttpSeconds)
            .Observe(answered.seconds);
    impl_
        ->counter_with("http_requests", "Requests answered, by route, method and status.",
                       {{"handler", route},
                        {"method", method_label(answered.method)},
                        {"status", status_class(answered.status)}})
        .Increment();
}

std::string Metrics::text() {
    impl_->follow_engine();
    return exposition(impl_->registry.Collect(), impl_->created);
}

}  // namespace fathom
