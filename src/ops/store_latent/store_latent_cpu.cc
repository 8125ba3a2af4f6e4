#include "ops/act_quant/act_quant_row.h"
#include "ops/store_latent/store_latent.h"

namespace fathom {
namespace {

float as_f32(float v) { return v; }
float as_f32(bf16 v) { return to_float(v); }
bf16 as_bf16(float v) { return to_bf16(v); }
bf16 as_bf16(bf16 v) { return v; }

// Rows may start anywhere, so everything goes through memcpy.
template <class X>
void write_row(uint8_t* out, const X* kv, int64_t C, const X* k_pe, int64_t R,
               LatentFormat format) {
    const auto append = [&out](auto value) {
        std::memcpy(out, &value, sizeof value);
        out += sizeof value;
    };
    switch (format) {
        case LatentFormat::f32:
            for (int64_t i = 0; i < C; ++i) append(as_f32(kv[i]));
            for (int64_t i = 0; i < R; ++i) append(as_f32(k_pe[i]));
            return;
        case LatentFormat::fp8: {
            uint8_t* scales = out + C;
            for (int64_t i = 0; i < C; i += kActQuantGroup) {
                const float scale = act_quant_group(out + i, kv + i, ScaleFormat::ue8m0);
                std::memcpy(scales + i / kActQuantGroup * sizeof scale, &scale, sizeof scale);
            }
            out = scales + C / kActQuantGroup * sizeof(float);
            for (int64_t i = 0; i < R; ++i) append(as_bf16(k_pe[i]));
            return;
        }
        case LatentFormat::bf16:
            for (int64_t i = 0; i < C; ++i) append(as_bf16(kv[i]));
            for (int64_t i = 0; i < R; ++i) append(as_bf16(k_pe[i]));
            return;
    }
}

template <class X>
void store(Stream& s, const Tensor& cache, const Tensor& kv, const Tensor& k_pe,
           const Tensor& slots, LatentFormat format) {
    constexpr int64_t kGrain = 16;  // Some 10 us of work.
    const int64_t B = cache.dim(1), slots_all = cache.dim(0) * B;
    s.workers->parallel_for(kv.dim(0), kGrain, [&](int64_t begin, int64_t end, int) {
        for (int64_t t = begin; t < end; ++t) {
            const int64_t slot = slots.as<int32_t>()[t];
            if (slot == -1) continue;
            CHECK(0 <= slot && slot < slots_all, "slot ", slot, " of ", slots_all);
            uint8_t* out =
                cache.as<uint8_t>() + slot / B * cache.stride[0] + slot % B * cache.stride[1];
            write_row(out, kv.as<X>() + t * kv.row_stride(), kv.dim(1),
                      k_pe.as<X>() + t * k_pe.row_stride(), k_pe.dim(1), format);
        }
    });
}

}  // namespace

void cpu::store_latent(Stream& s, Tensor cache, Tensor kv, Tensor k_pe, Tensor slots,
                       LatentFormat format) {
    if (kv.dtype == DType::bf16) return store<bf16>(s, cache, kv, k_pe, slots, format);
    store<float>(s, cache, kv, k_pe, slots, format);
}

}  // namespace fathom
