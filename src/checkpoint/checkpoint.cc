#include "checkpoint/checkpoint.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// An index of the real model has 9 MB.
constexpr int64_t kIndexBytesMax = int64_t{256} << 20;
constexpr int kDepthMax = 8;
constexpr const char* kStems[] = {"quant_model_weights", "model"};
constexpr const char* kDescription = "quant_model_description.json";

Error corrupt(std::string message) { return Error{Code::corrupt, std::move(message)}; }

Result<Json> read_object(const fs::path& path) {
    Result<std::string> text = read_text(path, kIndexBytesMax);
    if (!text.ok()) return std::move(text).error();
    bool too_deep = false;
    const auto limit_depth = [&](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > kDepthMax;
        return depth <= kDepthMax;
    };
    Json json = Json::parse(text.value(), limit_depth, /*allow_exceptions=*/false);
    if (json.is_discarded() || too_deep || !json.is_object())
        return corrupt(str(path.filename().string(), ": not a JSON object; fetch the file again"));
    return json;
}

// A name in the folder itself: an index must not lead out of it.
bool is_plain_name(const std::string& name) {
    return name.ends_with(".safetensors") && name.find('/') == std::string::npos;
}

Result<std::map<std::string, std::string>> read_weight_map(const fs::path& path) {
    Result<Json> json = read_object(path);
    if (!json.ok()) return std::move(json).error();
    const std::string file = path.filename().string();
    const auto found = json.value().find("weight_map");
    if (found == json.value().end() || !found->is_object() || found->empty())
        return corrupt(str(file, ": no weight_map; fetch the file again"));
    std::map<std::string, std::string> out;
    for (const auto& [tensor, shard] : found->items()) {
        if (!shard.is_string() || !is_plain_name(shard.get<std::string>()))
            return corrupt(str(file, ": tensor ", tensor, " is in ", shard.dump(),
                               "; expected the name of a *.safetensors file of the folder"));
        out.emplace(tensor, shard.get<std::string>());
    }
    return out;
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const fs::path& folder) {
    const auto in_folder = [&](Error error) { return std::move(error).in(folder.string()); };
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored))
        return Error{Code::not_found,
                     str(folder.string(), " is not a folder; name the checkpoint's")};
    Checkpoint checkpoint;
    std::map<std::string, std::string> weight_map;
    std::set<std::string> files;
    for (const char* stem : kStems) {
        const fs::path index = folder / str(stem, ".safetensors.index.json");
        if (!fs::exists(index, ignored)) continue;
        Result<std::map<std::string, std::string>> read = read_weight_map(index);
        if (!read.ok()) return in_folder(std::move(read).error());
        weight_map = std::move(read).value();
        for (const auto& [tensor, file] : weight_map) files.insert(file);
        break;
    }
    for (const char* stem : kStems) {
        const std::string single = str(stem, ".safetensors");
        if (files.empty() && fs::exists(folder / single, ignored)) files.insert(single);
    }
    if (files.empty())
        return Error{Code::not_found,
                     str(folder.string(),
                         " holds neither model.safetensors nor an index "
                         "(*.safetensors.index.json); fetch the weights, or run fathom tiny")};
    Status ok = checkpoint.open_files(folder, weight_map.empty() ? nullptr : &weight_map,
                                      {files.begin(), files.end()});
    if (ok.ok()) ok = checkpoint.read_description(folder);
    if (!ok.ok()) return in_folder(std::move(ok).error());
    return checkpoint;
}

Status Checkpoint::open_files(const fs::path& folder,
                              const std::map<std::string, std::string>* weight_map,
                              const std::vector<std::string>& files) {
    std::map<std::string_view, std::string> file_of;
    for (const std::string& name : files) {
        std::error_code ignored;
        if (!fs::exists(folder / name, ignored))
            return Error{Code::not_found, str(name, " is missing; fetch it again")};
        Result<Safetensors> file = Safetensors::open(folder / name);
        if (!file.ok()) return std::move(file).error().in(name);
        files_.push_back(std::move(file).value());
        for (const auto& [tensor, stored] : files_.back().tensors()) {
            if (!tensors_.emplace(tensor, &stored).second)
                return corrupt(str("tensor ", tensor, " is in ", file_of[tensor], " and in ", name,
                                   "; remove the file that is not part of the checkpoint"));
            file_of[tensor] = name;
            if (weight_map != nullptr && !weight_map->contains(tensor))
                index_notes_.push_back(str(name, " holds ", tensor, ", which the index omits"));
        }
    }
    if (weight_map == nullptr) return Unit{};
    for (const auto& [tensor, file] : *weight_map) {
        const auto found = file_of.find(tensor);
        if (found == file_of.end())
            index_problems_.push_back(
                str("the index has ", tensor, " in ", file, ", which lacks it; fetch it again"));
        else if (found->second != file)
            index_notes_.push_back(
                str(tensor, " is in ", found->second, ", the index says ", file));
    }
    return Unit{};
}

Status Checkpoint::read_description(const fs::path& folder) {
    for (const auto& [name, tensor] : tensors_)
        if (tensor->dtype == DType::f8e4m3) format_ = CheckpointFormat::fp8;
    std::error_code ignored;
    if (!fs::exists(folder / kDescription, ignored)) return Unit{};
    Result<Json> json = read_object(folder / kDescription);
    if (!json.ok()) return std::move(json).error();
    has_description_ = true;
    format_ = CheckpointFormat::w8a8;
    // Keys that are no tensors' are the tool's own; new ones come with every version of it.
    for (const auto& [key, value] : json.value().items())
        if (value.is_string()) types_.emplace(key, value.get<std::string>());
    return Unit{};
}

const StoredTensor* Checkpoint::find(std::string_view name) const {
    const auto it = tensors_.find(name);
    return it == tensors_.end() ? nullptr : it->second;
}

std::string_view Checkpoint::quant_type(std::string_view tensor) const {
    const auto it = types_.find(tensor);
    if (it != types_.end()) return it->second;
    constexpr std::string_view kAlias = ".shared_head.";
    const size_t at = tensor.find(kAlias);
    if (at == std::string_view::npos) return "";
    const std::string shorter = str(tensor.substr(0, at), ".", tensor.substr(at + kAlias.size()));
    const auto alias = types_.find(shorter);
    return alias == types_.end() ? std::string_view() : std::string_view(alias->second);
}

std::vector<float> floats(const StoredTensor& tensor) {
    const int64_t count = std::ssize(tensor.data) / size_of(tensor.dtype);
    std::vector<float> out(count);
    const std::byte* at = tensor.data.data();
    for (int64_t i = 0; i < count; ++i, at += size_of(tensor.dtype)) {
        if (tensor.dtype == DType::bf16) {
            bf16 value;
            std::memcpy(&value, at, sizeof value);
            out[i] = to_float(value);
        } else {
            CHECK(tensor.dtype == DType::f32 || tensor.dtype == DType::i64, "floats of ",
                  tensor.dtype);
            std::memcpy(&out[i], at, sizeof(float));  // Little-endian: the low half of an i64.
        }
    }
    return out;
}

std::string describe(const StoredTensor& tensor) {
    std::string text = str(tensor.dtype, "[");
    for (size_t i = 0; i < tensor.shape.size(); ++i) text += str(i ? ", " : "", tensor.shape[i]);
    return text + "]";
}

}  // namespace fathom
