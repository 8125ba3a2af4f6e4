#pragma once

#include <string_view>

namespace fathom {

// The files of src/checkpoint/data, compiled into the program.
std::string_view tiny_tokenizer_json();
std::string_view tiny_tokenizer_config_json();
std::string_view tiny_generation_config_json();

}  // namespace fathom
