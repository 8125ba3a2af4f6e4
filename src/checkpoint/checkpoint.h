#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "checkpoint/format.h"
#include "checkpoint/safetensors.h"
#include "tensor/linear.h"

namespace fathom {

// The tensors that make one linear layer; which are there depends on the kind (nullptr otherwise).
// Data lies in the mapped file at any alignment.
//   fp8           weight f8e4m3 [N, K], scale f32 [ceil(N/128), ceil(K/128)]
//   w8a8_static   weight i8 [N, K], deq_scale f32 or i64 [N] (i64: bits of f32, see floats()),
//                 quant_bias i32 [N], input_scale and input_offset f32 [1]
//   w8a8_dynamic  weight i8 [N, K], scale f32 [N, 1] or [N]
struct StoredLinear {
    Linear::Kind kind;
    int64_t N, K;
    const StoredTensor* weight;
    const StoredTensor* scale = nullptr;
    const StoredTensor* deq_scale = nullptr;
    const StoredTensor* quant_bias = nullptr;
    const StoredTensor* input_scale = nullptr;
    const StoredTensor* input_offset = nullptr;
};

// The weights of a checkpoint folder, memory-mapped. Files, in this order of preference:
//   quant_model_weights.safetensors.index.json and the files it names (W8A8)
//   model.safetensors.index.json and the files it names
//   quant_model_weights.safetensors, model.safetensors
// What is wrong with single tensors is found by verify() (checkpoint/verify.h); open() refuses
// only what it cannot read. Immutable afterwards, any thread.
class Checkpoint {
public:
    // Errors: no such folder, no weights in it, an index that is not one, a file that is missing
    // or not safetensors, two files with a tensor of the same name.
    static Result<Checkpoint> open(const std::filesystem::path& folder);

    // By the description if there is one, else fp8 if any tensor is e4m3.
    CheckpointFormat format() const { return format_; }
    const std::map<std::string_view, const StoredTensor*>& tensors() const { return tensors_; }
    // nullptr if there is none of that name.
    const StoredTensor* find(std::string_view name) const;

    // quant_model_description.json's word for a tensor, as "W8A8_DYNAMIC"; "" if it has none. A
    // name with `.shared_head.` may stand there without it.
    std::string_view quant_type(std::string_view tensor) const;
    bool has_description() const { return has_description_; }

    // The linear `module`, as in "model.layers.0.self_attn.q_a_proj". W8A8_MIX counts as dynamic.
    // Errors: a missing piece, a shape or dtype that does not fit the others.
    Result<StoredLinear> linear(std::string_view module) const;

    // What the index and the files disagree on; one sentence each.
    const std::vector<std::string>& index_problems() const { return index_problems_; }
    const std::vector<std::string>& index_notes() const { return index_notes_; }

private:
    Status open_files(const std::filesystem::path& folder,
                      const std::map<std::string, std::string>* weight_map,
                      const std::vector<std::string>& files);
    Status read_description(const std::filesystem::path& folder);

    std::vector<Safetensors> files_;
    std::map<std::string_view, const StoredTensor*> tensors_;  // Keys lie in files_.
    std::map<std::string, std::string, std::less<>> types_;
    std::vector<std::string> index_problems_, index_notes_;
    CheckpointFormat format_ = CheckpointFormat::bf16;
    bool has_description_ = false;
};

// The values of a tensor in f32. f32 and bf16 as they are; i64 is taken as msmodelslim writes
// deq_scale, the bits of an f32 extended to 64. REQUIRES: one of these dtypes.
std::vector<float> floats(const StoredTensor& tensor);

// Rows [first, first + out.size() / K) of a linear as f32; fp8 as code * scale. Any thread.
// REQUIRES: kind bf16 or fp8.
void read_rows(const StoredLinear& linear, int64_t first, std::span<float> out);

// "bf16[128, 256]", for messages.
std::string describe(const StoredTensor& tensor);

}  // namespace fathom
