#pragma once

#include <cstdint>
#include <utility>

namespace fathom {

// Owns one piece of host memory, zeroed, 64-byte aligned (whole pages, huge ones where the system
// gives them). Not touched until used: the first write of a page takes it from the system.
// Move-only. Aborts when the address space cannot be had; whether the machine has the memory is
// asked before (engine/memory_plan.h).
class Buffer {
public:
    Buffer() = default;
    static Buffer host(int64_t bytes);
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer();

    void* data() const { return data_; }
    int64_t bytes() const { return bytes_; }

private:
    void* data_ = nullptr;
    int64_t bytes_ = 0;
};

}  // namespace fathom
