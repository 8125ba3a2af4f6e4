#pragma once

#include <string>

#include "base/result.h"
#include "server/reply.h"
#include "server/served_model.h"

namespace fathom {

// POST /tokenize and POST /detokenize: answers that need a worker and no engine.
ReplyOrError prepare_tokenize(const ServedModel& model, const std::string& body,
                              const RequestInfo& info);
ReplyOrError prepare_detokenize(const ServedModel& model, const std::string& body,
                                const RequestInfo& info);

// The answer of GET /tokenizer_info: FOLDER/tokenizer_config.json with its special tokens as plain
// strings, and a tokenizer_class where it names none. not_found, corrupt: names the file.
Result<std::string> load_tokenizer_info(const std::string& folder);

}  // namespace fathom
