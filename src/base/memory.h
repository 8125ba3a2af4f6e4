#pragma once

#include <cstdint>
#include <filesystem>

namespace fathom {

// Bytes that this process could still take without others having to give: MemAvailable of the
// system, or what its control group (v2) and those above it leave, whichever is less. Files that
// are only cached count as free. `root` is where /proc and /sys are found.
int64_t available_memory(const std::filesystem::path& root = "/");

// Bytes of physical memory that this process holds now, without the pages of mapped files: those
// are the system's, and go when it needs them.
int64_t resident_memory();

}  // namespace fathom
