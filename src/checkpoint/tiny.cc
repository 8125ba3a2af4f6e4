#include "checkpoint/tiny.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "checkpoint/names.h"
#include "checkpoint/safetensors_writer.h"
#include "checkpoint/tiny_config.h"
#include "checkpoint/tiny_files.h"
#include "checkpoint/tiny_weights.h"
#include "config/args.h"
#include "tensor/workers.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// Rows that are made at once: what shares a scale of fp8.
constexpr int64_t kRows = 128;

// How one weight is stored.
enum class Form : uint8_t { bf16, f32, fp8, w8a8_static, w8a8_dynamic };

const char* type_name(Form form) {
    if (form == Form::w8a8_static) return "W8A8";
    return form == Form::w8a8_dynamic ? "W8A8_DYNAMIC" : "FLOAT";
}

// One tensor of a file.
struct Output {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    Form form;
    int file = 0, slot = 0;

    int64_t bytes() const {
        int64_t bytes = size_of(dtype);
        for (const int64_t size : shape) bytes *= size;
        return bytes;
    }
};

// A weight and where its outputs begin; they follow each other in the order of plan().
struct Plan {
    TinyWeight weight;
    Form form;
    int64_t rows, columns;
    InputRange range;  // w8a8_static
    int output;
};

Form form_of(const ExpectedTensor& tensor, const TinyRecipe& recipe) {
    if (tensor.store == Store::f32) return Form::f32;
    if (tensor.store == Store::plain || recipe.format == CheckpointFormat::bf16) return Form::bf16;
    if (recipe.format == CheckpointFormat::fp8) return Form::fp8;
    if (tensor.mtp && !recipe.quantize_mtp) return Form::bf16;
    const bool attention = tensor.part == Part::attention;
    if (tensor.part == Part::indexer || tensor.name.ends_with(".kv_b_proj.weight"))
        return Form::bf16;
    return attention ? Form::w8a8_static : Form::w8a8_dynamic;
}

InputRange range_of(const TinyRecipe& recipe, const std::string& module) {
    for (const InputRange& range : recipe.ranges)
        if (range.module == module) return range;
    const double scale = (4 + 3.875) / 255;
    return {module, scale, std::round(3.875 / scale) - 128};
}

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
    return std::as_bytes(std::span(values));
}

class TinyWriter {
public:
    TinyWriter(const TinyRecipe& recipe, const ModelArgs& args) : recipe_(recipe) {
        for (const ExpectedTensor& tensor : expected_tensors(args)) plan(tensor);
        split();
    }

    Status write_weights(const fs::path& folder, int threads);
    std::string index_json() const;
    std::string description_json() const;
    int64_t total_bytes() const {
        int64_t total = 0;
        for (const Output& output : outputs_) total += output.bytes();
        return total;
    }
    std::string index_name() const { return stem() + ".safetensors.index.json"; }

private:
    struct Piece {
        int plan;
        int64_t begin, end;  // Rows.
    };

    std::string stem() const {
        return recipe_.format == CheckpointFormat::w8a8 ? "quant_model_weights" : "model";
    }
    std::string file_name(int file) const {
        char text[64];
        std::snprintf(text, sizeof text, "-%05d-of-%05d.safetensors", file + 1, files_);
        return stem() + text;
    }
    void plan(const ExpectedTensor& tensor);
    void split();
    Status make(const Piece& piece);
    Status make_float(const Plan& plan, const Piece& piece, std::span<const float> x);
    Status make_fp8(const Plan& plan, const Piece& piece, std::span<const float> x);
    Status make_int8(const Plan& plan, const Piece& piece, std::span<const float> x);
    Status put(int output, int64_t offset, std::span<const std::byte> data) {
        const Output& to = outputs_[output];
        return writers_[to.file].write(to.slot, offset, data);
    }

    const TinyRecipe& recipe_;
    std::vector<Plan> plans_;
    std::vector<Output> outputs_;
    int files_ = 1;
    std::vector<SafetensorsWriter> writers_;
};

void TinyWriter::plan(const ExpectedTensor& tensor) {
    const bool matrix = tensor.shape.size() == 2;
    const int64_t rows = matrix ? tensor.shape[0] : 1, columns = tensor.shape.back();
    const Form form = form_of(tensor, recipe_);
    Plan plan{.weight = tiny_weight(tensor, recipe_.seed),
              .form = form,
              .rows = rows,
              .columns = columns,
              .range = {},
              .output = static_cast<int>(outputs_.size())};
    const auto add = [&](const std::string& name, DType dtype, std::vector<int64_t> shape) {
        outputs_.push_back({name, dtype, std::move(shape), form});
    };
    const std::string module = matrix ? std::string(module_of(tensor.name)) : "";
    switch (form) {
        case Form::bf16: add(tensor.name, DType::bf16, tensor.shape); break;
        case Form::f32: add(tensor.name, DType::f32, tensor.shape); break;
        case Form::fp8:
            add(tensor.name, DType::f8e4m3, tensor.shape);
            add(tensor.name + "_scale_inv", DType::f32,
                {(rows + 127) / 128, (columns + 127) / 128});
            break;
        case Form::w8a8_static:
            plan.range = range_of(recipe_, module);
            add(tensor.name, DType::i8, tensor.shape);
            add(module + ".quant_bias", DType::i32, {rows});
            add(module + ".input_scale", DType::f32, {1});
            add(module + ".input_offset", DType::f32, {1});
            add(module + ".deq_scale", recipe_.int64_deq_scale ? DType::i64 : DType::f32, {rows});
            break;
        case Form::w8a8_dynamic:
            add(tensor.name, DType::i8, tensor.shape);
            add(module + ".weight_scale", DType::f32, {rows, 1});
            add(module + ".weight_offset", DType::f32, {rows, 1});
            break;
    }
    plans_.push_back(std::move(plan));
}

