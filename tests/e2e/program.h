#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "http/client.h"
#include "testing/tiny_checkpoint.h"

namespace fathom::testing {

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    CHECK(file.is_open(), path.string());
    return (std::ostringstream() << file.rdbuf()).str();
}

inline std::string shipped_model() { return str(FATHOM_SOURCE_DIR, "/models/tiny"); }

// REQUIRES: something listens there.
inline http::Client connect(int port, std::chrono::milliseconds timeout = std::chrono::minutes(1)) {
    Result<http::Client> client = http::Client::connect("127.0.0.1", port, timeout);
    CHECK(client.ok(), client.error().message);
    return std::move(client).value();
}

// The program itself (FATHOM_PROGRAM) as a process of its own; killed with the object.
class Program {
public:
    explicit Program(const std::vector<std::string>& arguments) {
        int ends[2];
        CHECK(::pipe(ends) == 0, "pipe");
        pid_ = ::fork();
        CHECK(pid_ >= 0, "fork");
        if (pid_ == 0) run(arguments, ends[1]);
        ::close(ends[1]);
        output_ = ends[0];
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() {
        if (!code_) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(output_);
    }

    // The next line of standard output; nullopt at its end, or when nothing comes for a minute.
    std::optional<std::string> line() {
        for (;;) {
            if (const size_t end = text_.find('\n'); end != std::string::npos) {
                std::string line = text_.substr(0, end);
                text_.erase(0, end + 1);
                return line;
            }
            pollfd ready{output_, POLLIN, 0};
            char some[4096];
            if (::poll(&ready, 1, 60'000) != 1) return std::nullopt;
            const ssize_t n = ::read(output_, some, sizeof some);
            if (n <= 0) return std::nullopt;
            text_.append(some, n);
        }
    }
    // All lines that are left, until the program closes its output.
    std::string rest() {
        std::string all;
        while (const std::optional<std::string> next = line()) all += *next + "\n";
        return all;
    }

    pid_t id() const { return pid_; }
    void signal(int number) const { ::kill(pid_, number); }
    bool running() {
        int status = 0;
        if (!code_ && ::waitpid(pid_, &status, WNOHANG) == pid_) code_ = code_of(status);
        return !code_;
    }
    // The exit code, or minus the signal that ended it; -1000 when it still runs after `at_most`.
    int exit_code(std::chrono::milliseconds at_most = std::chrono::seconds(60)) {
        const auto end = std::chrono::steady_clock::now() + at_most;
        while (running()) {
            if (std::chrono::steady_clock::now() > end) return -1000;
            ::usleep(1000);
        }
        return *code_;
    }
    // What it has written to standard error.
    std::string errors() const { return read_file(errors_); }

private:
    static int code_of(int status) {
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    [[noreturn]] void run(const std::vector<std::string>& arguments, int output) const {
        std::vector<char*> argv{const_cast<char*>(FATHOM_PROGRAM)};
        for (const std::string& argument : arguments)
            argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        ::dup2(output, STDOUT_FILENO);
        if (std::freopen(errors_.c_str(), "w", stderr) == nullptr) ::_exit(126);
        ::execv(FATHOM_PROGRAM, argv.data());
        ::_exit(127);
    }

    const TemporaryFolder folder_;
    const std::filesystem::path errors_ = folder_.path() / "stderr";
    pid_t pid_ = -1;
    int output_ = -1;
    std::string text_;
    std::optional<int> code_;
};

// `fathom serve` on a free port, once it is ready.
class ServeProgram : public Program {
public:
    explicit ServeProgram(std::vector<std::string> more = {}, std::string model = shipped_model())
        : Program(arguments(std::move(model), std::move(more))) {
        while (const std::optional<std::string> next = line()) {
            lines.push_back(*next);
            if (next->starts_with("curl ")) break;
        }
        CHECK(!lines.empty() && lines.back().starts_with("curl "), "not ready: ", errors());
        const std::string& curl = lines.back();
        const size_t colon = curl.find(':', curl.find("://") + 3);
        port = std::stoi(curl.substr(colon + 1));
    }

    std::vector<std::string> lines;  // The start-up lines; the last is the curl command.
    int port = 0;

private:
    static std::vector<std::string> arguments(std::string model, std::vector<std::string> more) {
        std::vector<std::string> all{
            "serve", std::move(model),          "--port", "0", "--threads", "2", "--max-model-len",
            "8192",  "--kv-cache-memory-bytes", "160M"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
};

}  // namespace fathom::testing
