#pragma once

#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace fathom {

// Memory for the temporaries of a step: handed out in order, given back all at once or down to a
// mark. Never grows; running out is a CHECK, because the plan said that it cannot happen.
class Arena {
public:
    explicit Arena(int64_t bytes) : buffer_(Buffer::host(bytes)) {}

    // 64-byte aligned, contents are junk.
    template <size_t N>
    Tensor tensor(DType dtype, const int64_t (&shape)[N]) {
        int64_t bytes = size_of(dtype);
        for (int64_t size : shape) bytes *= size;
        return view_of(take(bytes), dtype, shape);
    }
    template <class... Sizes>
    Tensor tmp(DType dtype, Sizes... sizes) {
        const int64_t shape[] = {static_cast<int64_t>(sizes)...};
        return tensor(dtype, shape);
    }

    int64_t mark() const { return used_; }
    void rewind(int64_t mark) {
        CHECK(0 <= mark && mark <= used_, "rewind to ", mark, ", used are ", used_);
        used_ = mark;
    }
    // The most that was ever in use: what a plan is checked against.
    int64_t high_water() const { return high_water_; }
    int64_t bytes() const { return buffer_.bytes(); }

private:
    void* take(int64_t bytes) {
        const int64_t begin = used_, end = begin + (bytes + 63) / 64 * 64;
        CHECK(bytes >= 0 && end <= buffer_.bytes(), "temporaries of ", end, " bytes, planned were ",
              buffer_.bytes());
        used_ = end;
        if (end > high_water_) high_water_ = end;
        return static_cast<char*>(buffer_.data()) + begin;
    }

    Buffer buffer_;
    int64_t used_ = 0;
    int64_t high_water_ = 0;
};

// Gives back what was taken since its construction.
class ArenaScope {
public:
    explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ArenaScope(const ArenaScope&) = delete;
    ArenaScope& operator=(const ArenaScope&) = delete;
    ~ArenaScope() { arena_.rewind(mark_); }

private:
    Arena& arena_;
    const int64_t mark_;
};

}  // namespace fathom
