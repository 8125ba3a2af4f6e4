#include "checkpoint/quantization.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/checkpoint_writer.h"
#include "checkpoint/names.h"
#include "checkpoint/quantization_config.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kConfigBytesMax = int64_t{1} << 20;

Error refuse(std::string message) { return Error{Code::invalid_argument, std::move(message)}; }

// What belongs to a checkpoint beside its weights and says nothing of how they are stored.
bool is_companion(const std::string& name) {
    return name.starts_with("tokenizer") || name.starts_with("chat_template") ||
           name.ends_with(".jinja") || name == "generation_config.json" ||
           name == "special_tokens_map.json" || name.starts_with("LICENSE");
}

Status copy_companions(const fs::path& in, const fs::path& out) {
    std::error_code failed;
    for (const fs::directory_entry& entry : fs::directory_iterator(in, failed)) {
        const fs::path name = entry.path().filename();
        if (!is_companion(name.string()) || !entry.is_regular_file(failed)) continue;
        fs::copy_file(entry.path(), out / name, fs::copy_options::overwrite_existing, failed);
        if (failed)
            return Error{Code::unavailable, str(entry.path().string(), " cannot be copied to ",
                                                out.string(), ": ", failed.message())};
    }
    if (failed)
        return Error{Code::unavailable, str(in.string(), " cannot be read: ", failed.message())};
    return Unit{};
}

// Where the values of the weights come from; by the numbers that CheckpointWriter gives them.
class Source {
public:
    Source(const Quantization& job, const Checkpoint& checkpoint, const ModelArgs& args)
        : job_(job), checkpoint_(checkpoint) {
        for (const InputRange& range : job.ranges) ranges_[range.module] = &range;
        for (const ExpectedTensor& tensor : expected_tensors(args)) plan(tensor);
    }

    const std::vector<PlannedWeight>& weights() const { return weights_; }

    Status rows(int weight, int64_t first, std::span<float> out) const {
        read_rows(linears_[weight], first, out);
        for (const float value : out)
            if (!std::isfinite(value))
                return Error{Code::corrupt, str(weights_[weight].name, " holds ", value,
                                                ", which no scale fits; fetch the file again")};
        return Unit{};
    }

private:
    void plan(const ExpectedTensor& tensor) {
        const StoredTensor* stored = checkpoint_.find(tensor.name);
        CHECK(stored != nullptr, "no tensor ", tensor.name, " in a verified checkpoint");
        PlannedWeight weight{
            .name = tensor.name, .shape = tensor.shape, .form = form_of(tensor, job_.format)};
        StoredLinear linear{.kind = Linear::Kind::bf16, .N = 0, .K = 0, .weight = stored};
        if (tensor.store == Store::linear) {
            const std::string module(module_of(tensor.name));
            Result<StoredLinear> found = checkpoint_.linear(module);
            CHECK(found.ok(), found.error().message);
            linear = std::move(found).value();
            if (weight.form == WeightForm::w8a8_static) {
                const auto range = ranges_.find(module);
                CHECK(range != ranges_.end(), "no range of ", module);
                weight.range = *range->second;
            }
        }
        const bool is_float = weight.form == WeightForm::bf16 || weight.form == WeightForm::f32;
        if (is_float && linear.kind == Linear::Kind::bf16) weight.copy = stored;
        weights_.push_back(std::move(weight));
        linears_.push_back(linear);
    }

    const Quantization& job_;
    const Checkpoint& checkpoint_;
    std::map<std::string, const InputRange*> ranges_;
    std::vector<PlannedWeight> weights_;
    std::vector<StoredLinear> linears_;
};

}  // namespace

std::vector<std::string> static_modules(const ModelArgs& args) {
    std::vector<std::string> modules;
    for (const ExpectedTensor& tensor : expected_tensors(args))
        if (form_of(tensor, CheckpointFormat::w8a8) == WeightForm::w8a8_static)
            modules.emplace_back(module_of(tensor.name));
    return modules;
}

Status check_quantization(const Quantization& job, CheckpointFormat from) {
    const bool can = from == CheckpointFormat::bf16 ||
                     (from == CheckpointFormat::fp8 && job.format == CheckpointFormat::w8a8);
    if (!can)
        return refuse(str(job.in.string(), " is ", name_of(from), " already; --format ",
                          name_of(job.format), " takes bf16",
                          job.format == CheckpointFormat::w8a8 ? " or fp8" : ""));
    std::error_code failed;
    if (fs::equivalent(job.in, job.out, failed))
        return refuse(str(job.out.string(), " is the checkpoint to read; name another folder"));
    if (!fs::exists(job.out, failed)) return Unit{};
    if (!fs::is_directory(job.out, failed))
        return refuse(str(job.out.string(), " is no folder; name another one"));
    if (!job.overwrite && !fs::is_empty(job.out, failed))
        return refuse(
            str(job.out.string(), " is not empty; name another folder or add --overwrite"));
    return Unit{};
}

Result<int64_t> quantize(const Quantization& job, const Checkpoint& checkpoint,
                         const ModelArgs& args) {
    CHECK(job.format != CheckpointFormat::bf16, "bf16 is no quantization");
    Result<std::string> config = read_text(job.in / "config.json", kConfigBytesMax);
    if (!config.ok()) return std::move(config).error();
    Status ok = check_quantization(job, checkpoint.format());
    if (ok.ok()) ok = prepare_folder(job.out, job.overwrite);
    if (!ok.ok()) return std::move(ok).error();

    const Source source(job, checkpoint, args);
    CheckpointWriter writer(job.format);
    for (const PlannedWeight& weight : source.weights()) writer.add(weight);
    writer.split_at(job.file_bytes_max);
    const auto rows = [&](int weight, int64_t first, std::span<float> out) {
        return source.rows(weight, first, out);
    };
    ok = writer.write_weights(job.out, rows, job.threads, job.progress);
    if (ok.ok()) ok = writer.write_tables(job.out);
    if (ok.ok()) ok = copy_companions(job.in, job.out);
    // Last: without it nobody takes the folder for a checkpoint.
    if (ok.ok())
        ok = write_text(job.out / "config.json", job.format == CheckpointFormat::fp8
                                                     ? with_fp8_blocks(config.value())
                                                     : without_quantization(config.value()));
    if (!ok.ok()) return std::move(ok).error();
    return writer.total_bytes();
}

}  // namespace fathom
