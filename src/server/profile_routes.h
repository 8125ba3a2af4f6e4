#pragma once

#include <string>

#include "http/server.h"
#include "http/worker_pool.h"
#include "server/router.h"

namespace fathom {

// POST /start_profile and /stop_profile: what is done in between becomes a file in a folder, for
// Perfetto. Only where a folder was named (--profile-dir). I/O thread; files are written by a
// worker.
class ProfileRoutes {
public:
    // All must outlive it. `folder` is made when it is not there.
    ProfileRoutes(Router& router, http::Server& server, http::WorkerPool& workers,
                  std::string folder);
    ProfileRoutes(const ProfileRoutes&) = delete;
    ProfileRoutes& operator=(const ProfileRoutes&) = delete;

private:
    void start(http::Exchange& http);
    void stop(http::Exchange& http);

    http::Server& server_;
    http::WorkerPool& workers_;
    const std::string folder_;
    int traces_ = 0;  // Written by this process.
};

}  // namespace fathom
