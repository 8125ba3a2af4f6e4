#pragma once

#include <cstdint>

namespace fathom {

// Bytes that this process could still take without others having to give: MemAvailable of the
// system, or what its control group leaves, whichever is less.
int64_t available_memory();

// Bytes of physical memory that this process holds now.
int64_t resident_memory();

}  // namespace fathom
