#include "api/models.h"

#include <functional>

#include "api/json_text.h"
#include "base/check.h"
#include "base/hex.h"
#include "text/json_value.h"

namespace fathom::api {

std::string to_json(const ModelList& models) {
    std::string cards;
    for (const std::string& name : models.names) {
        if (!cards.empty()) cards += ',';
        const size_t tag = std::hash<std::string>()(name);  // The same at every call.
        cards += str(R"({"id":)", json_quoted(name), R"(,"object":"model","created":)",
                     models.created, R"(,"owned_by":"fathom","root":)", json_quoted(models.root),
                     R"(,"parent":null,"max_model_len":)", models.max_model_len,
                     R"(,"permission":[{"id":"modelperm-)", hex(tag),
                     R"(","object":"model_permission","created":)", models.created,
                     R"(,"allow_create_engine":false,"allow_sampling":true,"allow_logprobs":true,)"
                     R"("allow_search_indices":false,"allow_view":true,"allow_fine_tuning":false,)"
                     R"("organization":"*","group":null,"is_blocking":false}]})");
    }
    return str(R"({"object":"list","data":[)", cards, "]}");
}

}  // namespace fathom::api
