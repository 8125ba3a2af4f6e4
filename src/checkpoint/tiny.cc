#include "checkpoint/tiny.h"

#include <cmath>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/checkpoint_writer.h"
#include "checkpoint/names.h"
#include "checkpoint/tiny_config.h"
#include "checkpoint/tiny_files.h"
#include "checkpoint/tiny_weights.h"
#include "config/args.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

InputRange range_of(const TinyRecipe& recipe, const std::string& module) {
    for (const InputRange& range : recipe.ranges)
        if (range.module == module) return range;
    const double scale = (4 + 3.875) / 255;
    return {module, scale, std::round(3.875 / scale) - 128};
}

PlannedWeight planned(const ExpectedTensor& tensor, const TinyRecipe& recipe) {
    PlannedWeight weight{
        .name = tensor.name, .shape = tensor.shape, .form = form_of(tensor, recipe.format)};
    const bool quantized = weight.form != WeightForm::f32 && weight.form != WeightForm::bf16;
    if (quantized && recipe.format == CheckpointFormat::w8a8 && tensor.mtp && !recipe.quantize_mtp)
        weight.form = WeightForm::bf16;
    if (weight.form == WeightForm::w8a8_static)
        weight.range = range_of(recipe, std::string(module_of(tensor.name)));
    return weight;
}

}  // namespace

Result<int64_t> write_tiny(const fs::path& folder, const TinyRecipe& recipe, int threads) {
    CHECK(recipe.seed < (uint64_t{1} << 32) && recipe.files >= 1, "seed ", recipe.seed, ", files ",
          recipe.files);
    const std::string config = tiny_config_json(recipe);
    Result<ModelArgs> args = parse_model_args(config);
    if (!args.ok()) return std::move(args).error();
    if (Status ready = prepare_folder(folder, recipe.overwrite); !ready.ok())
        return std::move(ready).error();

    const std::vector<ExpectedTensor> tensors = expected_tensors(args.value());
    CheckpointWriter writer(recipe.format, recipe.int64_deq_scale);
    for (const ExpectedTensor& tensor : tensors) writer.add(planned(tensor, recipe));
    writer.split_evenly(recipe.files);
    const auto rows = [&](int weight, int64_t first, std::span<float> out) -> Status {
        const ExpectedTensor& tensor = tensors[weight];
        fill(tiny_weight(tensor, recipe.seed), first * tensor.shape.back(), out);
        return Unit{};
    };
    Status ok = writer.write_weights(folder, rows, threads);
    if (ok.ok()) ok = writer.write_tables(folder);
    const auto text = [&](const std::string& name, std::string_view content) {
        if (ok.ok()) ok = write_text(folder / name, content);
    };
    text("tokenizer.json", tiny_tokenizer_json());
    text("tokenizer_config.json", tiny_tokenizer_config_json());
    text("generation_config.json", tiny_generation_config_json());
    text("config.json", config);
    if (!ok.ok()) return std::move(ok).error();
    return writer.total_bytes();
}

}  // namespace fathom
