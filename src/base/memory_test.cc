#include "base/memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <vector>

namespace fathom {
namespace {

namespace fs = std::filesystem;

// A machine's /proc and /sys, as far as they are read.
struct Machine {
    Machine() : root(fs::path(::testing::TempDir()) / "memory_test_machine") {
        fs::remove_all(root);
        write("proc/meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    4000 kB\n");
    }
    ~Machine() { fs::remove_all(root); }
    void write(const fs::path& path, const std::string& text) const {
        fs::create_directories((root / path).parent_path());
        std::ofstream(root / path) << text;
    }
    void group(const fs::path& path, const std::string& max, int64_t current,
               const std::string& stat = "") const {
        write(path / "memory.max", max + "\n");
        write(path / "memory.current", std::to_string(current) + "\n");
        write(path / "memory.stat", stat);
    }
    const fs::path root;
};

TEST(Memory, WithoutAGroupItIsWhatTheSystemSays) {
    const Machine machine;
    EXPECT_EQ(available_memory(machine.root), 4000 * 1024);
}

TEST(Memory, AGroupWithoutALimitChangesNothing) {
    const Machine machine;
    machine.group("sys/fs/cgroup", "max", 123456);
    EXPECT_EQ(available_memory(machine.root), 4000 * 1024);
}

TEST(Memory, TheGroupsLimitHoldsAndItsCachedFilesAreFree) {
    const Machine machine;
    machine.group("sys/fs/cgroup", "1000000", 600000);
    EXPECT_EQ(available_memory(machine.root), 400000);
    machine.group("sys/fs/cgroup", "1000000", 600000,
                  "anon 90000\ninactive_file 300000\nactive_file 200000\n");
    EXPECT_EQ(available_memory(machine.root), 900000);
    machine.group("sys/fs/cgroup", "1000000", 1100000);
    EXPECT_EQ(available_memory(machine.root), 0) << "never negative";
}

TEST(Memory, TheTightestOfAllGroupsAboveCounts) {
    const Machine machine;
    machine.write("proc/self/cgroup", "1:name=systemd:/other\n0::/system.slice/fathom.service\n");
    machine.group("sys/fs/cgroup/system.slice/fathom.service", "max", 1000);
    machine.group("sys/fs/cgroup/system.slice", "2000000", 1000000);
    EXPECT_EQ(available_memory(machine.root), 1000000);
    machine.group("sys/fs/cgroup/system.slice/fathom.service", "50000", 1000);
    EXPECT_EQ(available_memory(machine.root), 49000);
}

TEST(Memory, ThisProcessHoldsWhatItTouches) {
    EXPECT_GT(available_memory(), 0);
    const int64_t before = resident_memory();
    ASSERT_GT(before, 0);
    constexpr int64_t kBytes = int64_t{64} << 20;
    const std::vector<char> touched(kBytes, 1);
    EXPECT_GE(resident_memory(), before + kBytes * 9 / 10) << touched.size();
}

}  // namespace
}  // namespace fathom
