#pragma once

#include <string>

#include "checkpoint/tiny.h"

namespace fathom {

// The text of config.json, as Python's json.dump(indent=2) writes it. REQUIRES: every key of
// recipe.sizes is one of tiny_size_keys().
std::string tiny_config_json(const TinyRecipe& recipe);

}  // namespace fathom
