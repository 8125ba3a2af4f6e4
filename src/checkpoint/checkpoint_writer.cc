#include "checkpoint/checkpoint_writer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "checkpoint/checkpoint_folder.h"
#include "checkpoint/quantize_rows.h"
#include "tensor/workers.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// Rows that are made at once: what shares a scale of fp8.
constexpr int64_t kRows = 128;
// Pieces per thread between two calls of progress(); the files are read and written about in order.
constexpr int64_t kPieces = 32;

const char* type_name(WeightForm form) {
    if (form == WeightForm::w8a8_static) return "W8A8";
    return form == WeightForm::w8a8_dynamic ? "W8A8_DYNAMIC" : "FLOAT";
}

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
    return std::as_bytes(std::span(values));
}

}  // namespace

WeightForm form_of(const ExpectedTensor& tensor, CheckpointFormat format) {
    if (tensor.store == Store::f32) return WeightForm::f32;
    if (tensor.store == Store::plain || format == CheckpointFormat::bf16) return WeightForm::bf16;
    if (format == CheckpointFormat::fp8) return WeightForm::fp8;
    if (tensor.part == Part::indexer || tensor.name.ends_with(".kv_b_proj.weight"))
        return WeightForm::bf16;
    return tensor.part == Part::attention ? WeightForm::w8a8_static : WeightForm::w8a8_dynamic;
}

int64_t CheckpointWriter::Output::bytes() const {
    int64_t bytes = size_of(dtype);
    for (const int64_t size : shape) bytes *= size;
    return bytes;
}

int64_t CheckpointWriter::total_bytes() const {
    int64_t total = 0;
    for (const Output& output : outputs_) total += output.bytes();
    return total;
}

std::string CheckpointWriter::file_name(int file) const {
    char text[64];
    std::snprintf(text, sizeof text, "-%05d-of-%05d.safetensors", file + 1, files_);
    return stem() + text;
}

void CheckpointWriter::add(PlannedWeight weight) {
    const bool matrix = weight.shape.size() == 2;
    const int64_t rows = matrix ? weight.shape[0] : 1, columns = weight.shape.back();
    const WeightForm form = weight.form;
    const std::string module = matrix ? std::string(module_of(weight.name)) : "";
    const auto tensor = [&](const std::string& name, DType dtype, std::vector<int64_t> shape) {
        outputs_.push_back({name, dtype, std::move(shape), form});
    };
    const Plan plan{.weight = weight,
                    .rows = rows,
                    .columns = columns,
                    .output = static_cast<int>(outputs_.size())};
    switch (form) {
        case WeightForm::bf16:
        case WeightForm::f32: {
            const DType dtype = form == WeightForm::f32 ? DType::f32 : DType::bf16;
            tensor(weight.name, weight.copy != nullptr ? weight.copy->dtype : dtype, weight.shape);
            break;
        }
        case WeightForm::fp8:
            tensor(weight.name, DType::f8e4m3, weight.shape);
            tensor(weight.name + "_scale_inv", DType::f32,
                   {(rows + 127) / 128, (columns + 127) / 128});
            break;
        case WeightForm::w8a8_static:
            tensor(weight.name, DType::i8, weight.shape);
            tensor(module + ".quant_bias", DType::i32, {rows});
            tensor(module + ".input_scale", DType::f32, {1});
            tensor(module + ".input_offset", DType::f32, {1});
            tensor(module + ".deq_scale", int64_deq_scale_ ? DType::i64 : DType::f32, {rows});
            break;
        case WeightForm::w8a8_dynamic:
            tensor(weight.name, DType::i8, weight.shape);
            tensor(module + ".weight_scale", DType::f32, {rows, 1});
            tensor(module + ".weight_offset", DType::f32, {rows, 1});
            break;
    }
    plans_.push_back(plan);
}

void CheckpointWriter::split_evenly(int files) {
    const int64_t total = total_bytes();
    split([&](int64_t size, int64_t) { return size * files >= total && files_ < files; });
}

void CheckpointWriter::split_at(int64_t bytes_max) {
    split([&](int64_t size, int64_t next) { return size + next > bytes_max; });
}

void CheckpointWriter::split(const std::function<bool(int64_t size, int64_t next)>& is_full) {
    CHECK(writers_.empty(), "split twice");
    int64_t size = 0;
    for (Output& output : outputs_) {
        if (size > 0 && is_full(size, output.bytes())) {
            ++files_;
            size = 0;
        }
        output.file = files_ - 1;
        size += output.bytes();
    }
    writers_.resize(files_);
    for (Output& output : outputs_)
        output.slot = writers_[output.file].add(output.name, output.dtype, output.shape);
}

std::vector<CheckpointWriter::Piece> CheckpointWriter::pieces() const {
    std::vector<Piece> pieces;
    for (int p = 0; p < std::ssize(plans_); ++p)
        for (int64_t row = 0; row < plans_[p].rows; row += kRows)
            pieces.push_back({p, row, std::min(row + kRows, plans_[p].rows)});
    return pieces;
}

Status CheckpointWriter::write_weights(const fs::path& folder, const Rows& rows, int threads,
                                       const std::function<void(int64_t, int64_t)>& progress) {
    for (int file = 0; file < files_; ++file)
        if (Status made = writers_[file].create(folder / file_name(file)); !made.ok()) return made;
    std::mutex mutex;
    Status first = Unit{};
    Workers workers(threads);
    const std::vector<Piece> all = pieces();
    const int64_t bytes = total_bytes();
    int64_t done = 0, total = 0;  // Elements.
    for (const Plan& plan : plans_) total += plan.rows * plan.columns;
    for (int64_t at = 0; at < std::ssize(all) && first.ok();) {
        const int64_t count = std::min(kPieces * threads, std::ssize(all) - at);
        workers.parallel_for(count, 1, [&](int64_t begin, int64_t end, int) {
            for (int64_t i = begin; i < end; ++i) {
                Status made = make(all[at + i], rows);
                if (made.ok()) continue;
                const std::lock_guard lock(mutex);
                first = std::move(made);
                return;
            }
        });
        for (int64_t i = at; i < at + count; ++i)
            done += (all[i].end - all[i].begin) * plans_[all[i].plan].columns;
        at += count;
        const double share = static_cast<double>(done) / static_cast<double>(total);
        if (progress) progress(std::llround(share * static_cast<double>(bytes)), bytes);
    }
    return first;
}

