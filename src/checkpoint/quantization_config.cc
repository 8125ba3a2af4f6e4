#include "checkpoint/quantization_config.h"

#include <nlohmann/json.hpp>

#include "base/check.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;

Json without(std::string_view config_json) {
    Json config = Json::parse(config_json, nullptr, /*allow_exceptions=*/false);
    CHECK(config.is_object(), "config.json is no object");
    config.erase("quantization_config");
    return config;
}

std::string text_of(const Json& config) {
    return config.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace

std::string with_fp8_blocks(std::string_view config_json) {
    Json config = without(config_json);
    config["quantization_config"] = Json{{"activation_scheme", "dynamic"},
                                         {"fmt", "e4m3"},
                                         {"quant_method", "fp8"},
                                         {"scale_fmt", "ue8m0"},
                                         {"weight_block_size", {128, 128}}};
    return text_of(config);
}

std::string without_quantization(std::string_view config_json) {
    return text_of(without(config_json));
}

}  // namespace fathom
