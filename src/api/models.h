#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::api {

// The answer of GET /v1/models: one card for each name, all of the one model.
struct ModelList {
    std::vector<std::string> names;
    int64_t created = 0;        // Unix time of the start, s.
    std::string root;           // The path of the checkpoint.
    int64_t max_model_len = 0;  // Clients size their prompts by it.
};

std::string to_json(const ModelList& models);

}  // namespace fathom::api
