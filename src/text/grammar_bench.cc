// What constraints cost with the 129,280 rows of V3.2: compiling (a worker's time, once a schema)
// and the engine thread's share of each token, mask and accept.
#include <benchmark/benchmark.h>

#include <ctime>

#include "text/grammar_testing.h"

namespace fathom {
namespace {

constexpr const char* kNested =
    R"({"$defs":{"Address":{"properties":{"street":{"type":"string"},"city":{"type":"string"},)"
    R"("zip":{"anyOf":[{"type":"string","pattern":"^[0-9]{5}$"},{"type":"null"}]}},)"
    R"("required":["street","city","zip"],"type":"object"},"Item":{"properties":)"
    R"({"sku":{"type":"string"},"count":{"type":"integer"},"price":{"type":"number"},)"
    R"("tags":{"items":{"enum":["new","used","sale"]},"type":"array"}},)"
    R"("required":["sku","count","price"],"type":"object"}},)"
    R"("properties":{"name":{"type":"string"},"age":{"type":"integer"},)"
    R"("address":{"$ref":"#/$defs/Address"},"items":{"items":{"$ref":"#/$defs/Item"},)"
    R"("type":"array"},"note":{"type":"string","maxLength":40},"paid":{"type":"boolean"}},)"
    R"("required":["name","age","address","items","note","paid"],"type":"object"})";

struct Case {
    const char* name;
    GrammarSpec spec;
};

const Case& case_of(int64_t index) {
    using Kind = GrammarSpec::Kind;
    static const Case kCases[] = {
        {"json_object", {.kind = Kind::json_object}},
        {"json_schema", {.kind = Kind::json_schema, .text = kNested}},
        {"regex", {.kind = Kind::regex, .text = "[a-z]{3,20}(\\.[a-z0-9]{2,20}){1,4}"}},
        {"calls_strict",
         {.kind = Kind::calls,
          .tools = {{.name = "order", .parameters = kNested, .strict = true},
                    {.name = "now", .strict = true}}}},
        {"calls_free",
         {.kind = Kind::calls,
          .tools = {{.name = "order", .parameters = kNested}, {.name = "now"}},
          .free_text_before = true}},
        {"json_100_optional",
         {.kind = Kind::json_schema,
          .text =
              [] {
                  std::string text = R"({"type":"object","properties":{"a":{"type":"null"})";
                  for (int i = 0; i < 99; ++i)
                      text += str(",\"property_", i, R"(":{"type":")", i % 2 ? "string" : "number",
                                  R"("})");
                  return text + "}}";
              }()}},
        {"choice_4096",
         {.kind = Kind::choice,
          .choices =
              [] {
                  std::vector<std::string> choices;
                  for (int i = 0; i < 4096; ++i) choices.push_back(str("choice ", i * 7919));
                  return choices;
              }()}},
    };
    return kCases[index];
}

// Of this thread's own time: what others do on the machine must not show.
double thread_us() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

void bench_compile(benchmark::State& state) {
    const GrammarSpec& spec = case_of(state.range(0)).spec;
    const Tokenizer& tokenizer = testing::v32_tokenizer();
    state.SetLabel(case_of(state.range(0)).name);
    for (auto _ : state) {
        state.PauseTiming();
        auto compiler = std::make_unique<GrammarCompiler>(tokenizer, std::vector{testing::kEnd},
                                                          testing::rows_of(tokenizer));
        state.ResumeTiming();
        const bool ok = compiler->compile(spec, {}).ok();
        CHECK(ok, "compile");
        state.PauseTiming();
        const double begin = thread_us();
        benchmark::DoNotOptimize(compiler->compile(spec, {}).ok());
        state.counters["again_us"] = thread_us() - begin;
        compiler.reset();
        state.ResumeTiming();
    }
}
BENCHMARK(bench_compile)->DenseRange(0, 6)->Unit(benchmark::kMillisecond)->Iterations(1);

// Random replies; the time is that of one token, and the counters are of the masks alone.
void bench_token(benchmark::State& state) {
    const GrammarSpec& spec = case_of(state.range(0)).spec;
    const Tokenizer& tokenizer = testing::v32_tokenizer();
    state.SetLabel(case_of(state.range(0)).name);
    std::vector<uint32_t> bits((testing::rows_of(tokenizer) + 31) / 32);
    std::vector<double> mask_us, accept_us;
    std::mt19937 rng(1);
    for (auto _ : state) {
        auto constraint = testing::constraint_of("v32", spec);
        for (int i = 0; i < 300; ++i) {
            double begin = thread_us();
            constraint->allowed(bits);
            mask_us.push_back(thread_us() - begin);
            std::vector<Token> tokens;
            for (size_t w = 0; w < bits.size(); ++w)
                for (uint32_t word = bits[w]; word != 0; word &= word - 1)
                    tokens.push_back(static_cast<Token>(w * 32 + __builtin_ctz(word)));
            const Token token = tokens[rng() % tokens.size()];
            if (token == testing::kEnd && tokens.size() == 1) break;
            begin = thread_us();
            if (token != testing::kEnd) constraint->accept(token);
            accept_us.push_back(thread_us() - begin);
        }
    }
    std::sort(mask_us.begin(), mask_us.end());
    std::sort(accept_us.begin(), accept_us.end());
    double sum = 0;
    for (const double us : mask_us) sum += us;
    state.counters["mask_median_us"] = mask_us[mask_us.size() / 2];
    state.counters["mask_mean_us"] = sum / static_cast<double>(mask_us.size());
    state.counters["mask_p99_us"] = mask_us[mask_us.size() * 99 / 100];
    state.counters["mask_max_us"] = mask_us.back();
    state.counters["accept_median_us"] = accept_us[accept_us.size() / 2];
    state.counters["accept_max_us"] = accept_us.back();
}
BENCHMARK(bench_token)->DenseRange(0, 6)->Unit(benchmark::kMillisecond)->Iterations(10);

}  // namespace
}  // namespace fathom
