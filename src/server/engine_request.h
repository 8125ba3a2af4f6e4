#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "api/generation_request.h"
#include "engine/request.h"
#include "server/served_model.h"

namespace fathom {

// What the engine is asked, from what a client asked: a request per choice, in the order
// prompt * n + sample. Constraints are compiled here: on a worker only.
//   prompts         checked: not empty, in the vocabulary, short enough
//   think_end       where the reply begins with a thought, the token that ends it
std::variant<std::vector<Request>, api::RequestError> engine_requests(
    const ServedModel& model, const api::GenerationRequest& request,
    const std::vector<std::vector<Token>>& prompts, std::optional<Token> think_end = {});

// The last tokens of a prompt, as many as truncate_prompt_tokens asks for.
void truncate_prompt(const ServedModel& model, const api::GenerationRequest& request,
                     std::vector<Token>& prompt);

}  // namespace fathom
