#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace fathom {

// A whole file mapped read-only. Move-only; the mapping ends with the object, and a string_view or
// span of it must not outlive it. The file must not shrink while it is mapped (SIGBUS).
class MappedFile {
public:
    // not_found if there is no such regular file, unavailable if it cannot be mapped.
    static Result<MappedFile> open(const std::filesystem::path& path);
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    std::span<const std::byte> bytes() const { return {data_, size_}; }
    std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

private:
    MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {}

    const std::byte* data_ = nullptr;
    size_t size_ = 0;
};

// The whole text of a small file (config.json, tokenizer.json); refuses more than bytes_max.
Result<std::string> read_text(const std::filesystem::path& path, int64_t bytes_max);

}  // namespace fathom
