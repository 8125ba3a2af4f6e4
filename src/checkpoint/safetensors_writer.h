#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace fathom {

// Writes one *.safetensors file whose tensors are known before their values: declare all with
// add(), then create(), then write() their bytes in any order and from any thread. The header is
// laid out as Python's json.dumps(separators=(",", ":")) would, padded with spaces to 8 bytes, so
// that equal tensors make equal files.
class SafetensorsWriter {
public:
    SafetensorsWriter() = default;
    SafetensorsWriter(SafetensorsWriter&& other) noexcept;
    SafetensorsWriter& operator=(SafetensorsWriter&&) = delete;
    ~SafetensorsWriter();

    // Returns its number. REQUIRES: before create(); an ASCII name without quotes or backslashes.
    int add(std::string name, DType dtype, std::vector<int64_t> shape);
    // Bytes of the tensors that were added.
    int64_t data_bytes() const { return data_bytes_; }

    // Replaces a file that is there. Errors: the file cannot be made, or the disk is full.
    Status create(const std::filesystem::path& path);
    // Bytes [offset, offset + data.size()) of a tensor. Any thread; every byte must be written
    // once.
    Status write(int tensor, int64_t offset, std::span<const std::byte> data);

private:
    struct Entry {
        std::string name;
        DType dtype;
        std::vector<int64_t> shape;
        int64_t begin, end;
    };
    std::string header() const;

    std::vector<Entry> entries_;
    int64_t data_bytes_ = 0;
    int64_t data_begin_ = 0;
    int fd_ = -1;
};

}  // namespace fathom
