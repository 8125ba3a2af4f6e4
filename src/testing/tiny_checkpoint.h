#pragma once

#include <filesystem>
#include <string_view>

#include "checkpoint/tiny.h"

namespace fathom::testing {

// A folder with the checkpoint of `fathom tiny --preset PRESET --format FORMAT`, made at the first
// call and kept under the build folder for all tests (any process at any time; a change of the
// writer's sources makes a new one). Read only. Aborts when it cannot be made.
std::filesystem::path tiny_checkpoint(std::string_view preset, CheckpointFormat format);
// format: "bf16", "fp8" or "w8a8".
std::filesystem::path tiny_checkpoint(std::string_view preset, std::string_view format);

// A fresh folder that is removed with the object.
class TemporaryFolder {
public:
    TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace fathom::testing
