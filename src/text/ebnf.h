#pragma once

#include <string_view>

#include "base/result.h"

namespace fathom {

// A client's grammar in xgrammar's EBNF: whether it keeps to the part that GBNF has too. Calls of
// its macros (Token(...) could ask for any special token) and rule options are refused, and so are
// 64 KiB, and repetition counts that come to more than 128 for character classes, 4,096 for all
// else. The grammar itself is read by xgrammar. invalid_argument, one sentence.
Status check_ebnf(std::string_view text);

}  // namespace fathom
