#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/reply.h"

namespace fathom {

// An answer that is known when it is asked for, and needs no engine.
class KnownReply final : public Reply {
public:
    explicit KnownReply(std::string json) : json_(std::move(json)) {}

    std::vector<Request> take_requests() override { return {}; }
    std::optional<uint64_t> seed() const override { return 0; }
    void begin(http::Exchange&) override {}
    bool take(int64_t, TokenEvent, http::Exchange&) override { return true; }
    void finish(http::Exchange& http) override { http.reply(200, "application/json", json_); }
    void fail(http::Exchange& http, const api::RequestError& error) override {
        refuse(http, error);
    }

private:
    const std::string json_;
};

}  // namespace fathom
