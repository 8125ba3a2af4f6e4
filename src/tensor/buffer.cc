#include "tensor/buffer.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace fathom {

Buffer Buffer::host(int64_t bytes) {
    CHECK(bytes >= 0, "a buffer of ", bytes, " bytes");
    Buffer buffer;
    if (bytes == 0) return buffer;
    void* data = ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(data != MAP_FAILED, "mmap of ", bytes, " bytes: ", std::strerror(errno));
    // Advice only: weights and caches are read in long runs, where 4 KiB pages cost TLB misses.
    if (bytes >= (int64_t{4} << 20)) ::madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
    buffer.data_ = data;
    buffer.bytes_ = bytes;
    return buffer;
}

Buffer::~Buffer() {
    if (data_ != nullptr) ::munmap(data_, static_cast<size_t>(bytes_));
}

}  // namespace fathom
