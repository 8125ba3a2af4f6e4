#include "server/served_model.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace fathom {
namespace {

using Json = nlohmann::json;

constexpr int64_t kFileBytesMax = 1 << 20;

// The file's object; an empty one where there is no such file.
Result<Json> read_generation_config(const std::string& folder) {
    const auto path = std::filesystem::path(folder) / "generation_config.json";
    if (!std::filesystem::exists(path)) return Json::object();
    Result<std::string> text = read_text(path, kFileBytesMax);
    if (!text.ok()) return std::move(text).error();
    Json json = Json::parse(text.value(), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object())
        return Error{Code::corrupt,
                     str(path.string(), ": not a JSON object; fetch the file again")};
    return json;
}

void take_number(const Json& json, const char* key, double& to) {
    if (json.contains(key) && json[key].is_number()) to = json[key].get<double>();
}

}  // namespace

bool ServedModel::is_served(const std::string& name) const {
    return accept_any || name.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<Token> ServedModel::encode(const std::string& text, bool with_bos) const {
    std::vector<Token> tokens = tokenizer->encode(text);
    const std::optional<Token> bos = tokenizer->bos();
    if (with_bos && add_bos && bos && (tokens.empty() || tokens[0] != *bos))
        tokens.insert(tokens.begin(), *bos);
    return tokens;
}

std::vector<std::string> served_names(const std::vector<std::string>& asked,
                                      const std::string& path) {
    if (!asked.empty()) return asked;
    std::vector<std::string> names;
    const auto add = [&](std::string name) {
        if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(std::move(name));
    };
    add(path);
    const std::filesystem::path folder(path);
    add((folder.has_filename() ? folder : folder.parent_path()).filename().string());
    for (const char* name : {"deepseek_v3.2", "dsv3", "deepseek-ai/DeepSeek-V3.2"}) add(name);
    return names;
}

Result<api::SamplingDefaults> load_sampling_defaults(const std::string& folder,
                                                     const std::string& override_json) {
    Result<Json> json = folder.empty() ? Json::object() : read_generation_config(folder);
    if (!json.ok()) return std::move(json).error();
    api::SamplingDefaults defaults;
    double top_k = 0;
    const std::pair<const char*, double*> fields[] = {
        {"temperature", &defaults.temperature},
        {"top_p", &defaults.top_p},
        {"min_p", &defaults.min_p},
        {"repetition_penalty", &defaults.repetition_penalty},
        {"top_k", &top_k}};
    for (const auto& [name, to] : fields) take_number(json.value(), name, *to);
    const Json more = override_json.empty() ? Json::object() : Json::parse(override_json);
    for (const auto& [key, value] : more.items()) {
        const auto* field =
            std::ranges::find_if(fields, [&](const auto& f) { return f.first == key; });
        if (field == std::end(fields) || !value.is_number())
            return Error{Code::invalid_argument,
                         str("--override-generation-config: ", key, " is ", value.dump(),
                             "; expected numbers for temperature, top_p, top_k, min_p or "
                             "repetition_penalty")};
        *field->second = value.get<double>();
    }
    defaults.top_k = static_cast<int64_t>(top_k);
    return defaults;
}

Result<std::vector<Token>> load_end_tokens(const std::string& folder, const ModelArgs& args) {
    Result<Json> json = read_generation_config(folder);
    if (!json.ok()) return std::move(json).error();
    std::vector<Token> ends;
    const auto add = [&](int64_t id) {
        const bool drawable = 0 <= id && id < args.vocab_size;
        if (drawable && std::find(ends.begin(), ends.end(), id) == ends.end())
            ends.push_back(static_cast<Token>(id));
    };
    add(args.eos_token_id);
    const Json& ids = json.value().contains("eos_token_id") ? json.value()["eos_token_id"] : Json();
    for (const Json& id : ids.is_array() ? ids : Json::array({ids})) {
        if (id.is_number_integer()) add(id.get<int64_t>());
    }
    return ends;
}

}  // namespace fathom
