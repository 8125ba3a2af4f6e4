#include "checkpoint/input_range.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace fathom {

InputRange range_between(std::string module, float low, float high) {
    CHECK(std::isfinite(low) && std::isfinite(high) && low <= high, module, ": ", low, " .. ",
          high);
    const double least = std::min(low, 0.0f), most = std::max(high, 0.0f);
    auto scale = static_cast<double>(static_cast<float>((most - least) / 255));
    if (!(scale > 0)) scale = 1;
    return {std::move(module), scale, std::clamp(std::rint(-least / scale) - 128, -128.0, 127.0)};
}

Result<std::vector<InputRange>> read_input_ranges(const std::filesystem::path& path) {
    Result<std::string> text = read_text(path, int64_t{64} << 20);
    if (!text.ok()) return std::move(text).error();
    const auto json = nlohmann::json::parse(text.value(), nullptr, /*allow_exceptions=*/false);
    std::vector<InputRange> ranges;
    const auto refuse = [&](const std::string& what) {
        return Error{Code::corrupt,
                     str(path.string(), ": ", what,
                         "; expected {\"module\": {\"input_scale\": s, \"input_offset\": o}}")};
    };
    if (!json.is_object()) return refuse("not a JSON object");
    const auto number = [](const nlohmann::json& range, const char* key) {
        const bool there = range.is_object() && range.contains(key) && range[key].is_number();
        return there ? range[key].get<double>() : std::nan("");
    };
    for (const auto& [module, range] : json.items()) {
        const double scale = number(range, "input_scale"), offset = number(range, "input_offset");
        if (!(scale > 0) || !(offset >= -128 && offset <= 127) || offset != std::rint(offset))
            return refuse(str(module, " is ", range.dump()));
        ranges.push_back({module, scale, offset});
    }
    return ranges;
}

}  // namespace fathom
