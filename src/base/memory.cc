#include "base/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace fathom {
namespace {

constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

// The number behind `name` in a file of "name: number kB" lines, in bytes.
int64_t kilobytes_of(const char* path, const std::string& name) {
    std::ifstream file(path);
    std::string word;
    for (int64_t number; file >> word;)
        if (word == name && file >> number) return number * 1024;
    return kUnknown;
}

int64_t number_in(const char* path) {
    std::ifstream file(path);
    int64_t number;
    return file >> number ? number : kUnknown;  // "max" is no number.
}

}  // namespace

int64_t available_memory() {
    const int64_t system = kilobytes_of("/proc/meminfo", "MemAvailable:");
    const int64_t limit = number_in("/sys/fs/cgroup/memory.max");
    const int64_t used = number_in("/sys/fs/cgroup/memory.current");
    const int64_t group = limit == kUnknown || used == kUnknown ? kUnknown : limit - used;
    return std::max<int64_t>(0, std::min(system, group));
}

int64_t resident_memory() { return kilobytes_of("/proc/self/status", "VmRSS:"); }

}  // namespace fathom
