#include "checkpoint/tiny_weights.h"

#include <bit>
#include <cmath>

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

}  // namespace fathom
