#pragma once

#include <vector>

#include "server/generation_handler.h"
#include "server/router.h"

namespace fathom {

// The routes that need the model, for Router::open(). `handler` must outlive them.
std::vector<Route> model_routes(GenerationHandler& handler);

}  // namespace fathom
