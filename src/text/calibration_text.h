#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace fathom {

// How much of a calibration text is used.
struct CalibrationLimits {
    int document_tokens_max = 2048;  // Of each document, from its beginning.
    int tokens_max = 65536;          // Of all; what comes later is left out.
};

// The documents of a text: UTF-8, separated by lines that hold `---` and nothing else; empty ones
// do not count. Added tokens in the text ("<｜User｜>") are those tokens, and each document begins
// with the tokenizer's begin token, where it has one, as what is served does. Errors, one sentence:
// not UTF-8, no document.
Result<std::vector<std::vector<Token>>> calibration_documents(const Tokenizer& tokenizer,
                                                              std::string_view text,
                                                              CalibrationLimits limits = {});

// data/calibration.txt: some 5 kB of prose, chats, a tool call, code, numbers, other languages.
std::string_view builtin_calibration_text();

}  // namespace fathom
