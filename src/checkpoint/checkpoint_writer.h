#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "checkpoint/format.h"
#include "checkpoint/input_range.h"
#include "checkpoint/names.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_writer.h"

namespace fathom {

// How one weight is stored; the quantized ones as checkpoint/checkpoint.h has them.
enum class WeightForm : uint8_t { bf16, f32, fp8, w8a8_static, w8a8_dynamic };

// How a checkpoint of `format` stores the tensor. fp8: every linear. w8a8: q_a, kv_a, q_b and
// o_proj static, MLPs and experts dynamic, the rest as it is.
WeightForm form_of(const ExpectedTensor& tensor, CheckpointFormat format);

struct PlannedWeight {
    std::string name;  // "model.layers.0.self_attn.q_a_proj.weight"
    std::vector<int64_t> shape;
    WeightForm form;
    InputRange range = {};               // w8a8_static
    const StoredTensor* copy = nullptr;  // bf16, f32: written as these bytes.
};

// Writes the weights of a checkpoint folder and the tables that name them, for `fathom tiny` and
// `fathom quantize`: add() all, split, write. The values are asked for 128 rows at a time, from
// several threads, so that no tensor is ever whole in memory.
class CheckpointWriter {
public:
    // Rows [first, first + out.size() / columns) of a weight, by its number; a vector is one row.
    using Rows = std::function<Status(int weight, int64_t first, std::span<float> out)>;

    // int64_deq_scale: w8a8_static's deq_scale as 64-bit integers that hold f32 bits.
    explicit CheckpointWriter(CheckpointFormat format, bool int64_deq_scale = false)
        : format_(format), int64_deq_scale_(int64_deq_scale) {}

    // Weights have numbers from 0, in this order.
    void add(PlannedWeight weight);
    // The files, cut at any tensor: a scale may lie in another file than its weight. So many of
    // about equal size, or as few as do not pass so many bytes (but for a tensor that is larger).
    void split_evenly(int files);
    void split_at(int64_t bytes_max);
    int64_t total_bytes() const;  // Of all tensors.

    // The *.safetensors. `progress` is called on the calling thread. Errors: of rows(), no space.
    Status write_weights(const std::filesystem::path& folder, const Rows& rows, int threads,
                         const std::function<void(int64_t done, int64_t total)>& progress = {});
    // The index, and quant_model_description.json for w8a8.
    Status write_tables(const std::filesystem::path& folder) const;

private:
    // One tensor of a file.
    struct Output {
        std::string name;
        DType dtype;
        std::vector<int64_t> shape;
        WeightForm form;
        int file = 0, slot = 0;

        int64_t bytes() const;
    };
    // A weight and where its outputs begin; they follow each other in the order of add().
    struct Plan {
        PlannedWeight weight;
        int64_t rows, columns;
        int output;
    };
    struct Piece {
        int plan;
        int64_t begin, end;  // Rows.
    };

    std::string stem() const {
        return format_ == CheckpointFormat::w8a8 ? "quant_model_weights" : "model";
    }
    std::string file_name(int file) const;
    std::string index_json() const;
    std::string description_json() const;
    // The next file begins where this one, of so many bytes, is full for a tensor of so many more.
    void split(const std::function<bool(int64_t size, int64_t next)>& is_full);
    std::vector<Piece> pieces() const;
    Status make(const Piece& piece, const Rows& rows);
    Status copy(const Plan& plan, const Piece& piece);
    Status make_float(const Plan& plan, const Piece& piece, std::span<const float> x);
    Status make_fp8(const Plan& plan, const Piece& piece, std::span<const float> x);
    Status make_int8(const Plan& plan, const Piece& piece, std::span<const float> x);
    Status put(int output, int64_t offset, std::span<const std::byte> data) {
        const Output& to = outputs_[output];
        return writers_[to.file].write(to.slot, offset, data);
    }

    const CheckpointFormat format_;
    const bool int64_deq_scale_;
    std::vector<Plan> plans_;
    std::vector<Output> outputs_;
    int files_ = 1;
    std::vector<SafetensorsWriter> writers_;
};

}  // namespace fathom
