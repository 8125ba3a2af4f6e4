// fathom tiny DIR: writes a small random checkpoint of the real architecture.
#include "checkpoint/tiny.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <thread>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "base/clock.h"

namespace fathom {
namespace {

struct TinyFlags {
    std::string folder, preset = "reference", format, calibration;
    uint32_t seed = 0;
    int files = 0;
    bool int64_deq_scale = false, no_mtp_quant = false, overwrite = false;
    int threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
    std::vector<std::pair<CLI::Option*, int>> sizes;  // As tiny_size_keys().
};

std::string joined(std::span<const char* const> words) {
    std::string text;
    for (const char* word : words) text += std::string(text.empty() ? "" : ", ") + word;
    return text;
}

void add_flags(CLI::App& app, TinyFlags& flags) {
    app.add_option("DIR", flags.folder, "folder to write to; made if it is not there")->required();
    app.add_option("--preset", flags.preset, joined(tiny_preset_names()))
        ->check(CLI::IsMember(
            std::vector<std::string>(tiny_preset_names().begin(), tiny_preset_names().end())))
        ->capture_default_str();
    app.add_option("--format", flags.format, "bf16, fp8 or w8a8 (default: the preset's)")
        ->check(CLI::IsMember({"bf16", "fp8", "w8a8"}));
    app.add_option("--seed", flags.seed, "of the random weights (default: the preset's)");
    app.add_option("--files", flags.files, "number of *.safetensors (default: the preset's)")
        ->check(CLI::Range(1, 99999));
    app.add_option("--calibration", flags.calibration,
                   "w8a8: JSON of static input ranges, {module: {input_scale, input_offset}}");
    app.add_flag("--int64-deq-scale", flags.int64_deq_scale,
                 "w8a8: deq_scale as 64-bit integers that hold f32 bits");
    app.add_flag("--no-mtp-quant", flags.no_mtp_quant, "w8a8: leave the MTP layer in bf16");
    app.add_flag("--overwrite", flags.overwrite, "replace a checkpoint that is in DIR");
    app.add_option("--threads", flags.threads, "threads that compute")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    const auto keys = tiny_size_keys();
    flags.sizes.resize(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
        std::string name = std::string("--") + keys[i];
        std::replace(name.begin(), name.end(), '_', '-');
        auto& [option, value] = flags.sizes[i];
        option = app.add_option(name, value, std::string("config.json's ") + keys[i]);
        option->group("Sizes (default: the preset's)");
    }
}

Result<TinyRecipe> recipe_of(const CLI::App& app, const TinyFlags& flags) {
    TinyRecipe recipe = tiny_preset(flags.preset).value();
    if (!flags.format.empty()) recipe.format = format_named(flags.format).value();
    if (app.count("--seed") > 0) recipe.seed = flags.seed;
    if (flags.files > 0) recipe.files = flags.files;
    recipe.int64_deq_scale = flags.int64_deq_scale;
    recipe.quantize_mtp = !flags.no_mtp_quant;
    recipe.overwrite = flags.overwrite;
    for (size_t i = 0; i < flags.sizes.size(); ++i)
        if (flags.sizes[i].first->count() > 0)
            recipe.sizes.emplace_back(tiny_size_keys()[i], flags.sizes[i].second);
    if (flags.calibration.empty()) return recipe;
    Result<std::vector<InputRange>> ranges = read_input_ranges(flags.calibration);
    if (!ranges.ok()) return std::move(ranges).error();
    recipe.ranges = std::move(ranges).value();
    return recipe;
}

}  // namespace

int run_tiny(int argc, char** argv) {
    CLI::App app("Writes a small random checkpoint of DeepSeek-V3.2's architecture.",
                 "fathom tiny");
    TinyFlags flags;
    add_flags(app, flags);
    if (const int code = parse_command_line(app, argc, argv); code >= 0) return code;
    Result<TinyRecipe> recipe = recipe_of(app, flags);
    if (!recipe.ok()) return fail_command("fathom tiny", recipe.error().message);

    const Clock::time_point begin = Clock::now();
    Result<int64_t> written = write_tiny(flags.folder, recipe.value(), flags.threads);
    if (!written.ok()) return fail_command("fathom tiny", written.error().message);
    std::printf("%s: %s of weights (%s, %s) in %.1f s\n", flags.folder.c_str(),
                readable_bytes(written.value()).c_str(), flags.preset.c_str(),
                name_of(recipe.value().format), seconds_since(begin));
    return 0;
}

}  // namespace fathom
