// fathom quantize IN OUT: writes a bf16 or FP8 checkpoint in FP8 blocks or Ascend's W8A8.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <thread>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/clock.h"
#include "base/file.h"
#include "checkpoint/quantization.h"
#include "checkpoint/verify.h"
#include "model/calibration.h"
#include "server/progress_bar.h"
#include "text/calibration_text.h"

namespace fathom {
namespace {

constexpr const char* kName = "fathom quantize";
constexpr int64_t kTextBytesMax = int64_t{64} << 20;

struct QuantizeFlags {
    std::string in, out, format, calibration;
    bool overwrite = false;
    int threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
};

void add_flags(CLI::App& app, QuantizeFlags& flags) {
    const CalibrationLimits limits;
    app.add_option("IN", flags.in, "checkpoint to read: bf16, or FP8 blocks for w8a8")->required();
    app.add_option("OUT", flags.out, "folder to write to; made if it is not there")->required();
    app.add_option("--format", flags.format,
                   "fp8: e4m3 with a scale per 128x128 block; w8a8: int8 as Ascend has it")
        ->check(CLI::IsMember({"fp8", "w8a8"}))
        ->required();
    app.add_option("--calibration", flags.calibration,
                   str("w8a8: UTF-8 text that the model is run over to find the static ranges; "
                       "documents are separated by lines of ---; the first ",
                       limits.document_tokens_max, " tokens of each are used, ", limits.tokens_max,
                       " of all (default: a short text of the program's own)"));
    app.add_flag("--overwrite", flags.overwrite, "replace a checkpoint that is in OUT");
    app.add_option("--threads", flags.threads, "threads that compute")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
}

// What is read: its weights are sound, and a tokenizer that fits is beside them.
struct Input {
    ModelArgs args;
    Checkpoint checkpoint;
    Tokenizer tokenizer;
};

Result<Input> open_input(const Quantization& job) {
    const std::string folder = job.in.string();
    Result<ModelArgs> args = load_model_args(folder);
    if (!args.ok()) return std::move(args).error();
    Result<Checkpoint> checkpoint = Checkpoint::open(folder);
    if (!checkpoint.ok()) return std::move(checkpoint).error();
    Status can = check_quantization(job, checkpoint.value().format());
    if (!can.ok()) return std::move(can).error();
    const Verification found = verify(checkpoint.value(), args.value());
    if (!found.problems.empty())
        return Error{Code::corrupt,
                     str(folder, ": ", found.problems[0],
                         found.problems.size() == 1 ? ""
                                                    : str(" (and ", found.problems.size() - 1,
                                                          " more: fathom inspect ", folder, ")"))};
    Result<Tokenizer> tokenizer = Tokenizer::open(folder);
    if (!tokenizer.ok()) return std::move(tokenizer).error();
    const auto largest = static_cast<Token>(tokenizer.value().vocab_size() - 1);
    if (auto problem = tokenizer_problem(largest, args.value()))
        return Error{Code::corrupt, std::move(*problem)};
    return Input{args.value(), std::move(checkpoint).value(), std::move(tokenizer).value()};
}

Result<std::vector<std::vector<Token>>> read_documents(const std::string& path,
                                                       const Input& input) {
    CalibrationLimits limits;
    limits.document_tokens_max = std::min(limits.document_tokens_max, input.args.max_position);
    if (path.empty())
        return calibration_documents(input.tokenizer, builtin_calibration_text(), limits);
    Result<std::string> text = read_text(path, kTextBytesMax);
    if (!text.ok()) return std::move(text).error();
    auto documents = calibration_documents(input.tokenizer, text.value(), limits);
    if (!documents.ok()) return std::move(documents).error().in(path);
    return documents;
}

void show_tokens(int64_t done, int64_t total) {
    std::fprintf(stderr, "\rcalibrating: %lld of %lld tokens%s", static_cast<long long>(done),
                 static_cast<long long>(total), done == total ? "\n" : "");
}

Result<std::vector<InputRange>> find_ranges(const QuantizeFlags& flags, const Input& input,
                                            const Console& console) {
    Result<std::vector<std::vector<Token>>> documents = read_documents(flags.calibration, input);
    if (!documents.ok()) return std::move(documents).error();
    ProgressBar bar("loading weights", console);
    CalibrationOptions options{.threads = flags.threads};
    if (console.terminal) {
        options.loading = [&](int64_t done, int64_t total) { bar.update(done, total); };
        options.running = show_tokens;
    }
    return calibrate(input.checkpoint, input.args, documents.value(), options);
}

Status run(const QuantizeFlags& flags, const Console& console) {
    Quantization job{.in = flags.in,
                     .out = flags.out,
                     .format = format_named(flags.format).value(),
                     .overwrite = flags.overwrite,
                     .threads = flags.threads};
    if (job.format == CheckpointFormat::fp8 && !flags.calibration.empty())
        return Error{Code::invalid_argument,
                     "--calibration is of no use with --format fp8, which has no static ranges; "
                     "leave it out"};
    const Clock::time_point begin = Clock::now();
    Result<Input> input = open_input(job);
    if (!input.ok()) return std::move(input).error();
    if (job.format == CheckpointFormat::w8a8) {
        Result<std::vector<InputRange>> ranges = find_ranges(flags, input.value(), console);
        if (!ranges.ok()) return std::move(ranges).error();
        job.ranges = std::move(ranges).value();
    }
    ProgressBar bar("writing weights", console);
    if (console.terminal)
        job.progress = [&](int64_t done, int64_t total) { bar.update(done, total); };
    Result<int64_t> written = quantize(job, input.value().checkpoint, input.value().args);
    if (!written.ok()) return std::move(written).error();
    std::printf("%s: %s of weights (%s, from %s) in %.1f s\n", flags.out.c_str(),
                readable_bytes(written.value()).c_str(), flags.format.c_str(),
                name_of(input.value().checkpoint.format()), seconds_since(begin));
    return Unit{};
}

}  // namespace

int run_quantize(int argc, char** argv) {
    CLI::App app(
        "Writes a checkpoint in FP8 blocks, as DeepSeek publishes V3.2, or in Ascend's W8A8.",
        kName);
    QuantizeFlags flags;
    add_flags(app, flags);
    if (const int code = parse_command_line(app, argc, argv); code >= 0) return code;
    const Status done = run(flags, standard_streams());
    return done.ok() ? 0 : fail_command(kName, done.error().message);
}

}  // namespace fathom
