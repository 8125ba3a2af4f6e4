#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace fathom {

// What a flag takes after its name.
enum class FlagKind { toggle, value, values, json };

struct FlagName {
    std::string name;  // "max-num-seqs"
    FlagKind kind;
};

// Brings a command line as people write it for vllm into one plain form, before it is parsed:
//
//   --max_num_seqs 4      --max-num-seqs 4          underscores in names
//   --max-num-b 64        --max-num-batched-tokens 64   unique beginnings of names
//   --a.b.c 5 --a.d x     --a {"b":{"c":5},"d":"x"} keys of a JSON flag, merged into its JSON
//   --port=80             --port 80
//   --no-enable-x         --enable-x=false          for toggles
//
// Errors: an unknown flag (with the nearest known one), an ambiguous beginning, a flag without its
// value, JSON that is not an object. Words that are no flags stay where they are.
Result<std::vector<std::string>> rewrite_argv(std::span<const std::string> words,
                                              std::span<const FlagName> known);

// The known name with the fewest edits from `word`.
std::string nearest_name(const std::string& word, std::span<const FlagName> known);

}  // namespace fathom
