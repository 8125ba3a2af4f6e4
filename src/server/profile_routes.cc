#include "server/profile_routes.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "api/error.h"
#include "api/json_text.h"
#include "base/log.h"
#include "base/trace.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

void reply_error(http::Exchange& http, int status, std::string_view message) {
    http.reply(status, "application/json", api::to_json(api::error_of_status(status, message)));
}

// The file's path.
Result<std::string> write_trace(const fs::path& folder, int number) {
    const std::string trace = trace::stop();
    if (trace.empty())
        return Error{Code::invalid_argument, "no profile is being made; POST /start_profile first"};
    std::error_code error;
    fs::create_directories(folder, error);
    const fs::path path = folder / str("fathom-", ::getpid(), "-", number, ".json");
    std::ofstream file(path, std::ios::binary);
    file << trace;
    file.close();
    if (!file)
        return Error{Code::corrupt, str("the trace could not be written to ", path.string(),
                                        "; --profile-dir must be a folder with room")};
    return path.string();
}

}  // namespace

ProfileRoutes::ProfileRoutes(Router& router, http::Server& server, http::WorkerPool& workers,
                             std::string folder)
    : server_(server), workers_(workers), folder_(std::move(folder)) {
    router.add({"POST", "/start_profile", [this](http::Exchange& http) { start(http); }});
    router.add({"POST", "/stop_profile", [this](http::Exchange& http) { stop(http); }});
}

void ProfileRoutes::start(http::Exchange& http) {
    if (!trace::start())
        return reply_error(http, 400,
                           "a profile is being made already; POST /stop_profile ends it");
    log::info("profile: recording");
    http.reply(200, "", "");
}

void ProfileRoutes::stop(http::Exchange& http) {
    const bool taken =
        workers_.run([folder = folder_, number = ++traces_] { return write_trace(folder, number); },
                     [this, id = http.id()](Result<std::string> written) {
                         if (written.ok())
                             log::info("profile: ", written.value(), ", for ui.perfetto.dev");
                         else
                             log::warning("profile: ", written.error().message);
                         http::Exchange* http = server_.find(id);
                         if (http == nullptr) return;  // It did not wait for the end.
                         if (!written.ok())
                             return reply_error(*http, api::error_of(written.error()).status,
                                                written.error().message);
                         http->reply(200, "application/json",
                                     str(R"({"trace":)", api::quoted(written.value()), "}"));
                     });
    if (!taken) reply_error(http, 429, "too many requests wait to be read; try again later");
}

}  // namespace fathom
