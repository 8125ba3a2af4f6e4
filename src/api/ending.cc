#include "api/ending.h"

#include "base/check.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

std::string stop_reason_json(const StopReason& reason) {
    if (const auto* text = std::get_if<std::string>(&reason)) return json_quoted(*text);
    if (const auto* id = std::get_if<Token>(&reason)) return std::to_string(*id);
    return "null";
}

}  // namespace

std::string ending_json(const Ending& ending) {
    return str(R"("finish_reason":)",
               ending.finish_reason.empty() ? "null" : json_quoted(ending.finish_reason),
               R"(,"stop_reason":)", stop_reason_json(ending.stop_reason));
}

}  // namespace fathom::api