// Files of about equal size, cut at any tensor: a scale may lie in another file than its weight.
void TinyWriter::split() {
    const int64_t total = total_bytes();
    int64_t size = 0;
    bool empty = true;
    for (Output& output : outputs_) {
        if (!empty && size * recipe_.files >= total && files_ < recipe_.files) {
            ++files_;
            size = 0;
            empty = true;
        }
        output.file = files_ - 1;
        size += output.bytes();
        empty = false;
    }
    writers_.resize(files_);
    for (Output& output : outputs_)
        output.slot = writers_[output.file].add(output.name, output.dtype, output.shape);
}

Status TinyWriter::write_weights(const fs::path& folder, int threads) {
    for (int file = 0; file < files_; ++file)
        if (Status made = writers_[file].create(folder / file_name(file)); !made.ok()) return made;
    std::vector<Piece> pieces;
    for (int p = 0; p < std::ssize(plans_); ++p)
        for (int64_t row = 0; row < plans_[p].rows; row += kRows)
            pieces.push_back({p, row, std::min(row + kRows, plans_[p].rows)});
    std::mutex mutex;
    Status first = Unit{};
    Workers workers(threads);
    workers.parallel_for(std::ssize(pieces), 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
            Status done = make(pieces[i]);
            if (done.ok()) continue;
            const std::lock_guard lock(mutex);
            first = std::move(done);
            return;
        }
    });
    return first;
}

Status TinyWriter::make(const Piece& piece) {
    const Plan& plan = plans_[piece.plan];
    std::vector<float> x((piece.end - piece.begin) * plan.columns);
    fill(plan.weight, piece.begin * plan.columns, x);
    switch (plan.form) {
        case Form::bf16:
        case Form::f32: return make_float(plan, piece, x);
        case Form::fp8: return make_fp8(plan, piece, x);
        default: return make_int8(plan, piece, x);
    }
}

Status TinyWriter::make_float(const Plan& plan, const Piece& piece, std::span<const float> x) {
    if (plan.form == Form::f32)
        return put(plan.output, piece.begin * plan.columns * 4, std::as_bytes(x));
    std::vector<bf16> rounded(x.size());
    for (size_t i = 0; i < x.size(); ++i) rounded[i] = to_bf16(x[i]);
    return put(plan.output, piece.begin * plan.columns * 2, bytes_of(rounded));
}

Status TinyWriter::make_fp8(const Plan& plan, const Piece& piece, std::span<const float> x) {
    std::vector<uint8_t> codes(x.size());
    std::vector<float> scales((plan.columns + 127) / 128);
    quantize_fp8_rows(x, plan.columns, codes, scales);
    Status written = put(plan.output, piece.begin * plan.columns, bytes_of(codes));
    if (!written.ok()) return written;
    return put(plan.output + 1, piece.begin / 128 * std::ssize(scales) * 4, bytes_of(scales));
}

Status TinyWriter::make_int8(const Plan& plan, const Piece& piece, std::span<const float> x) {
    const int64_t rows = piece.end - piece.begin, at = piece.begin;
    std::vector<int8_t> codes(x.size());
    std::vector<float> scales(rows);
    std::vector<int64_t> sums(rows);
    quantize_int8_rows(x, plan.columns, codes, scales, sums);
    Status ok = put(plan.output, at * plan.columns, bytes_of(codes));
    if (plan.form == Form::w8a8_dynamic) {
        if (ok.ok()) ok = put(plan.output + 1, at * 4, bytes_of(scales));
        if (ok.ok()) ok = put(plan.output + 2, at * 4, bytes_of(std::vector<float>(rows, 0.0f)));
        return ok;
    }
    const std::vector<float> input{static_cast<float>(plan.range.scale)},
        offset{static_cast<float>(plan.range.offset)};
    std::vector<int32_t> bias(rows);
    std::vector<float> deq(rows);
    std::vector<int64_t> deq_bits(rows);
    for (int64_t row = 0; row < rows; ++row) {
        bias[row] = static_cast<int32_t>(std::rint(-plan.range.offset * sums[row]));
        deq[row] = input[0] * scales[row];
        int32_t bits;
        std::memcpy(&bits, &deq[row], sizeof bits);
        deq_bits[row] = bits;
    }
    if (ok.ok()) ok = put(plan.output + 1, at * 4, bytes_of(bias));
    if (ok.ok() && at == 0) ok = put(plan.output + 2, 0, bytes_of(input));
    if (ok.ok() && at == 0) ok = put(plan.output + 3, 0, bytes_of(offset));
    if (!ok.ok()) return ok;
    return recipe_.int64_deq_scale ? put(plan.output + 4, at * 8, bytes_of(deq_bits))
                                   : put(plan.output + 4, at * 4, bytes_of(deq));
}

