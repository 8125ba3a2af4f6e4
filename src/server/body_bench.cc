// Memory that a large body takes at its worst moment, as a multiple of its size: what http reads it
// into, and what becomes of it until the prompt is there. VmHWM of /proc, which Linux lets a
// process begin anew.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <fstream>
#include <string>

#include "api/body_reader.h"
#include "base/check.h"
#include "base/hex.h"
#include "http/request_reader.h"

namespace fathom {
namespace {

constexpr size_t kBytes = 16 << 20;
constexpr size_t kPiece = 16 << 10;  // As connections read.

int64_t status_kb(const char* key) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(key)) return std::stoll(line.substr(line.find(':') + 1));
    CHECK(false, key);
}

std::string text_body() {
    const std::string words = "The future of AI is bright, \\n and ";
    std::string body = R"({"prompt":")";
    while (body.size() < kBytes) body += words;
    return body + "\"}";
}

std::string ids_body() {
    std::string body = R"({"prompt":[1)";
    for (int id = 0; body.size() < kBytes; id = (id + 7919) % 129280) body += str(',', id);
    return body + "]}";
}

// The head, then the body as it comes from a socket.
http::Request read(const std::string& body, bool chunked) {
    http::RequestReader reader(64 << 10, 64 << 20);
    reader.append(str("POST / HTTP/1.1\r\nHost: h\r\n",
                      chunked ? "Transfer-Encoding: chunked" : str("Content-Length: ", body.size()),
                      "\r\n\r\n"));
    for (size_t at = 0; at < body.size(); at += kPiece) {
        const std::string_view piece = std::string_view(body).substr(at, kPiece);
        if (chunked) reader.append(str(hex(piece.size()), "\r\n"));
        reader.append(piece);
        if (chunked) reader.append("\r\n");
        CHECK(reader.parse() != http::RequestReader::State::refused, reader.message());
    }
    if (chunked) reader.append("0\r\n\r\n");
    CHECK(reader.parse() == http::RequestReader::State::complete, "the body is not complete");
    return reader.take();
}

enum class Part { http, http_and_json };

void bench_body(benchmark::State& state, std::string (*make)(), bool chunked, Part part) {
    const std::string body = make();
    double worst = 0;
    for (auto _ : state) {
        ::malloc_trim(0);
        std::ofstream("/proc/self/clear_refs") << 5;
        const int64_t before = status_kb("VmRSS");
        const http::Request request = read(body, chunked);
        if (part == Part::http_and_json) {
            api::BodyReader reader(request.body);
            const auto prompts = reader.prompts("prompt");
            CHECK(prompts.has_value(), "no prompt");
        }
        const auto grown = static_cast<double>(status_kb("VmHWM") - before) * 1024;
        worst = std::max(worst, grown / static_cast<double>(body.size()));
    }
    state.counters["peak/size"] = worst;
}
BENCHMARK_CAPTURE(bench_body, http_length, text_body, false, Part::http);
BENCHMARK_CAPTURE(bench_body, http_chunked, text_body, true, Part::http);
BENCHMARK_CAPTURE(bench_body, text, text_body, false, Part::http_and_json);
BENCHMARK_CAPTURE(bench_body, ids, ids_body, false, Part::http_and_json);

}  // namespace
}  // namespace fathom
