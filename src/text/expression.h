#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fathom {

// What an expression or a schema may cost, in about the milliseconds of one core of 2.4 GHz that
// compiling it against 129,280 tokens takes: each character that repetitions come to is a state,
// and each state a mask over the vocabulary.
inline constexpr int64_t kCompileCostMax = 4000;

// A client's regular expression: one that PCRE2 can read and that a grammar can hold to. It says
// the whole text, whether or not it begins with ^ and ends with $. The value is its cost.
//
// invalid_argument, one sentence: what is wrong and at which byte, what no grammar can hold to
// (looking ahead or behind, back references, word boundaries, anchors within), more than 16 KiB, or
// a cost beyond kCompileCostMax.
Result<int64_t> expression_cost(std::string_view expression);

// The same expression as a term of xgrammar's EBNF, which makes one automaton of it.
// REQUIRES: expression_cost() has taken it.
std::string expression_term(std::string_view expression);

}  // namespace fathom