std::string TinyWriter::index_json() const {
    std::string text =
        str("{\n \"metadata\": {\n  \"total_size\": ", total_bytes(), "\n },\n \"weight_map\": {");
    for (const Output& output : outputs_)
        text += str(&output == outputs_.data() ? "\n" : ",\n", "  \"", output.name, "\": \"",
                    file_name(output.file), "\"");
    return text + "\n }\n}";
}

std::string TinyWriter::description_json() const {
    std::string text =
        "{\n \"version\": \"1.0.0\",\n \"model_quant_type\": \"W8A8\",\n \"metadata\": {},\n "
        "\"group_size\": 0";
    for (const Output& output : outputs_)
        text += str(",\n \"", output.name, "\": \"", type_name(output.form), "\"");
    return text + "\n}";
}

Status write_text(const fs::path& path, std::string_view text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) return Error{Code::unavailable, str(path.string(), ": cannot be written")};
    return Unit{};
}

// Files of an older checkpoint would be taken for part of the new one.
Status clear(const fs::path& folder, bool overwrite) {
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed || !fs::is_directory(folder))
        return Error{Code::unavailable,
                     str(folder.string(), " cannot be made: ", failed.message())};
    std::vector<fs::path> old;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") ||
            name == "quant_model_description.json" || name == "config.json")
            old.push_back(entry.path());
    }
    if (!old.empty() && !overwrite)
        return Error{Code::invalid_argument,
                     str(folder.string(), " holds ", old.front().filename().string(),
                         " already; name another folder or add --overwrite")};
    for (const fs::path& path : old)
        if (!fs::remove(path, failed))
            return Error{Code::unavailable,
                         str(path.string(), " cannot be removed: ", failed.message())};
    return Unit{};
}

}  // namespace

Result<std::vector<InputRange>> read_input_ranges(const fs::path& path) {
    Result<std::string> text = read_text(path, int64_t{64} << 20);
    if (!text.ok()) return std::move(text).error();
    const auto json = nlohmann::json::parse(text.value(), nullptr, /*allow_exceptions=*/false);
    std::vector<InputRange> ranges;
    const auto refuse = [&](const std::string& what) {
        return Error{Code::corrupt,
                     str(path.string(), ": ", what,
                         "; expected {\"module\": {\"input_scale\": s, \"input_offset\": o}}")};
    };
    if (!json.is_object()) return refuse("not a JSON object");
    const auto number = [](const nlohmann::json& range, const char* key) {
        const bool there = range.is_object() && range.contains(key) && range[key].is_number();
        return there ? range[key].get<double>() : std::nan("");
    };
    for (const auto& [module, range] : json.items()) {
        const double scale = number(range, "input_scale"), offset = number(range, "input_offset");
        if (!(scale > 0) || !(offset >= -128 && offset <= 127) || offset != std::rint(offset))
            return refuse(str(module, " is ", range.dump()));
        ranges.push_back({module, scale, offset});
    }
    return ranges;
}

Result<int64_t> write_tiny(const fs::path& folder, const TinyRecipe& recipe, int threads) {
    CHECK(recipe.seed < (uint64_t{1} << 32) && recipe.files >= 1, "seed ", recipe.seed, ", files ",
          recipe.files);
    const std::string config = tiny_config_json(recipe);
    Result<ModelArgs> args = parse_model_args(config);
    if (!args.ok()) return std::move(args).error();
    if (Status cleared = clear(folder, recipe.overwrite); !cleared.ok())
        return std::move(cleared).error();

    TinyWriter writer(recipe, args.value());
    Status ok = writer.write_weights(folder, threads);
    const auto text = [&](const std::string& name, std::string_view content) {
        if (ok.ok()) ok = write_text(folder / name, content);
    };
    text(writer.index_name(), writer.index_json());
    if (recipe.format == CheckpointFormat::w8a8)
        text("quant_model_description.json", writer.description_json());
    text("tokenizer.json", tiny_tokenizer_json());
    text("tokenizer_config.json", tiny_tokenizer_config_json());
    text("generation_config.json", tiny_generation_config_json());
    text("config.json", config);
    if (!ok.ok()) return std::move(ok).error();
    return writer.total_bytes();
}

}  // namespace fathom
