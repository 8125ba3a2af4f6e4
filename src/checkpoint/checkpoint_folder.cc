#include "checkpoint/checkpoint_folder.h"

#include <fstream>
#include <vector>

namespace fathom {

namespace fs = std::filesystem;

Status write_text(const fs::path& path, std::string_view text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file) return Error{Code::unavailable, str(path.string(), ": cannot be written")};
    return Unit{};
}

Status prepare_folder(const fs::path& folder, bool overwrite) {
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed || !fs::is_directory(folder))
        return Error{Code::unavailable,
                     str(folder.string(), " cannot be made: ", failed.message())};
    std::vector<fs::path> old;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") ||
            name == "quant_model_description.json" || name == "config.json")
            old.push_back(entry.path());
    }
    if (!old.empty() && !overwrite)
        return Error{Code::invalid_argument,
                     str(folder.string(), " holds ", old.front().filename().string(),
                         " already; name another folder or add --overwrite")};
    for (const fs::path& path : old)
        if (!fs::remove(path, failed))
            return Error{Code::unavailable,
                         str(path.string(), " cannot be removed: ", failed.message())};
    return Unit{};
}

}  // namespace fathom
