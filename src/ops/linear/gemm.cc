#include "ops/linear/gemm.h"

#include <algorithm>

#include "base/isa.h"
#include "ops/act_quant/act_quant_row.h"
#include "ops/act_quant_i8/act_quant_i8_row.h"
#include "ops/linear/linear.h"
#include "ops/linear/pack.h"
#include "ops/rows.h"
#include "ops/vec8.h"
#include "tensor/expect.h"

namespace fathom::gemm {
namespace {

using Kind = Linear::Kind;

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

bool is_int8(Kind kind) { return kind == Kind::w8a8_static || kind == Kind::w8a8_dynamic; }

// Rows that the kernels read are f32: what x is, or what they can multiply.
bool rows_are_f32(Kind kind, DType x) {
    if (is_int8(kind)) return false;
    if (kind == Kind::bf16 && x == DType::f32) return true;
    return isa() == Isa::avx2;
}

int64_t row_bytes_of(Kind kind, DType x, int64_t K) {
    const int64_t avx2 = isa() == Isa::avx2;
    if (is_int8(kind)) return round_up(K, 4) * (avx2 ? 2 : 1);
    return round_up(K, 2) * (rows_are_f32(kind, x) ? 4 : 2);
}

// The kernels take x as it is when a row ends with a whole pair of columns.
bool reads_x(Kind kind, const Tensor& x) {
    return kind == Kind::bf16 && x.dim(1) % 2 == 0 &&
           rows_are_f32(kind, x.dtype) == (x.dtype == DType::f32);
}

int64_t scales_of(Kind kind, int64_t K) {
    if (kind == Kind::fp8) return K / kActQuantGroup;
    return kind == Kind::w8a8_dynamic ? 1 : 0;
}

template <class X>
void fill_bf16(std::byte* out, const X* x, int64_t K, bool f32) {
    if (f32) {
        auto* to = reinterpret_cast<float*>(out);
        vec8::for_each(K,
                       [&](int64_t k, int64_t n) { vec8::store(to + k, vec8::load(x + k, n), n); });
        if (K % 2 != 0) to[K] = 0;
    } else {
        auto* to = reinterpret_cast<bf16*>(out);
        for (int64_t k = 0; k < K; ++k) to[k] = to_bf16(to_float(x[k]));
        if (K % 2 != 0) to[K] = bf16{0};
    }
}

// What codes stand for, which both formats hold exactly.
template <class X, class Y>
void fill_fp8(Y* out, float* scales, const X* x, int64_t K) {
    for (int64_t k = 0; k < K; k += kActQuantGroup) {
        float values[kActQuantGroup];
        scales[k / kActQuantGroup] = act_quant_divide(values, x + k, ScaleFormat::ue8m0);
        for (int i = 0; i < kActQuantGroup; i += 8)
            vec8::store(out + k + i, E4m3Rounding(vec8::load(values + i)).value());
    }
}

// Codes into the kernels' form (gemm_kernels.h), zeros up to a multiple of four.
template <class X>
void fill_i8(std::byte* out, float* row_scale, const X* x, int64_t K, const Linear& w) {
    const bool dynamic = w.kind == Kind::w8a8_dynamic;
    const float scale = dynamic ? act_quant_i8_scale(x, K) : w.input_scale;
    if (dynamic) *row_scale = scale;
    const bool avx2 = isa() == Isa::avx2;
    for (int64_t k = 0; k < K; k += kBlockK) {
        int8_t codes[kBlockK] = {};
        act_quant_i8_codes(codes, x + k, std::min(kBlockK, K - k), scale,
                           dynamic ? 0 : w.input_offset);
        const int64_t columns = std::min(kBlockK, round_up(K - k, 4));
        if (avx2) {
            constexpr int kOrder[4] = {0, 2, 1, 3};
            int16_t words[kBlockK];
            for (int i = 0; i < kBlockK; ++i) words[i] = codes[i / 4 * 4 + kOrder[i % 4]];
            std::memcpy(out + k * 2, words, columns * 2);
        } else {
            uint8_t bytes[kBlockK];
            for (int i = 0; i < kBlockK; ++i) bytes[i] = static_cast<uint8_t>(codes[i] ^ 0x80);
            std::memcpy(out + k, bytes, columns);
        }
    }
}

template <class X>
void fill(const Input& input, Tensor x, const Linear& w, int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
        // Input is const to those who read it; this is who writes it.
        auto* const out = const_cast<std::byte*>(input.rows) + t * input.row_bytes;
        float* const scales = input.scales + t * input.row_scales;
        switch (w.kind) {
            case Kind::bf16: fill_bf16(out, row<X>(x, t), w.K, input.f32); break;
            case Kind::fp8:
                if (input.f32)
                    fill_fp8(reinterpret_cast<float*>(out), scales, row<X>(x, t), w.K);
                else
                    fill_fp8(reinterpret_cast<bf16*>(out), scales, row<X>(x, t), w.K);
                break;
            case Kind::w8a8_static:
            case Kind::w8a8_dynamic: fill_i8(out, scales, row<X>(x, t), w.K, w); break;
        }
    }
}

void run_kernel(Kind kind, const Tile& tile, bool f32) {
    const bool avx2 = isa() == Isa::avx2;
    switch (kind) {
        case Kind::bf16:
            if (avx2) return avx2::f32_bf16(tile);
            return f32 ? avx512::f32_bf16(tile) : avx512::bf16_bf16(tile);
        case Kind::fp8: return avx2 ? avx2::fp8(tile) : avx512::fp8(tile);
        case Kind::w8a8_static:
        case Kind::w8a8_dynamic: return avx2 ? avx2::i8(tile) : avx512::i8(tile);
    }
}

// Sums of int8 codes to what they stand for, in place; n0 is the first output.
void dequantize(int32_t* acc, const Input& input, const Linear& w, int64_t n0, int64_t row) {
    const int64_t outputs = std::min(kGroupOutputs, w.N - n0);
    const int32_t* const sums = packed_sums(w.packed.data, w.N, w.K) + n0;
    const auto* const scale = w.scale.as<float>() + n0;
    const int32_t shift = isa() == Isa::avx2 ? 0 : 128;  // What codes have too much (fill_i8).
    const bool dynamic = w.kind == Kind::w8a8_dynamic;
    const int32_t* const bias = dynamic ? nullptr : w.quant_bias.as<int32_t>() + n0;
    const float x_scale = dynamic ? input.scales[row * input.row_scales] : 1.0f;
    for (int64_t n = 0; n < outputs; ++n) {
        const int32_t sum = acc[n] - shift * sums[n] + (dynamic ? 0 : bias[n]);
        const float y = static_cast<float>(sum) * x_scale * scale[n];
        std::memcpy(acc + n, &y, sizeof y);
    }
}

template <class Y>
void store(Tensor y, const float* acc, int64_t n0, int64_t begin, int64_t end) {
    const int64_t outputs = std::min(kGroupOutputs, y.dim(1) - n0);
    for (int64_t t = begin; t < end; ++t, acc += kGroupOutputs) {
        Y* const out = row<Y>(y, t) + n0;
        vec8::for_each(outputs, [&](int64_t n, int64_t count) {
            vec8::store(out + n, _mm256_load_ps(acc + n), count);
        });
    }
}

}  // namespace

