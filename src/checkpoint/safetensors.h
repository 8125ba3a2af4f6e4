#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "tensor/tensor.h"

namespace fathom {

// One tensor of a file: contiguous, row-major, where the file has it (any alignment).
struct StoredTensor {
    DType dtype;
    std::vector<int64_t> shape;
    std::span<const std::byte> data;

    // REQUIRES: rank <= Tensor::kMaxRank. A scalar becomes [1]. Read only, whatever its type says.
    Tensor view() const;
};

// One *.safetensors file, memory-mapped: u64 header length, JSON header, data. The file is
// untrusted: what it claims is checked against what it is before a byte of it is used. Lengths,
// offsets and sizes must fit, no two tensors may overlap, nothing may be left over. Format:
// https://github.com/huggingface/safetensors (README, "Format").
class Safetensors {
public:
    // Errors say what is wrong with the values; the caller adds the path.
    static Result<Safetensors> open(const std::filesystem::path& path);
    // Checks a header against the size of the data behind it; `data` may be null for fuzzing.
    static Result<std::map<std::string, StoredTensor, std::less<>>> parse(
        std::string_view header, std::span<const std::byte> data);

    const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
    // nullptr if there is none of that name.
    const StoredTensor* find(std::string_view name) const;

private:
    Safetensors(MappedFile file, std::map<std::string, StoredTensor, std::less<>> tensors)
        : file_(std::move(file)), tensors_(std::move(tensors)) {}

    MappedFile file_;
    std::map<std::string, StoredTensor, std::less<>> tensors_;
};

}  // namespace fathom
