#include "checkpoint/tiny_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "tensor/fp8.h"

namespace fathom {
namespace {

constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;

uint64_t split_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

// Once, from f64: over f32 it would be rounded twice. Values here are zero or normal.
float round_to_bf16(double x) {
    uint64_t bits = std::bit_cast<uint64_t>(x);
    bits += 0xFFFFFFFFFFF + ((bits >> 45) & 1);
    return static_cast<float>(std::bit_cast<double>(bits & ~((uint64_t{1} << 45) - 1)));
}

struct Gain {
    const char* module;
    double gain;
};
constexpr Gain kGains[] = {
    {"gate_proj", 1.5}, {"down_proj", 0.35}, {"o_proj", 0.5}, {"lm_head", 2.5}, {"head", 2.5}};

std::string_view last_component(std::string_view module) {
    return module.substr(module.rfind('.') + 1);
}

}  // namespace

uint32_t crc32(std::string_view text) {
    uint32_t crc = 0xFFFFFFFF;
    for (const char c : text) {
        crc ^= static_cast<uint8_t>(c);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

TinyWeight tiny_weight(const ExpectedTensor& tensor, uint64_t seed) {
    std::string_view name = tensor.name;
    if (tensor.part == Part::embedding) name = "model.embed_tokens.weight";
    if (tensor.part == Part::head) name = "lm_head.weight";
    TinyWeight weight{.key = (seed << 32) | crc32(name),
                      .std = 0.1,
                      .around_one = tensor.shape.size() == 1 && name.ends_with(".weight"),
                      .f32 = tensor.store == Store::f32};
    if (tensor.part == Part::embedding) weight.std = 1;
    if (tensor.shape.size() == 1 || tensor.part == Part::embedding) return weight;
    const std::string_view module = last_component(module_of(tensor.name));
    double gain = 1;
    for (const Gain& special : kGains)
        if (module == special.module) gain = special.gain;
    weight.std = gain / std::sqrt(static_cast<double>(tensor.shape[1]));
    return weight;
}

void fill(const TinyWeight& weight, int64_t first, std::span<float> out) {
    const double base = weight.around_one ? 1 : 0;
    uint64_t state = weight.key + static_cast<uint64_t>(first) * kGolden;
    for (float& value : out) {
        state += kGolden;
        const uint64_t h = split_mix(state);
        const auto fields = static_cast<int64_t>((h & 0xFFFF) + ((h >> 16) & 0xFFFF) +
                                                 ((h >> 32) & 0xFFFF) + (h >> 48));
        const double x = base + static_cast<double>(fields - 131070) / 37837.2 * weight.std;
        value = weight.f32 ? static_cast<float>(x) : round_to_bf16(x);
    }
}

void quantize_fp8_rows(std::span<const float> x, int64_t K, std::span<uint8_t> codes,
                       std::span<float> scales) {
    const int64_t rows = std::ssize(x) / K;
    CHECK(rows * K == std::ssize(x) && rows <= 128, x.size(), " elements in rows of ", K);
    CHECK(codes.size() == x.size() && std::ssize(scales) == (K + 127) / 128, codes.size(),
          " codes, ", scales.size(), " scales");
    for (int64_t begin = 0; begin < K; begin += 128) {
        const int64_t end = std::min(begin + 128, K);
        float largest = 0;
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t i = begin; i < end; ++i)
                largest = std::max(largest, std::abs(x[row * K + i]));
        int exponent;
        const double mantissa = std::frexp(static_cast<double>(largest) / 448, &exponent);
        const double scale = std::ldexp(1.0, mantissa == 0.5 ? exponent - 1 : exponent);
        scales[begin / 128] = static_cast<float>(scale);
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t i = row * K + begin; i < row * K + end; ++i)
                codes[i] = to_f8e4m3(x[i] / static_cast<float>(scale)).bits;
    }
}

void quantize_int8_rows(std::span<const float> x, int64_t K, std::span<int8_t> codes,
                        std::span<float> scales, std::span<int64_t> sums) {
    const int64_t rows = std::ssize(scales);
    CHECK(rows * K == std::ssize(x) && codes.size() == x.size() && sums.size() == scales.size(),
          x.size(), " elements in ", rows, " rows of ", K);
    for (int64_t row = 0; row < rows; ++row) {
        const auto values = x.subspan(row * K, K);
        float largest = 0;
        for (const float value : values) largest = std::max(largest, std::abs(value));
        scales[row] = static_cast<float>(static_cast<double>(largest) / 127);
        int64_t sum = 0;
        for (int64_t i = 0; i < K; ++i) {
            const double code = std::rint(static_cast<double>(values[i]) / scales[row]);
            codes[row * K + i] = static_cast<int8_t>(std::clamp(code, -127.0, 127.0));
            sum += codes[row * K + i];
        }
        sums[row] = sum;
    }
}

}  // namespace fathom
