#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace fathom {

// Makes the folder that a checkpoint is to be written to. With `overwrite` the weights, index,
// description and config.json of an older one are removed: they would be taken for part of the new
// one. Errors: the folder holds a checkpoint and is not to be overwritten; it cannot be made.
Status prepare_folder(const std::filesystem::path& folder, bool overwrite);

// Replaces a file that is there.
Status write_text(const std::filesystem::path& path, std::string_view text);

}  // namespace fathom