int64_t input_bytes(Kind kind, Tensor x) {
    if (reads_x(kind, x)) return 0;
    const int64_t T = x.dim(0), K = x.dim(1);
    return round_up(T * row_bytes_of(kind, x.dtype, K), 64) + T * scales_of(kind, K) * 4;
}

Input make_input(Kind kind, Tensor x, void* memory) {
    const int64_t T = x.dim(0), K = x.dim(1);
    if (reads_x(kind, x))
        return {.rows = x.as<std::byte>(),
                .row_bytes = x.stride[0] * size_of(x.dtype),
                .is_x = true,
                .f32 = x.dtype == DType::f32};
    Input input{.rows = static_cast<std::byte*>(memory),
                .row_bytes = row_bytes_of(kind, x.dtype, K),
                .row_scales = scales_of(kind, K),
                .f32 = rows_are_f32(kind, x.dtype)};
    input.scales = reinterpret_cast<float*>(static_cast<std::byte*>(memory) +
                                            round_up(T * input.row_bytes, 64));
    return input;
}

void fill_rows(const Input& input, Tensor x, const Linear& w, int64_t begin, int64_t end) {
    if (input.is_x) return;
    x.dtype == DType::bf16 ? fill<bf16>(input, x, w, begin, end)
                           : fill<float>(input, x, w, begin, end);
}

