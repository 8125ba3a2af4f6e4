#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "ops/paged_rows.h"
#include "ops/sparse_attention/sparse_attention.h"
#include "tensor/fp8.h"

namespace fathom {
namespace {

constexpr int64_t C = 512, R = 64, kWidth = C + R;

template <class X>
float load(const uint8_t* from, int64_t i) {
    X value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof value), sizeof value);
    return to_float(value);
}

// The latent and the rotated part of one cached token.
void read_row(float* out, const uint8_t* row, LatentFormat format) {
    switch (format) {
        case LatentFormat::f32:
            for (int64_t i = 0; i < kWidth; ++i) out[i] = load<float>(row, i);
            return;
        case LatentFormat::bf16:
            for (int64_t i = 0; i < kWidth; ++i) out[i] = load<bf16>(row, i);
            return;
        case LatentFormat::fp8:
            for (int64_t i = 0; i < C; ++i)  // Exact: a code times a power of two.
                out[i] = load<f8e4m3>(row, i) * load<float>(row + C, i / 128);
            for (int64_t i = 0; i < R; ++i) out[C + i] = load<bf16>(row + C + 4 * (C / 128), i);
            return;
    }
}

// One head over the n keys in `keys`; `scores` is for its own use. Returns the lse.
template <class X>
float plain_head(float* o, const X* q_latent, const X* q_pe, const std::vector<float>& keys,
                 std::vector<float>& scores, float scale) {
    const size_t n = keys.size() / kWidth;
    scores.resize(n);
    float top = -std::numeric_limits<float>::infinity();
    for (size_t i = 0; i < n; ++i) {
        const float* key = &keys[i * kWidth];
        float dot = 0;
        for (int64_t c = 0; c < C; ++c) dot += to_float(q_latent[c]) * key[c];
        for (int64_t r = 0; r < R; ++r) dot += to_float(q_pe[r]) * key[C + r];
        scores[i] = dot * scale;
        top = std::max(top, scores[i]);
    }
    float sum = 0;
    std::fill_n(o, C, 0.0f);
    for (size_t i = 0; i < n; ++i) {
        const float p = std::exp(scores[i] - top);
        sum += p;
        for (int64_t c = 0; c < C; ++c) o[c] += p * keys[i * kWidth + c];
    }
    if (n == 0) return std::numeric_limits<float>::infinity();
    for (int64_t c = 0; c < C; ++c) o[c] /= sum;
    return top + std::log(sum);
}

void store(float* out, float v) { *out = v; }
void store(bf16* out, float v) { *out = to_bf16(v); }

template <class X, class O>
void plain_tokens(const Tensor& o, const Tensor& lse, const Tensor& q_latent, const Tensor& q_pe,
                  const Tensor& cache, const PagedTokens& at, const Tensor& indices,
                  LatentFormat format, float scale) {
    std::vector<float> keys, scores;
    float o_row[C];
    for (int64_t t = 0; t < o.dim(0); ++t) {
        const PagedRows rows(cache, at, at.sequences.as<int32_t>()[t]);
        keys.clear();
        for (int64_t i = 0; i < indices.dim(1); ++i) {
            const int64_t p = indices.as<int32_t>()[t * indices.row_stride() + i];
            if (p < 0) continue;
            keys.resize(keys.size() + kWidth);
            read_row(&keys[keys.size() - kWidth], rows.block(p) + rows.offset(p) * cache.stride[1],
                     format);
        }
        for (int64_t h = 0; h < o.dim(1); ++h) {
            const float head_lse = plain_head(
                o_row, q_latent.as<X>() + t * q_latent.stride[0] + h * q_latent.stride[1],
                q_pe.as<X>() + t * q_pe.stride[0] + h * q_pe.stride[1], keys, scores, scale);
            O* out = o.as<O>() + t * o.stride[0] + h * o.stride[1];
            for (int64_t c = 0; c < C; ++c) store(out + c, o_row[c]);
            if (lse.data != nullptr) lse.as<float>()[t * lse.row_stride() + h] = head_lse;
        }
    }
}

}  // namespace

void cpu::plain::sparse_attention(Stream&, Tensor o, Tensor lse, Tensor q_latent, Tensor q_pe,
                                  Tensor cache, const PagedTokens& at, Tensor indices,
                                  LatentFormat format, float scale) {
    const bool q_f32 = q_latent.dtype == DType::f32, o_f32 = o.dtype == DType::f32;
    const auto run = q_f32 ? (o_f32 ? plain_tokens<float, float> : plain_tokens<float, bf16>)
                           : (o_f32 ? plain_tokens<bf16, float> : plain_tokens<bf16, bf16>);
    run(o, lse, q_latent, q_pe, cache, at, indices, format, scale);
}

void cpu::sparse_attention(Stream& s, Tensor o, Tensor lse, Tensor q_latent, Tensor q_pe,
                           Tensor cache, const PagedTokens& at, Tensor indices, LatentFormat format,
                           float scale) {
    plain::sparse_attention(s, o, lse, q_latent, q_pe, cache, at, indices, format, scale);
}

}  // namespace fathom
