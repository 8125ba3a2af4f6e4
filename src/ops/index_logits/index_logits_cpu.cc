#include <cstring>

#include "ops/index_logits/index_logits.h"
#include "ops/paged_rows.h"
#include "tensor/fp8.h"

namespace fathom {
namespace {

constexpr int64_t D = 128;

template <class X>
float load(const uint8_t* from, int64_t i) {
    X value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof value), sizeof value);
    return to_float(value);
}

float key_scale(const uint8_t* block, int64_t B, int64_t offset, IndexFormat format) {
    return format == IndexFormat::fp8 ? load<float>(block + B * D, offset) : 1.0f;
}

template <class X>
void plain_token(float* logits, const X* q, int64_t q_stride, const float* weights, int64_t H,
                 const PagedRows& rows, int64_t length, IndexFormat format) {
    const auto* q_bytes = reinterpret_cast<const uint8_t*>(q);
    for (int64_t p = 0; p < length; ++p) {
        const uint8_t* block = rows.block(p);
        const uint8_t* key = block + rows.offset(p) * D * static_cast<int64_t>(sizeof(X));
        float sum = 0;
        for (int64_t h = 0; h < H; ++h) {
            const uint8_t* head = q_bytes + h * q_stride * static_cast<int64_t>(sizeof(X));
            float dot = 0;
            for (int64_t d = 0; d < D; ++d) dot += load<X>(head, d) * load<X>(key, d);
            sum += weights[h] * (dot < 0 ? 0 : dot);
        }
        logits[p] = sum * key_scale(block, rows.block_tokens, rows.offset(p), format);
    }
}

template <class X>
void plain_tokens(const Tensor& logits, const Tensor& q, const Tensor& weights, const Tensor& cache,
                  const PagedTokens& at, IndexFormat format) {
    for (int64_t t = 0; t < q.dim(0); ++t) {
        const int64_t length = at.positions.as<int32_t>()[t] + int64_t{1};
        CHECK(0 <= length && length <= logits.dim(1), "position ", length - 1, " of ", logits);
        plain_token(logits.as<float>() + t * logits.row_stride(), q.as<X>() + t * q.stride[0],
                    q.stride[1], weights.as<float>() + t * weights.row_stride(), q.dim(1),
                    PagedRows(cache, at, at.sequences.as<int32_t>()[t]), length, format);
    }
}

}  // namespace

void cpu::plain::index_logits(Stream&, Tensor logits, Tensor q, Tensor weights, Tensor cache,
                              const PagedTokens& at, IndexFormat format) {
    switch (format) {
        case IndexFormat::f32: return plain_tokens<float>(logits, q, weights, cache, at, format);
        case IndexFormat::bf16: return plain_tokens<bf16>(logits, q, weights, cache, at, format);
        case IndexFormat::fp8: return plain_tokens<f8e4m3>(logits, q, weights, cache, at, format);
    }
}

void cpu::index_logits(Stream& s, Tensor logits, Tensor q, Tensor weights, Tensor cache,
                       const PagedTokens& at, IndexFormat format) {
    plain::index_logits(s, logits, q, weights, cache, at, format);
}

}  // namespace fathom
