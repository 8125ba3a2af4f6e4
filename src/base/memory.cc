#include "base/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

// The number behind `name` in a file of lines "name number ...".
int64_t number_of(const fs::path& path, const std::string& name) {
    std::ifstream file(path);
    std::string word;
    for (int64_t number; file >> word;)
        if (word == name && file >> number) return number;
    return kUnknown;
}

int64_t kilobytes_of(const fs::path& path, const std::string& name) {
    const int64_t number = number_of(path, name);
    return number == kUnknown ? kUnknown : number * 1024;
}

int64_t number_in(const fs::path& path) {
    std::ifstream file(path);
    int64_t number;
    return file >> number ? number : kUnknown;  // "max" is no number.
}

// What one control group leaves. Its use counts cached files, which go when memory is short: a
// checkpoint that was just read must not look like memory in use.
int64_t left_in_group(const fs::path& group) {
    const int64_t limit = number_in(group / "memory.max");
    const int64_t used = number_in(group / "memory.current");
    if (limit == kUnknown || used == kUnknown) return kUnknown;
    int64_t cached = 0;
    for (const char* name : {"inactive_file", "active_file"})
        if (const int64_t bytes = number_of(group / "memory.stat", name); bytes != kUnknown)
            cached += bytes;
    return limit - std::max<int64_t>(0, used - cached);
}

// Below the mount, "" for the topmost: the line "0::/a/b" of the unified hierarchy.
fs::path own_group(const fs::path& root) {
    std::ifstream file(root / "proc/self/cgroup");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("0::/")) return line.substr(4);
    return {};
}

}  // namespace

int64_t available_memory(const fs::path& root) {
    int64_t least = kilobytes_of(root / "proc/meminfo", "MemAvailable:");
    const fs::path mount = root / "sys/fs/cgroup";
    for (fs::path group = own_group(root); !group.empty(); group = group.parent_path())
        least = std::min(least, left_in_group(mount / group));
    return std::max<int64_t>(0, std::min(least, left_in_group(mount)));
}

int64_t resident_memory() { return kilobytes_of("/proc/self/status", "RssAnon:"); }

}  // namespace fathom
