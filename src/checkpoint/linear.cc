// Checkpoint::linear: which tensors make a linear layer, and whether they fit each other; and the
// values of its weight.
#include <algorithm>
#include <array>
#include <cstring>

#include "checkpoint/checkpoint.h"
#include "tensor/fp8.h"

namespace fathom {
namespace {

using Shape = std::vector<int64_t>;

// Finds the pieces of one module; the first fault is kept.
class Pieces {
public:
    Pieces(const Checkpoint& checkpoint, std::string_view module)
        : checkpoint_(checkpoint), module_(module) {}

    const StoredTensor* take(const char* suffix, std::initializer_list<DType> dtypes,
                             std::initializer_list<Shape> shapes) {
        const std::string name = str(module_, ".", suffix);
        const StoredTensor* tensor = checkpoint_.find(name);
        if (tensor == nullptr) {
            fail(str(name, " is missing; the weight's format needs it"));
            return nullptr;
        }
        bool dtype_fits = false, shape_fits = false;
        for (const DType dtype : dtypes) dtype_fits = dtype_fits || tensor->dtype == dtype;
        for (const Shape& shape : shapes) shape_fits = shape_fits || tensor->shape == shape;
        const StoredTensor expected{.dtype = *dtypes.begin(), .shape = *shapes.begin(), .data = {}};
        if (!dtype_fits || !shape_fits)
            fail(str(name, " is ", describe(*tensor), "; expected ", describe(expected)));
        return tensor;
    }
    void fail(std::string message) {
        if (error_.empty()) error_ = std::move(message);
    }
    const std::string& error() const { return error_; }

private:
    const Checkpoint& checkpoint_;
    std::string module_;
    std::string error_;
};

std::array<float, 256> e4m3_values() {
    std::array<float, 256> values;
    for (int code = 0; code < 256; ++code)
        values[code] = to_float(f8e4m3{static_cast<uint8_t>(code)});
    return values;
}

}  // namespace

Result<StoredLinear> Checkpoint::linear(std::string_view module) const {
    const std::string name = str(module, ".weight");
    const StoredTensor* weight = find(name);
    if (weight == nullptr)
        return Error{Code::corrupt, name + " is missing; fetch the weights again"};
    if (weight->shape.size() != 2)
        return Error{Code::corrupt, str(name, " is ", describe(*weight), "; expected a matrix")};
    const int64_t N = weight->shape[0], K = weight->shape[1];
    StoredLinear out{.kind = Linear::Kind::bf16, .N = N, .K = K, .weight = weight};
    const std::string_view type = quant_type(name);
    const bool is_float = type.empty() || type == "FLOAT";
    const bool dynamic = type == "W8A8_DYNAMIC" || type == "W8A8_MIX";

    Pieces pieces(*this, module);
    if (weight->dtype == DType::bf16 && is_float) return out;
    if (weight->dtype == DType::f8e4m3 && is_float) {
        out.kind = Linear::Kind::fp8;
        out.scale =
            pieces.take("weight_scale_inv", {DType::f32}, {{(N + 127) / 128, (K + 127) / 128}});
    } else if (weight->dtype == DType::i8 && dynamic) {
        out.kind = Linear::Kind::w8a8_dynamic;
        out.scale = pieces.take("weight_scale", {DType::f32}, {{N, 1}, {N}});
        pieces.take("weight_offset", {DType::f32}, {{N, 1}, {N}});
    } else if (weight->dtype == DType::i8 && type == "W8A8") {
        out.kind = Linear::Kind::w8a8_static;
        out.deq_scale = pieces.take("deq_scale", {DType::f32, DType::i64}, {{N}});
        out.quant_bias = pieces.take("quant_bias", {DType::i32}, {{N}});
        out.input_scale = pieces.take("input_scale", {DType::f32}, {{1}, {}});
        out.input_offset = pieces.take("input_offset", {DType::f32}, {{1}, {}});
    } else if (type.empty() && weight->dtype == DType::i8) {
        pieces.fail(str(name, " is ", describe(*weight),
                        " but quant_model_description.json does not say how; fetch that file"));
    } else if (is_float || type == "W8A8") {
        pieces.fail(str(name, " is ", describe(*weight), type.empty() ? "" : ", described as ",
                        type, "; fathom reads bf16, e4m3 with weight_scale_inv, and int8 W8A8"));
    } else {
        pieces.fail(str(name, " is described as ", type,
                        "; fathom reads FLOAT, W8A8, W8A8_DYNAMIC and W8A8_MIX"));
    }
    if (!pieces.error().empty()) return Error{Code::corrupt, pieces.error()};
    return out;
}

void read_rows(const StoredLinear& linear, int64_t first, std::span<float> out) {
    const int64_t K = linear.K, count = std::ssize(out) / K;
    CHECK(count * K == std::ssize(out) && first >= 0 && first + count <= linear.N, out.size(),
          " elements from row ", first, " of ", describe(*linear.weight));
    const std::byte* data = linear.weight->data.data();
    if (linear.kind == Linear::Kind::bf16) {
        for (int64_t i = 0; i < count * K; ++i) {
            bf16 value;
            std::memcpy(&value, data + (first * K + i) * 2, sizeof value);
            out[i] = to_float(value);
        }
        return;
    }
    CHECK(linear.kind == Linear::Kind::fp8, "rows of ", name_of(linear.kind));
    static const std::array<float, 256> kValues = e4m3_values();
    const int64_t blocks = linear.scale->shape[1];
    for (int64_t n = 0; n < count; ++n) {
        const std::byte* codes = data + (first + n) * K;
        const std::byte* scales = linear.scale->data.data() + (first + n) / 128 * blocks * 4;
        for (int64_t block = 0; block < blocks; ++block) {
            float scale;
            std::memcpy(&scale, scales + block * 4, sizeof scale);
            for (int64_t k = block * 128; k < std::min(K, block * 128 + 128); ++k)
                out[n * K + k] = kValues[static_cast<uint8_t>(codes[k])] * scale;
        }
    }
}

}  // namespace fathom
