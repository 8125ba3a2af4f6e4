#include "http/request_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <exception>
#include <optional>

#include "base/check.h"

namespace fathom::http {
namespace {

namespace beast = boost::beast::http;
using Parser = beast::request_parser<beast::string_body>;

bool iequals(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

// Origin form "/path?query", absolute form "http://host/path?query", or "*".
void split_target(std::string_view target, Request& request) {
    if (const size_t scheme = target.find("://");
        scheme != target.npos && !target.starts_with('/')) {
        const size_t slash = target.find('/', scheme + 3);
        target = slash == target.npos ? "/" : target.substr(slash);
    }
    const size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != target.npos) request.query = target.substr(mark + 1);
}

}  // namespace

std::string_view find_header(const std::vector<Header>& headers, std::string_view name) {
    for (const Header& header : headers)
        if (iequals(header.name, name)) return header.value;
    return {};
}

struct RequestReader::Impl {
    size_t header_bytes_max, body_bytes_max;
    std::string input;
    size_t begin = 0;  // What lies before is read.
    std::optional<Parser> parser;
    bool header_done = false;
    bool wants_continue = false;
    Request request;
    int status = 0;  // Not 0: refused.
    std::string message;

    State refuse(int code, std::string text) {
        status = code;
        message = std::move(text);
        return State::refused;
    }

    State refuse(const boost::system::error_code& error) {
        if (error == beast::error::header_limit)
            return refuse(431, str("the request's header exceeds ", header_bytes_max, " bytes"));
        if (error == beast::error::body_limit)
            return refuse(413, str("the request's body exceeds ", body_bytes_max, " bytes"));
        if (error == beast::error::bad_version)
            return refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
        return refuse(400, str("the request is not well-formed HTTP/1.1: ", error.message()));
    }

    // Starts a request when bytes of one are there. Empty lines before it are allowed.
    bool start() {
        while (begin < input.size() && (input[begin] == '\r' || input[begin] == '\n')) ++begin;
        if (begin == input.size()) {
            input.clear();
            begin = 0;
            return false;
        }
        parser.emplace();
        parser->header_limit(static_cast<uint32_t>(header_bytes_max));
        parser->body_limit(body_bytes_max);
        header_done = wants_continue = false;
        request = {};
        return true;
    }

    void copy_header();
    State read_header();
};

// As far as it is read.
void RequestReader::Impl::copy_header() {
    const auto& message = parser->get();
    request.method = std::string(message.method_string());
    request.version = static_cast<int>(message.version());
    request.keep_alive = message.keep_alive();
    split_target({message.target().data(), message.target().size()}, request);
    for (const auto& field : message)
        request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
}

// The header is complete: copies it, and refuses what would be misunderstood.
RequestReader::State RequestReader::Impl::read_header() {
    header_done = true;
    copy_header();
    const auto count = [&](std::string_view name) {
        return std::ranges::count_if(request.headers,
                                     [&](const Header& h) { return iequals(h.name, name); });
    };
    if (count("Transfer-Encoding") > 0) {
        if (request.version < 11)
            return refuse(400, "Transfer-Encoding has no meaning in HTTP/1.0");
        if (count("Transfer-Encoding") > 1 ||
            !iequals(request.header("Transfer-Encoding"), "chunked"))
            return refuse(501, "the only Transfer-Encoding known here is chunked");
    }
    if (count("Host") > 1 || (count("Host") == 0 && request.version == 11))
        return refuse(400, "HTTP/1.1 asks for exactly one Host header");
    if (const std::string_view expect = request.header("Expect"); !expect.empty()) {
        if (!iequals(expect, "100-continue"))
            return refuse(417, "the only Expect known here is 100-continue");
        wants_continue = request.version == 11;
    }
    return State::need_more;
}

RequestReader::RequestReader(size_t header_bytes_max, size_t body_bytes_max)
    : impl_(new Impl{header_bytes_max, body_bytes_max}) {
    CHECK(header_bytes_max >= 64 && header_bytes_max < (1u << 31), header_bytes_max);
}

RequestReader::~RequestReader() = default;

void RequestReader::append(std::string_view bytes) {
    Impl& r = *impl_;
    if (r.begin > 0) r.input.erase(0, std::exchange(r.begin, 0));
    r.input.append(bytes);
}

RequestReader::State RequestReader::parse() {
    Impl& r = *impl_;
    if (r.status != 0) return State::refused;
    if (!r.parser && !r.start()) return State::need_more;
    if (r.parser->is_done()) return State::complete;

    // The header alone first, then the rest: the trailers of a body must not count as headers.
    while (r.begin < r.input.size() && !r.parser->is_done()) {
        // A last chunk has five bytes at least, and Beast 1.81 asserts that it is not asked twice
        // about less of it.
        if (r.header_done && r.parser->chunked() && r.input[r.begin] == '0' && buffered() < 5)
            break;
        r.parser->eager(r.header_done);
        boost::system::error_code error;
        try {
            const boost::asio::const_buffer unread(r.input.data() + r.begin, buffered());
            r.begin += r.parser->put(unread, error);
        } catch (const std::exception&) {  // Beast's own limit on one header: 64 KiB.
            return r.refuse(431, "one header of the request is too long");
        }
        if (r.parser->is_header_done() && !r.header_done && r.read_header() == State::refused)
            return State::refused;
        if (error == beast::error::need_more) break;
        if (error) {
            if (!r.header_done) r.copy_header();  // For the log, and for what browsers want to see.
            return r.refuse(error);
        }
    }
    if (r.parser->is_done()) return State::complete;
    if (buffered() > r.header_bytes_max)  // Only of a chunk's head or of trailers.
        return r.refuse(431, str("a chunk's header exceeds ", r.header_bytes_max, " bytes"));
    return State::need_more;
}

Request RequestReader::take() {
    Impl& r = *impl_;
    CHECK(r.parser && r.parser->is_done() && r.status == 0, "no complete request");
    r.request.body = std::move(r.parser->get().body());
    r.parser.reset();
    return std::move(r.request);
}

const Request& RequestReader::head() const { return impl_->request; }

bool RequestReader::wants_continue() {
    Impl& r = *impl_;
    const bool body_begun = r.parser && (buffered() > 0 || !r.parser->get().body().empty());
    return std::exchange(r.wants_continue, false) && !body_begun && !r.parser->is_done();
}

bool RequestReader::started() const { return impl_->parser.has_value() || buffered() > 0; }

size_t RequestReader::buffered() const { return impl_->input.size() - impl_->begin; }

int RequestReader::status() const {
    CHECK(impl_->status != 0, "not refused");
    return impl_->status;
}

const std::string& RequestReader::message() const { return impl_->message; }

}  // namespace fathom::http
