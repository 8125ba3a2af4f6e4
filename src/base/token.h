#pragma once

#include <cstdint>

namespace fathom {

// A token id of the checkpoint's tokenizer: 0 <= id < vocab_size.
using Token = int32_t;

}  // namespace fathom
