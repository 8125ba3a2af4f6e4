// The header of a safetensors file: a stranger's bytes. The first two bytes of the input say how
// much data stands behind the header; the rest is the header.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "checkpoint/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
    if (size < 2) return 0;
    const size_t bytes = input[0] | input[1] << 8;
    // Memory that does not exist: parse() may compute with it, never read it.
    const std::span<const std::byte> data(reinterpret_cast<const std::byte*>(uintptr_t{1} << 40),
                                          bytes);
    const std::string_view header(reinterpret_cast<const char*>(input + 2), size - 2);
    auto tensors = fathom::Safetensors::parse(header, data);
    if (!tensors.ok()) {
        CHECK(!tensors.error().message.empty(), "an error without words");
        return 0;
    }
    size_t sum = 0;
    for (const auto& [name, tensor] : tensors.value()) {
        int64_t count = fathom::size_of(tensor.dtype);
        for (const int64_t dim : tensor.shape) {
            CHECK(dim >= 0, name, " has a size of ", dim);
            count *= dim;
        }
        CHECK(count == std::ssize(tensor.data), name, ": ", count, " != ", tensor.data.size());
        CHECK(tensor.data.empty() ||
                  (tensor.data.data() >= data.data() &&
                   tensor.data.data() + tensor.data.size() <= data.data() + data.size()),
              name, " lies outside");
        sum += tensor.data.size();
    }
    CHECK(sum == bytes, sum, " bytes of tensors in ", bytes);
    return 0;
}
