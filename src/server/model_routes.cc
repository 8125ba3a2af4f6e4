#include "server/model_routes.h"

#include "server/chat_reply.h"
#include "server/completion_reply.h"
#include "server/messages_reply.h"
#include "server/responses_reply.h"
#include "server/tokenize.h"

namespace fathom {
namespace {

// One path for both kinds of bodies, as SageMaker has it.
ReplyOrError prepare_invocation(const ServedModel& model, const std::string& body,
                                const RequestInfo& info) {
    const bool is_chat = api::BodyReader(body).has("messages");
    return is_chat ? ChatReply::prepare(model, body, info)
                   : CompletionReply::prepare(model, body, info);
}

}  // namespace

std::vector<Route> model_routes(GenerationHandler& handler) {
    const std::pair<const char*, GenerationHandler::Prepare> endpoints[] = {
        {"/v1/completions", CompletionReply::prepare},
        {"/v1/chat/completions", ChatReply::prepare},
        {"/v1/responses", ResponsesReply::prepare},
        {"/v1/messages", MessagesReply::prepare},
        {"/v1/messages/count_tokens", MessagesReply::prepare_count},
        {"/tokenize", prepare_tokenize},
        {"/detokenize", prepare_detokenize},
        {"/invocations", prepare_invocation}};
    std::vector<Route> routes;
    for (const auto& [path, prepare] : endpoints)
        routes.push_back({"POST", path, [&handler, prepare = prepare](http::Exchange& http) {
                              handler.on_request(http, prepare);
                          }});
    return routes;
}

}  // namespace fathom