Input quantized(Stream& s, Tensor x, const Linear& w) {
    const int64_t bytes = input_bytes(w.kind, x);
    const Input input =
        make_input(w.kind, x, bytes == 0 ? nullptr : s.arena->tmp(DType::u8, bytes).data);
    if (bytes == 0) return input;
    const int64_t grain = std::max<int64_t>(1, 16384 / w.K);
    s.workers->parallel_for(x.dim(0), grain, [&](int64_t begin, int64_t end, int) {
        fill_rows(input, x, w, begin, end);
    });
    return input;
}

void run_piece(Tensor y, const Input& input, const Linear& w, int64_t group, int64_t begin,
               int64_t end, std::byte* scratch) {
    CHECK(end - begin <= kPieceRows, "a piece of ", end - begin, " rows");
    const int64_t n0 = group * kGroupOutputs, bytes = panel_bytes(w.kind, w.K);
    const int64_t panels =
        std::min(kGroupPanels, round_up(w.N - n0, kPanelOutputs) / kPanelOutputs);
    Tile tile{.a = input.rows + begin * input.row_bytes,
              .a_bytes = input.row_bytes,
              .b = w.packed.as<std::byte>() + group * kGroupPanels * bytes,
              .b_bytes = bytes,
              .K = w.K,
              .a_scale = nullptr,
              .a_scales = 0,
              .b_scale = nullptr,
              .rows = end - begin,
              .panels = panels,
              .acc = scratch + kDecodedBytes,
              .scratch = scratch};
    if (w.kind == Kind::fp8) {
        tile.a_scale = input.scales + begin * input.row_scales;
        tile.a_scales = input.row_scales;
        tile.b_scale = w.scale.as<float>() + n0 / 128 * w.scale.stride[0];
    }
    run_kernel(w.kind, tile, input.f32);
    auto* const acc = scratch + kDecodedBytes;
    if (is_int8(w.kind))
        for (int64_t t = begin; t < end; ++t)
            dequantize(reinterpret_cast<int32_t*>(acc) + (t - begin) * kGroupOutputs, input, w, n0,
                       t);
    const auto* const sums = reinterpret_cast<const float*>(acc);
    y.dtype == DType::bf16 ? store<bf16>(y, sums, n0, begin, end)
                           : store<float>(y, sums, n0, begin, end);
}

int64_t groups_of(const Linear& w) { return (w.N + kGroupOutputs - 1) / kGroupOutputs; }

int64_t grain_of(const Linear& w, int64_t rows) {
    // A thread that sleeps is awake after some 10 us: 200 KiB of weights, or 1M multiplications.
    const int64_t cost = kGroupOutputs * w.K * (5 + rows);
    return std::max<int64_t>(1, (1 << 20) / cost);
}

int64_t piece_rows(int64_t T, int64_t groups, int threads) {
    const int64_t parts = (4 * threads + groups - 1) / groups;
    return std::clamp<int64_t>(round_up((T + parts - 1) / parts, 6), 48, kPieceRows);
}

void check(const Linear& w) {
    CHECK(w.N > 0 && w.K > 0, "a weight of ", w.N, " x ", w.K);
    expect("packed", w.packed, {packed_bytes(w.kind, w.N, w.K)}, DType::u8);
    CHECK(reinterpret_cast<uintptr_t>(w.packed.data) % 64 == 0, "packed weights lie at 64 bytes");
    const int64_t N = w.N, K = w.K;
    switch (w.kind) {
        case Kind::bf16: return;
        case Kind::fp8:
            CHECK(K % kActQuantGroup == 0, "groups of ", kActQuantGroup, ", K = ", K);
            return expect("scale", w.scale, {(N + 127) / 128, K / 128}, DType::f32);
        case Kind::w8a8_static:
            expect("quant_bias", w.quant_bias, {N}, DType::i32);
            CHECK(w.input_scale > 0, "input_scale = ", w.input_scale);
            [[fallthrough]];
        case Kind::w8a8_dynamic:
            CHECK(K <= 1 << 16, "sums of ", K, " products of codes do not fit 32 bits");
            return expect("scale", w.scale, {N}, DType::f32);
    }
}

}  // namespace fathom::gemm

int64_t fathom::linear_input_bytes(int64_t T, int64_t K, DType dtype) {
    const Tensor x = view_of(nullptr, dtype, {T, K});
    int64_t most = 0;
    for (const auto kind : {Linear::Kind::bf16, Linear::Kind::fp8, Linear::Kind::w8a8_static,
                            Linear::Kind::w8a8_dynamic})
        most = std::max(most, gemm::input_bytes(kind, x));
    return most;
}