Status CheckpointWriter::make(const Piece& piece, const Rows& rows) {
    const Plan& plan = plans_[piece.plan];
    if (plan.weight.copy != nullptr) return copy(plan, piece);
    std::vector<float> x((piece.end - piece.begin) * plan.columns);
    if (Status made = rows(piece.plan, piece.begin, x); !made.ok()) return made;
    switch (plan.weight.form) {
        case WeightForm::bf16:
        case WeightForm::f32: return make_float(plan, piece, x);
        case WeightForm::fp8: return make_fp8(plan, piece, x);
        default: return make_int8(plan, piece, x);
    }
}

Status CheckpointWriter::copy(const Plan& plan, const Piece& piece) {
    const StoredTensor& from = *plan.weight.copy;
    const int64_t row_bytes = plan.columns * size_of(from.dtype), begin = piece.begin * row_bytes;
    return put(plan.output, begin, from.data.subspan(begin, (piece.end - piece.begin) * row_bytes));
}

Status CheckpointWriter::make_float(const Plan& plan, const Piece& piece,
                                    std::span<const float> x) {
    if (plan.weight.form == WeightForm::f32)
        return put(plan.output, piece.begin * plan.columns * 4, std::as_bytes(x));
    std::vector<bf16> rounded(x.size());
    for (size_t i = 0; i < x.size(); ++i) rounded[i] = to_bf16(x[i]);
    return put(plan.output, piece.begin * plan.columns * 2, bytes_of(rounded));
}

Status CheckpointWriter::make_fp8(const Plan& plan, const Piece& piece, std::span<const float> x) {
    std::vector<uint8_t> codes(x.size());
    std::vector<float> scales((plan.columns + 127) / 128);
    quantize_fp8_rows(x, plan.columns, codes, scales);
    Status written = put(plan.output, piece.begin * plan.columns, bytes_of(codes));
    if (!written.ok()) return written;
    return put(plan.output + 1, piece.begin / 128 * std::ssize(scales) * 4, bytes_of(scales));
}

Status CheckpointWriter::make_int8(const Plan& plan, const Piece& piece, std::span<const float> x) {
    const int64_t rows = piece.end - piece.begin, at = piece.begin;
    std::vector<int8_t> codes(x.size());
    std::vector<float> scales(rows);
    std::vector<int64_t> sums(rows);
    quantize_int8_rows(x, plan.columns, codes, scales, sums);
    Status ok = put(plan.output, at * plan.columns, bytes_of(codes));
    if (plan.weight.form == WeightForm::w8a8_dynamic) {
        if (ok.ok()) ok = put(plan.output + 1, at * 4, bytes_of(scales));
        if (ok.ok()) ok = put(plan.output + 2, at * 4, bytes_of(std::vector<float>(rows, 0.0f)));
        return ok;
    }
    const InputRange& range = plan.weight.range;
    const std::vector<float> input{static_cast<float>(range.scale)},
        offset{static_cast<float>(range.offset)};
    std::vector<int32_t> bias(rows);
    std::vector<float> deq(rows);
    std::vector<int64_t> deq_bits(rows);
    for (int64_t row = 0; row < rows; ++row) {
        bias[row] = static_cast<int32_t>(std::rint(-range.offset * sums[row]));
        deq[row] = input[0] * scales[row];
        int32_t bits;
        std::memcpy(&bits, &deq[row], sizeof bits);
        deq_bits[row] = bits;
    }
    if (ok.ok()) ok = put(plan.output + 1, at * 4, bytes_of(bias));
    if (ok.ok() && at == 0) ok = put(plan.output + 2, 0, bytes_of(input));
    if (ok.ok() && at == 0) ok = put(plan.output + 3, 0, bytes_of(offset));
    if (!ok.ok()) return ok;
    return int64_deq_scale_ ? put(plan.output + 4, at * 8, bytes_of(deq_bits))
                            : put(plan.output + 4, at * 4, bytes_of(deq));
}

std::string CheckpointWriter::index_json() const {
    std::string text =
        str("{\n \"metadata\": {\n  \"total_size\": ", total_bytes(), "\n },\n \"weight_map\": {");
    for (const Output& output : outputs_)
        text += str(&output == outputs_.data() ? "\n" : ",\n", "  \"", output.name, "\": \"",
                    file_name(output.file), "\"");
    return text + "\n }\n}";
}

std::string CheckpointWriter::description_json() const {
    std::string text =
        "{\n \"version\": \"1.0.0\",\n \"model_quant_type\": \"W8A8\",\n \"metadata\": {},\n "
        "\"group_size\": 0";
    for (const Output& output : outputs_)
        text += str(",\n \"", output.name, "\": \"", type_name(output.form), "\"");
    return text + "\n}";
}

Status CheckpointWriter::write_tables(const fs::path& folder) const {
    Status written = write_text(folder / (stem() + ".safetensors.index.json"), index_json());
    if (!written.ok() || format_ != CheckpointFormat::w8a8) return written;
    return write_text(folder / "quant_model_description.json", description_json());
}

}  // namespace fathom
