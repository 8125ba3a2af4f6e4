#include "checkpoint/safetensors_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace fathom {
namespace {

const char* stored_name(DType dtype) {
    switch (dtype) {
        case DType::f32: return "F32";
        case DType::bf16: return "BF16";
        case DType::f8e4m3: return "F8_E4M3";
        case DType::i8: return "I8";
        case DType::u8: return "U8";
        case DType::i32: return "I32";
        case DType::i64: return "I64";
        case DType::f64: return "F64";
    }
    CHECK(false, "dtype ", static_cast<int>(dtype));
}

Status write_at(int fd, int64_t at, std::span<const std::byte> data) {
    while (!data.empty()) {
        const ssize_t written = ::pwrite(fd, data.data(), data.size(), at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0)
            return Error{Code::unavailable,
                         str("writing ", data.size(), " bytes: ", std::strerror(errno))};
        data = data.subspan(written);
        at += written;
    }
    return Unit{};
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&& other) noexcept
    : entries_(std::move(other.entries_)),
      data_bytes_(other.data_bytes_),
      data_begin_(other.data_begin_),
      fd_(std::exchange(other.fd_, -1)) {}

SafetensorsWriter::~SafetensorsWriter() {
    if (fd_ >= 0) ::close(fd_);
}

int SafetensorsWriter::add(std::string name, DType dtype, std::vector<int64_t> shape) {
    CHECK(fd_ < 0, "add() after create()");
    for (const char c : name) CHECK(c >= ' ' && c <= '~' && c != '"' && c != '\\', "name ", name);
    int64_t bytes = size_of(dtype);
    for (const int64_t size : shape) bytes *= size;
    entries_.push_back(
        {std::move(name), dtype, std::move(shape), data_bytes_, data_bytes_ + bytes});
    data_bytes_ += bytes;
    return static_cast<int>(entries_.size()) - 1;
}

std::string SafetensorsWriter::header() const {
    std::string text = R"({"__metadata__":{"format":"pt"})";
    for (const Entry& entry : entries_) {
        text +=
            str(",\"", entry.name, "\":{\"dtype\":\"", stored_name(entry.dtype), "\",\"shape\":[");
        for (size_t i = 0; i < entry.shape.size(); ++i) text += str(i ? "," : "", entry.shape[i]);
        text += str("],\"data_offsets\":[", entry.begin, ",", entry.end, "]}");
    }
    text += "}";
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
}

Status SafetensorsWriter::create(const std::filesystem::path& path) {
    CHECK(fd_ < 0, "create() twice");
    const auto failed = [&](const char* what) {
        return Error{Code::unavailable, str(path.string(), ": ", what, ": ", std::strerror(errno))};
    };
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) return failed("cannot be made");
    const std::string text = header();
    const auto length = static_cast<uint64_t>(text.size());
    data_begin_ = 8 + static_cast<int64_t>(text.size());
    // Asks for the space now: a full disk is better known before than after the work.
    const int refused = ::posix_fallocate(fd_, 0, data_begin_ + data_bytes_);
    if (refused != 0 && refused != EOPNOTSUPP) {
        errno = refused;
        return failed("no space");
    }
    if (Status ok = write_at(fd_, 0, std::as_bytes(std::span(&length, 1))); !ok.ok()) return ok;
    return write_at(fd_, 8, std::as_bytes(std::span(text)));
}

Status SafetensorsWriter::write(int tensor, int64_t offset, std::span<const std::byte> data) {
    CHECK(fd_ >= 0, "write() before create()");
    CHECK(0 <= tensor && tensor < std::ssize(entries_), "tensor ", tensor);
    const Entry& entry = entries_[tensor];
    CHECK(offset >= 0 && offset + std::ssize(data) <= entry.end - entry.begin, entry.name, ": ",
          data.size(), " bytes at ", offset, " of ", entry.end - entry.begin);
    return write_at(fd_, data_begin_ + entry.begin + offset, data);
}

}  // namespace fathom
