#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "http/server_testing.h"
#include "testing/tiny_checkpoint.h"

namespace fathom::http {
namespace {

namespace fs = std::filesystem;

class UnixSocket : public ::testing::Test {
protected:
    ServerOptions options() const {
        ServerOptions options;
        options.unix_path = path;
        return options;
    }
    // Why a server at this path does not start; "" when it does.
    static std::string refusal(const std::string& path) {
        ServerOptions options;
        options.unix_path = path;
        Server server(options);
        const Status bound = server.bind();
        return bound.ok() ? "" : bound.error().message;
    }

    const testing::TemporaryFolder folder;
    const std::string path = folder.path() / "fathom.sock";
};

TEST_F(UnixSocket, ServesAndTakesItsFileAlong) {
    {
        TestServer server(options());
        Result<Client> client = Client::connect_unix(path);
        ASSERT_TRUE(client.ok());
        EXPECT_EQ(client.value().request("GET", "/hello").value().body, "hello GET /hello");
        EXPECT_EQ(server.answered(0).peer, "unix");
        struct stat file {};
        ASSERT_EQ(::lstat(path.c_str(), &file), 0);
        EXPECT_EQ(file.st_mode & 0777, 0600u);
        ASSERT_TRUE(client.value().send("GET", "/hold").ok());
        const uint64_t id = server.held(0);
        client.value().reset();
        EXPECT_EQ(server.left(0), id);
    }
    EXPECT_FALSE(fs::exists(fs::symlink_status(path)));
}

TEST_F(UnixSocket, OnlyASocketThatNobodyListensOnGivesWay) {
    {
        const TestServer first(options());
        EXPECT_NE(refusal(path).find(path + " is taken by another program"), std::string::npos);
        EXPECT_TRUE(Client::connect_unix(path).ok()) << "the first server lost its socket";
    }
    const int stale = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{.sun_family = AF_UNIX};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::close(stale);  // Its file stays.
    ASSERT_TRUE(fs::exists(path));
    EXPECT_EQ(refusal(path), "");
    std::ofstream(path) << "a letter";
    EXPECT_NE(refusal(path).find("a file of another kind is there"), std::string::npos);
    EXPECT_TRUE(fs::is_regular_file(path));
}

TEST_F(UnixSocket, AFileThatTookItsPlaceStays) {
    {
        const TestServer server(options());
        fs::remove(path);
        std::ofstream(path) << "not ours";
    }
    EXPECT_TRUE(fs::is_regular_file(path));
}

TEST_F(UnixSocket, PathsThatCannotBe) {
    EXPECT_NE(refusal("/no/such/folder/s").find("/no/such/folder/s cannot be made"),
              std::string::npos);
    EXPECT_NE(refusal("/tmp/" + std::string(200, 'x')).find("the system allows 107"),
              std::string::npos);
}

}  // namespace
}  // namespace fathom::http
