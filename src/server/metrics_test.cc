#include "server/metrics.h"

#include "server/metrics_testing.h"

namespace fathom::testing {
namespace {

using namespace std::chrono_literals;
using Labels = Exposition::Labels;

const Labels kLabels{{"engine", "0"}, {"model_name", "dsv3"}};

Labels with(const std::string& key, const std::string& value) {
    Labels more = kLabels;
    more[key] = value;
    return more;
}

Metrics::Options options() {
    return {.model_name = "dsv3", .max_model_len = 68000, .cache_config = {{"block_size", "64"}}};
}

// The names of vLLM's dashboards and clients, by type.
const std::map<std::string, std::vector<const char*>> kNames{
    {"gauge",
     {"num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "engine_sleep_state",
      "cache_config_info", "prompt_tokens_created", "e2e_request_latency_seconds_created"}},
    {"counter",
     {"prefix_cache_queries_total", "prefix_cache_hits_total",
      "external_prefix_cache_queries_total", "external_prefix_cache_hits_total",
      "mm_cache_queries_total", "mm_cache_hits_total", "num_preemptions_total",
      "prompt_tokens_total", "generation_tokens_total", "request_success_total",
      "spec_decode_num_drafts_total", "spec_decode_num_draft_tokens_total",
      "spec_decode_num_accepted_tokens_total", "spec_decode_num_accepted_tokens_per_pos_total",
      "corrupted_requests_total"}},
    {"histogram",
     {"request_prompt_tokens", "request_generation_tokens", "request_max_num_generation_tokens",
      "request_params_max_tokens", "request_prefill_kv_computed_tokens", "iteration_tokens_total",
      "request_params_n", "time_to_first_token_seconds", "inter_token_latency_seconds",
      "request_time_per_output_token_seconds", "e2e_request_latency_seconds",
      "request_queue_time_seconds", "request_inference_time_seconds",
      "request_prefill_time_seconds", "request_decode_time_seconds"}}};

TEST(Metrics, AllAreThereFromTheStartAndZero) {
    Metrics metrics(options());
    const Exposition seen(metrics.text());
    for (const auto& [type, names] : kNames)
        for (const std::string name : names) {
            ASSERT_TRUE(seen.families.contains("vllm:" + name)) << name;
            const Exposition::Family& family = seen.families.at("vllm:" + name);
            EXPECT_EQ(family.type, type) << name;
            if (type == "histogram") {
                EXPECT_EQ(family.counts.at(kLabels), 0) << name;
            } else {
                EXPECT_FALSE(family.samples.empty()) << name;
            }
            if (type != "counter") continue;
            for (const auto& [labels, value] : family.samples) EXPECT_EQ(value, 0) << name;
        }
    for (const char* reason : {"stop", "length", "abort", "error"})
        seen.value("vllm:request_success_total", with("finished_reason", reason));
    EXPECT_EQ(seen.value("vllm:engine_sleep_state", with("sleep_state", "awake")), 1);
    EXPECT_EQ(seen.value("vllm:cache_config_info", with("block_size", "64")), 1);
    EXPECT_EQ(
        seen.value("vllm:spec_decode_num_accepted_tokens_per_pos_total", with("position", "0")), 0);
    EXPECT_GT(seen.value("vllm:prompt_tokens_created", kLabels), 1.7e9);
}

TEST(Metrics, ValuesPrintAsPythonPrintsThem) {
    Metrics metrics(options());
    const std::string text = metrics.text();
    for (const char* line :
         {"vllm:num_requests_running{engine=\"0\",model_name=\"dsv3\"} 0.0\n",
          "# TYPE vllm:prompt_tokens_total counter\n",
          "vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"0.001\",model_name=\"dsv3\"}",
          "vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"1.0\",model_name=\"dsv3\"}",
          "vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"+Inf\",model_name=\"dsv3\"}"})
        EXPECT_NE(text.find(line), std::string::npos) << line;
}

TEST(Metrics, BucketsOfLengthsEndAtTheLongestSequence) {
    Metrics metrics(options());
    const Exposition seen(metrics.text());
    const auto& buckets = seen.families.at("vllm:request_prompt_tokens").buckets.at(kLabels);
    EXPECT_EQ(buckets.begin()->first, 1);
    EXPECT_EQ(std::prev(buckets.end(), 2)->first, 50'000);
    EXPECT_EQ(buckets.size(), 3u * 4 + 3 + 1);
}

TEST(Metrics, ARequestFromArrivalToItsEnd) {
    Metrics metrics(options());
    const auto begin = Clock::now();
    const Timeline t{.arrived = begin,
                     .queued = begin + 2ms,
                     .scheduled = begin + 502ms,
                     .first_token = begin + 1s,
                     .last_token = begin + 3s};
    metrics.on_request(2, 100, t);
    metrics.on_first_token(t);
    metrics.on_next_tokens(0.05);  // A bound counts what is equal to it.
    metrics.on_finish(
        FinishReason::length,
        {.prompt_tokens = 10, .cached_tokens = 4, .generated_tokens = 5, .max_tokens = 100}, t);
    metrics.on_request_end(5);
    const Exposition seen(metrics.text());
    const auto at = [&](const std::string& name, double bound) {
        return seen.families.at(name).buckets.at(kLabels).at(bound);
    };
    const auto sum = [&](const std::string& name) {
        return seen.families.at(name).sums.at(kLabels);
    };
    EXPECT_EQ(seen.value("vllm:request_success_total", with("finished_reason", "length")), 1);
    EXPECT_EQ(sum("vllm:request_params_n"), 2);
    EXPECT_EQ(sum("vllm:request_params_max_tokens"), 100);
    EXPECT_EQ(sum("vllm:request_prompt_tokens"), 10);
    EXPECT_EQ(sum("vllm:request_prefill_kv_computed_tokens"), 6);
    EXPECT_EQ(sum("vllm:request_max_num_generation_tokens"), 5);
    EXPECT_EQ(at("vllm:request_generation_tokens", 2), 0);
    EXPECT_EQ(at("vllm:request_generation_tokens", 5), 1);
    EXPECT_EQ(at("vllm:inter_token_latency_seconds", .025), 0);
    EXPECT_EQ(at("vllm:inter_token_latency_seconds", .05), 1);
    EXPECT_NEAR(sum("vllm:time_to_first_token_seconds"), 1, 1e-6);
    EXPECT_NEAR(sum("vllm:request_queue_time_seconds"), .5, 1e-6);
    EXPECT_NEAR(sum("vllm:request_prefill_time_seconds"), .498, 1e-6);
    EXPECT_NEAR(sum("vllm:request_decode_time_seconds"), 2, 1e-6);
    EXPECT_NEAR(sum("vllm:request_inference_time_seconds"), 2.498, 1e-6);
    EXPECT_NEAR(sum("vllm:e2e_request_latency_seconds"), 3, 1e-6);
    EXPECT_NEAR(sum("vllm:request_time_per_output_token_seconds"), .5, 1e-6);
    EXPECT_NEAR(sum("fathom:request_read_time_seconds"), .002, 1e-6);
}

// One that was cancelled while it waited has no first token.
TEST(Metrics, WhatDidNotHappenIsNotTimed) {
    Metrics metrics(options());
    metrics.on_finish(FinishReason::abort, {.prompt_tokens = 3},
                      {.arrived = Clock::now(), .queued = Clock::now()});
    const Exposition seen(metrics.text());
    EXPECT_EQ(seen.value("vllm:request_success_total", with("finished_reason", "abort")), 1);
    for (const char* name : {"vllm:request_queue_time_seconds", "vllm:e2e_request_latency_seconds",
                             "vllm:request_time_per_output_token_seconds"})
        EXPECT_EQ(seen.families.at(name).counts.at(kLabels), 0) << name;
}

TEST(Metrics, TheEngineIsAskedWhenMetricsAreScraped) {
    Metrics metrics(options());
    EngineFigures now{.running = 3,
                      .waiting = 2,
                      .cache_usage = 0.25,
                      .preemptions = 1,
                      .prompt_tokens = 100,
                      .generated_tokens = 40,
                      .prefix_queries = 90,
                      .prefix_hits = 64,
                      .steps_by_tokens = std::vector<int64_t>(14),
                      .step_tokens = 17};
    now.steps_by_tokens[0] = 1;
    now.steps_by_tokens[2] = 1;
    metrics.set_engine([&] { return now; });
    for (int scrape = 0; scrape < 2; ++scrape) {
        const Exposition seen(metrics.text());
        EXPECT_EQ(seen.value("vllm:num_requests_running", kLabels), 3);
        EXPECT_EQ(seen.value("vllm:kv_cache_usage_perc", kLabels), 0.25);
        EXPECT_EQ(seen.value("vllm:generation_tokens_total", kLabels), 40);
        EXPECT_EQ(seen.value("vllm:prefix_cache_hits_total", kLabels), 64);
        const auto& steps = seen.families.at("vllm:iteration_tokens_total");
        EXPECT_EQ(steps.buckets.at(kLabels).at(8), 1);
        EXPECT_EQ(steps.buckets.at(kLabels).at(16), 2);
        EXPECT_EQ(steps.sums.at(kLabels), 17);
    }
    now.generated_tokens = 41;
    now.running = 0;
    now.steps_by_tokens[13] = 2;
    now.step_tokens += 40'000;
    const Exposition seen(metrics.text());
    EXPECT_EQ(seen.value("vllm:num_requests_running", kLabels), 0);
    EXPECT_EQ(seen.value("vllm:generation_tokens_total", kLabels), 41);
    EXPECT_EQ(seen.families.at("vllm:iteration_tokens_total").counts.at(kLabels), 4);
}

TEST(Metrics, RequestsByRouteMethodAndStatus) {
    Metrics metrics(options());
    for (const int status : {200, 201, 404})
        metrics.on_answered({.method = "POST", .status = status, .seconds = 0.2},
                            "/v1/completions");
    metrics.on_answered({.method = "BREW\"\n", .status = 0}, "none");
    const Exposition seen(metrics.text());
    const auto count = [&](const char* handler, const char* method, const char* status) {
        return seen.value("http_requests_total",
                          {{"handler", handler}, {"method", method}, {"status", status}});
    };
    EXPECT_EQ(count("/v1/completions", "POST", "2xx"), 2);
    EXPECT_EQ(count("/v1/completions", "POST", "4xx"), 1);
    EXPECT_EQ(count("none", "other", "none"), 1);
    EXPECT_EQ(seen.families.at("http_request_duration_seconds")
                  .counts.at({{"handler", "/v1/completions"}}),
              3);
}

TEST(Metrics, NamesOfModelsMayHoldAnything) {
    Metrics::Options strange = options();
    strange.model_name = "a \"b\" \\ c\nd";
    Metrics metrics(strange);
    const Exposition seen(metrics.text());
    EXPECT_TRUE(seen.families.contains("vllm:num_requests_running"));
    EXPECT_NE(metrics.text().find(R"(model_name="a \"b\" \\ c\nd")"), std::string::npos);
}

// A token may cost the I/O thread a microsecond; counting it must be a small part of that.
TEST(Metrics, CountingATokenIsCheap) {
    Metrics metrics(options());
    const auto begin = Clock::now();
    for (int i = 0; i < 100'000; ++i) metrics.on_next_tokens(0.02);
    EXPECT_LT(seconds_since(begin) / 100'000, 20e-6) << "even under a sanitizer";
}

}  // namespace
}  // namespace fathom::testing
