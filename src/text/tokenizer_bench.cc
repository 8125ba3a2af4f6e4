// Encoding a text of about 128k tokens, one thread. tools/bench_tokenizer.py runs Hugging Face's
// tokenizers on the same text, which this leaves in the folder for temporary files.
#include <benchmark/benchmark.h>

#include <fstream>
#include <random>

#include "text/detokenizer.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace fathom {
namespace {

constexpr const char* kFolder = FATHOM_SOURCE_DIR "/tests/golden/tokenizer/v3";
constexpr const char* kTextName = "fathom_tokenizer_bench.txt";
constexpr size_t kTokens = 128 * 1024;

const Tokenizer& tokenizer() {
    static const Tokenizer kTokenizer = [] {
        Result<Tokenizer> opened = Tokenizer::open(kFolder);
        CHECK(opened.ok(), opened.error().message);
        return std::move(opened).value();
    }();
    return kTokenizer;
}

bool all_of(std::string_view text, char first, char last) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [&](char c) { return c >= first && c <= last; });
}

bool all_chinese(std::string_view text) {
    while (!text.empty()) {
        const Utf8Char c = first_char(text);
        if (c.kind != Utf8Char::Kind::complete || c.code < 0x4e00 || c.code > 0x9fa5) return false;
        text.remove_prefix(c.bytes);
    }
    return true;
}

// Draws words by Zipf's law from the vocabulary, whose ids are roughly by frequency, and makes
// paragraphs of them: half English, the rest code, Chinese and tables of numbers.
class WordModel {
public:
    explicit WordModel(uint32_t seed) : rng_(seed) {
        for (Token token = 3; token < 128'000; ++token) {
            const std::string_view bytes = tokenizer().token_bytes(token);
            if (bytes.size() > 2 && bytes[0] == ' ' && all_of(bytes.substr(1), 'a', 'z'))
                words_.push_back(bytes);
            else if (bytes.size() > 1 && all_of(bytes, 'a', 'z'))
                parts_.push_back(bytes);
            else if (bytes.size() > 2 && all_chinese(bytes))
                chinese_.push_back(bytes);
        }
    }

    std::string paragraph() {
        const int kind = below(8);
        std::string text;
        if (kind < 4) {
            for (int n = 3 + below(6); n > 0; --n) text += english();
        } else if (kind < 6) {
            for (int n = 5 + below(12); n > 0; --n) text += code();
        } else if (kind < 7) {
            for (int n = 3 + below(6); n > 0; --n) text += chinese();
        } else {
            for (int n = 5 + below(10); n > 0; --n) text += numbers();
        }
        return text + "\n\n";
    }

private:
    using Words = std::vector<std::string_view>;

    int below(int limit) { return static_cast<int>(rng_() % limit); }

    std::string_view draw(const Words& words) {
        const double log_uniform = std::uniform_real_distribution<>(0, 1)(rng_);
        const double size = static_cast<double>(words.size());
        return words[std::min(words.size() - 1, static_cast<size_t>(std::pow(size, log_uniform)))];
    }

    // One word in six is of several tokens, as names and rare words are.
    std::string word() {
        std::string text(draw(words_));
        if (below(6) == 0)
            for (int n = 1 + below(2); n > 0; --n) text += draw(parts_);
        return text;
    }

    std::string english() {
        std::string text = word();
        text[1] = static_cast<char>(text[1] - 'a' + 'A');
        for (int n = 4 + below(20); n > 0; --n) {
            text += word();
            if (below(10) == 0) text += ",";
            if (below(40) == 0) text += "'s";
        }
        return text + (below(10) ? "." : "?");
    }

    std::string name() {
        std::string text(draw(parts_));
        for (int n = below(3); n > 0; --n) text.append("_").append(draw(parts_));
        return text;
    }

    std::string code() {
        std::string text(4 * below(5), ' ');
        switch (below(4)) {
            case 0: return text + "if (" + name() + "->" + name() + " != nullptr) {\n";
            case 1: return text + "return " + name() + "[" + std::to_string(below(64)) + "];\n";
            case 2: return text + "// " + word() + word() + word() + "\n";
            default: return text + name() + " = " + name() + "(" + name() + ", " + name() + ");\n";
        }
    }

    std::string chinese() {
        std::string text;
        for (int clauses = 1 + below(3); clauses > 0; --clauses) {
            for (int n = 3 + below(10); n > 0; --n) text += draw(chinese_);
            text += clauses > 1 ? "，" : "。";
        }
        return text;
    }

    std::string numbers() {
        std::string text = std::to_string(1990 + below(40)) + "-" + std::to_string(1 + below(12));
        for (int n = 2 + below(4); n > 0; --n)
            text += " | " + std::to_string(below(1'000'000)) + "." + std::to_string(below(100));
        return text + "\n";
    }

    std::mt19937 rng_;
    Words words_, parts_, chinese_;
};

const std::string& mixed_text() {
    static const std::string kText = [] {
        WordModel model(20251201);
        std::string text;
        for (size_t tokens = 0; tokens < kTokens;) {
            const std::string paragraph = model.paragraph();
            tokens += tokenizer().encode(paragraph).size();
            text += paragraph;
        }
        std::ofstream(std::filesystem::temp_directory_path() / kTextName, std::ios::binary) << text;
        return text;
    }();
    return kText;
}

void report(benchmark::State& state, const std::string& text) {
    const auto tokens = static_cast<double>(tokenizer().encode(text).size());
    state.counters["tokens"] = tokens;
    state.counters["tokens_per_s"] =
        benchmark::Counter(tokens, benchmark::Counter::kIsIterationInvariantRate);
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}

void encode_mixed(benchmark::State& state) {
    const std::string& text = mixed_text();
    for (auto _ : state) benchmark::DoNotOptimize(tokenizer().encode(text));
    report(state, text);
}
BENCHMARK(encode_mixed)->Unit(benchmark::kMillisecond);

// 1 MB of one character: must not blow up.
void encode_repeated(benchmark::State& state) {
    const std::string text(1 << 20, static_cast<char>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(tokenizer().encode(text));
    report(state, text);
}
BENCHMARK(encode_repeated)
    ->Arg('a')
    ->Arg(' ')
    ->Arg('=')
    ->Arg('\n')
    ->Arg('1')
    ->Arg('\xff')
    ->Unit(benchmark::kMillisecond);

void detokenize_mixed(benchmark::State& state) {
    const std::vector<Token> tokens = tokenizer().encode(mixed_text());
    for (auto _ : state) {
        Detokenizer detokenizer(tokenizer());
        for (const Token token : tokens) benchmark::DoNotOptimize(detokenizer.push(token));
    }
    report(state, mixed_text());
}
BENCHMARK(detokenize_mixed)->Unit(benchmark::kMillisecond);

void open_v3(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::open(kFolder).ok());
}
BENCHMARK(open_v3)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fathom
