#include "ops/act_quant/act_quant_row.h"
#include "ops/store_index_keys/store_index_keys.h"

namespace fathom {
namespace {

// `block` and the token's place in it, because an fp8 key's code and scale lie apart.
template <class X>
void write_key(uint8_t* block, int64_t offset, int64_t B, const X* k, int64_t D,
               IndexFormat format) {
    switch (format) {
        case IndexFormat::f32:
            for (int64_t i = 0; i < D; ++i) {
                const float value = to_float(k[i]);
                std::memcpy(block + (offset * D + i) * sizeof value, &value, sizeof value);
            }
            return;
        case IndexFormat::bf16:
            for (int64_t i = 0; i < D; ++i) {
                const bf16 value = to_bf16(to_float(k[i]));
                std::memcpy(block + (offset * D + i) * sizeof value, &value, sizeof value);
            }
            return;
        case IndexFormat::fp8: {
            const float scale = act_quant_group(block + offset * D, k, ScaleFormat::ue8m0);
            std::memcpy(block + B * D + offset * sizeof scale, &scale, sizeof scale);
            return;
        }
    }
}

template <class X>
void store(Stream& s, const Tensor& cache, const Tensor& k, const Tensor& slots, int64_t B,
           IndexFormat format) {
    constexpr int64_t kGrain = 64;  // Some 10 us of work.
    const int64_t slots_all = cache.dim(0) * B;
    s.workers->parallel_for(k.dim(0), kGrain, [&](int64_t begin, int64_t end, int) {
        for (int64_t t = begin; t < end; ++t) {
            const int64_t slot = slots.as<int32_t>()[t];
            if (slot == -1) continue;
            CHECK(0 <= slot && slot < slots_all, "slot ", slot, " of ", slots_all);
            write_key(cache.as<uint8_t>() + slot / B * cache.stride[0], slot % B, B,
                      k.as<X>() + t * k.row_stride(), k.dim(1), format);
        }
    });
}

}  // namespace

void cpu::store_index_keys(Stream& s, Tensor cache, Tensor k, Tensor slots, int block_tokens,
                           IndexFormat format) {
    if (k.dtype == DType::bf16) return store<bf16>(s, cache, k, slots, block_tokens, format);
    store<float>(s, cache, k, slots, block_tokens, format);
}

}  // namespace fathom
