#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace fathom {
namespace {

struct Descriptor {
    int fd;
    ~Descriptor() {
        if (fd >= 0) ::close(fd);
    }
};

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.fd < 0)
        return Error{errno == ENOENT ? Code::not_found : Code::unavailable,
                     str(path.string(), ": ", std::strerror(errno))};
    struct stat status {};
    if (::fstat(file.fd, &status) != 0 || !S_ISREG(status.st_mode))
        return Error{Code::not_found, str(path.string(), ": not a regular file")};
    const auto size = static_cast<size_t>(status.st_size);
    if (size == 0) return MappedFile(nullptr, 0);  // mmap refuses length 0.
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (data == MAP_FAILED)
        return Error{Code::unavailable, str(path.string(), ": mmap: ", std::strerror(errno))};
    return MappedFile(static_cast<const std::byte*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<std::string> read_text(const std::filesystem::path& path, int64_t bytes_max) {
    Result<MappedFile> file = MappedFile::open(path);
    if (!file.ok()) return std::move(file).error();
    const std::string_view text = file.value().text();
    if (static_cast<int64_t>(text.size()) > bytes_max)
        return Error{Code::corrupt,
                     str(path.string(), ": ", text.size(), " bytes, expected at most ", bytes_max)};
    return std::string(text);
}

}  // namespace fathom
