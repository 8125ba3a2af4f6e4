#include "server/profile_routes.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/trace.h"
#include "server/server_testing.h"

namespace fathom::testing {
namespace {

using Json = nlohmann::json;

class ProfileRoutesTest : public ::testing::Test {
protected:
    ProfileRoutesTest() : service({.next = Service::says("hello")}) {
        service.open();
        service.on_io_thread([this] {
            routes.emplace(service.router(), service.server(), service.workers(), folder());
        });
    }
    ~ProfileRoutesTest() override { trace::stop(); }

    std::string folder() const { return temporary.path() / "traces"; }
    http::Response post(const char* path) { return service.client().request("POST", path).value(); }

    const TemporaryFolder temporary;
    Service service;
    std::optional<ProfileRoutes> routes;
};

TEST_F(ProfileRoutesTest, WhatIsDoneInBetweenIsWritten) {
    EXPECT_EQ(post("/start_profile").status, 200);
    EXPECT_EQ(post("/start_profile").status, 400);
    { const trace::Span span("work"); }
    const http::Response stopped = post("/stop_profile");
    ASSERT_EQ(stopped.status, 200) << stopped.body;
    const std::string path = Json::parse(stopped.body)["trace"];
    EXPECT_TRUE(path.starts_with(folder() + "/")) << path;
    std::ifstream file(path);
    const Json trace = Json::parse(file, nullptr, /*allow_exceptions=*/false);
    ASSERT_TRUE(trace.is_object());
    EXPECT_NE(trace.dump().find("\"work\""), std::string::npos);
    EXPECT_EQ(post("/stop_profile").status, 400);
    EXPECT_EQ(service.get("/stop_profile").status, 405);
}

TEST_F(ProfileRoutesTest, AFolderThatCannotBeIsNamed) {
    std::ofstream(folder()) << "a file";
    EXPECT_EQ(post("/start_profile").status, 200);
    const http::Response stopped = post("/stop_profile");
    EXPECT_EQ(stopped.status, 500);
    EXPECT_NE(stopped.body.find("--profile-dir"), std::string::npos);
    EXPECT_EQ(post("/start_profile").status, 200) << "the profile before it has ended";
}

}  // namespace
}  // namespace fathom::testing
