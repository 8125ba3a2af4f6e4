#include "checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

namespace fathom {
namespace {

using Json = nlohmann::json;
using Tensors = std::map<std::string, StoredTensor, std::less<>>;

// The reference implementation's limit.
constexpr uint64_t kHeaderBytesMax = 100'000'000;
// A header is at most objects of objects of arrays.
constexpr int kDepthMax = 4;

std::optional<DType> dtype_of(std::string_view name) {
    if (name == "F32") return DType::f32;
    if (name == "BF16") return DType::bf16;
    if (name == "F8_E4M3") return DType::f8e4m3;
    if (name == "I8") return DType::i8;
    if (name == "U8") return DType::u8;
    if (name == "I32") return DType::i32;
    if (name == "I64") return DType::i64;
    if (name == "F64") return DType::f64;
    return std::nullopt;
}

Error corrupt(std::string message) { return Error{Code::corrupt, std::move(message)}; }

// A JSON number that is a size: an integer >= 0 (and small enough that sums cannot overflow).
std::optional<int64_t> size_in(const Json& value) {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > (uint64_t{1} << 60))
        return std::nullopt;
    return static_cast<int64_t>(value.get<uint64_t>());
}

Result<StoredTensor> read_entry(const Json& entry, std::span<const std::byte> data) {
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
        !entry.contains("data_offsets"))
        return corrupt("expected an object with dtype, shape and data_offsets");
    if (!entry["dtype"].is_string()) return corrupt("dtype is not a string");
    const auto name = entry["dtype"].get<std::string>();
    const std::optional<DType> dtype = dtype_of(name);
    if (!dtype) return corrupt(str("dtype ", name, " is not one that fathom reads"));

    StoredTensor tensor{.dtype = *dtype, .shape = {}, .data = {}};
    if (!entry["shape"].is_array()) return corrupt("shape is not a list");
    int64_t bytes = size_of(*dtype);
    for (const Json& value : entry["shape"]) {
        const std::optional<int64_t> size = size_in(value);
        if (!size || __builtin_mul_overflow(bytes, *size, &bytes))
            return corrupt(str("shape ", entry["shape"].dump(), " is not a list of sizes"));
        tensor.shape.push_back(*size);
    }

    const Json& offsets = entry["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2) return corrupt("data_offsets is not a pair");
    const std::optional<int64_t> begin = size_in(offsets[0]), end = size_in(offsets[1]);
    if (!begin || !end || *begin > *end || static_cast<uint64_t>(*end) > data.size())
        return corrupt(str("data_offsets ", offsets.dump(), " do not lie in ", data.size(),
                           " bytes of data; is the file truncated?"));
    if (*end - *begin != bytes)
        return corrupt(str(*end - *begin, " bytes of data, its shape and dtype need ", bytes));
    tensor.data = data.subspan(*begin, bytes);
    return tensor;
}

// Tensors must tile the data: no gap, no overlap.
Status check_layout(const Tensors& tensors, std::span<const std::byte> data) {
    std::vector<std::pair<std::span<const std::byte>, std::string_view>> order;
    for (const auto& [name, tensor] : tensors)
        if (!tensor.data.empty()) order.emplace_back(tensor.data, name);
    std::sort(order.begin(), order.end(),
              [](const auto& a, const auto& b) { return a.first.data() < b.first.data(); });
    const std::byte* at = data.data();
    for (const auto& [span, name] : order) {
        if (span.data() != at)
            return corrupt(str("tensor ", name, " begins at byte ", span.data() - data.data(),
                               ", expected ", at - data.data(),
                               span.data() < at ? ": it overlaps another" : ": a gap before it"));
        at += span.size();
    }
    if (at != data.data() + data.size())
        return corrupt(str(data.size() - (at - data.data()), " bytes after the last tensor"));
    return Unit{};
}

}  // namespace

Tensor StoredTensor::view() const {
    CHECK(shape.size() <= Tensor::kMaxRank, "rank ", shape.size());
    Tensor t{.data = const_cast<std::byte*>(data.data()), .dtype = dtype};
    t.rank = std::max<int>(1, static_cast<int>(shape.size()));
    t.shape[0] = 1;
    std::copy(shape.begin(), shape.end(), t.shape.begin());
    int64_t stride = 1;
    for (int i = t.rank - 1; i >= 0; --i) {
        t.stride[i] = stride;
        stride *= t.shape[i];
    }
    return t;
}

Result<Tensors> Safetensors::parse(std::string_view header, std::span<const std::byte> data) {
    bool too_deep = false;
    const auto limit_depth = [&](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > kDepthMax;
        return depth <= kDepthMax;
    };
    const Json json = Json::parse(header, limit_depth, /*allow_exceptions=*/false);
    if (json.is_discarded() || too_deep || !json.is_object())
        return corrupt("the header is not a JSON object of tensors");

    Tensors tensors;
    for (const auto& [name, entry] : json.items()) {
        if (name == "__metadata__") continue;
        Result<StoredTensor> tensor = read_entry(entry, data);
        if (!tensor.ok()) return std::move(tensor).error().in("tensor " + name);
        tensors.emplace(name, std::move(tensor).value());
    }
    if (Status layout = check_layout(tensors, data); !layout.ok()) return std::move(layout).error();
    return tensors;
}

Result<Safetensors> Safetensors::open(const std::filesystem::path& path) {
    Result<MappedFile> file = MappedFile::open(path);
    if (!file.ok()) return std::move(file).error();
    const std::span<const std::byte> bytes = file.value().bytes();
    if (bytes.size() < 8) return corrupt(str("only ", bytes.size(), " bytes, no header"));

    uint64_t header_bytes;
    std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
    if (header_bytes > kHeaderBytesMax || header_bytes > bytes.size() - 8)
        return corrupt(str("a header of ", header_bytes, " bytes in a file of ", bytes.size(),
                           "; is the file truncated?"));
    Result<Tensors> tensors =
        parse(file.value().text().substr(8, header_bytes), bytes.subspan(8 + header_bytes));
    if (!tensors.ok()) return std::move(tensors).error();
    return Safetensors(std::move(file).value(), std::move(tensors).value());
}

const StoredTensor* Safetensors::find(std::string_view name) const {
    const auto it = tensors_.find(name);
    return it == tensors_.end() ? nullptr : &it->second;
}

}  // namespace fathom
