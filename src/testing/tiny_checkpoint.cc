#include "testing/tiny_checkpoint.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace fathom::testing {

namespace fs = std::filesystem;

fs::path tiny_checkpoint(std::string_view preset, CheckpointFormat format) {
    // FATHOM_TINY_CACHE is a folder of the build tree, named by a hash of the writer's sources.
    fs::path folder = fs::path(FATHOM_TINY_CACHE) / str(preset, "-", name_of(format));
    if (fs::exists(folder)) return folder;
    std::optional<TinyRecipe> recipe = tiny_preset(preset);
    CHECK(recipe, "no preset ", preset);
    recipe->format = format;
    static std::atomic<int> count = 0;
    const fs::path unfinished = str(folder.string(), ".", ::getpid(), ".", count++);
    const Result<int64_t> written = write_tiny(unfinished, *recipe, /*threads=*/2);
    CHECK(written.ok(), written.error().message);
    // Whoever is first wins; the others' bytes are the same.
    std::error_code failed;
    fs::rename(unfinished, folder, failed);
    if (failed) fs::remove_all(unfinished);
    CHECK(fs::exists(folder), folder.string(), ": ", failed.message());
    return folder;
}

fs::path tiny_checkpoint(std::string_view preset, std::string_view format) {
    const std::optional<CheckpointFormat> named = format_named(format);
    CHECK(named, "no format ", format);
    return tiny_checkpoint(preset, *named);
}

TemporaryFolder::TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "fathom-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr, pattern);
    path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

}  // namespace fathom::testing
