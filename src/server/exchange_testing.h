// Answers without a server: a reply is given the tokens of a script, and what it sends is kept.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/reply.h"
#include "server/served_model.h"
#include "text/golden_tokenizers.h"

namespace fathom::testing {

class RecordedExchange final : public http::Exchange {
public:
    struct Event {
        std::string name, data;
    };

    explicit RecordedExchange(std::string path) : request_{.method = "POST", .path = path} {}

    uint64_t id() const override { return 1; }
    const http::Request& request() const override { return request_; }
    const std::string& peer() const override { return peer_; }
    std::string take_body() override { return ""; }
    void reply(int status, std::string_view, std::string_view body,
               const std::vector<http::Header>&) override {
        CHECK(!streamed_ && status_ == 0, "a second answer");
        status_ = status;
        body_ = body;
    }
    void begin_events(const std::vector<http::Header>&) override {
        CHECK(!streamed_ && status_ == 0, "a second answer");
        streamed_ = true;
    }
    void send_event(std::string_view data, std::string_view name) override {
        CHECK(streamed_ && !ended_, "an event outside of a stream");
        events_.push_back({std::string(name), std::string(data)});
    }
    void end_events() override {
        CHECK(streamed_ && !ended_, "a second end");
        ended_ = true;
    }

    int status() const { return status_; }
    const std::string& body() const { return body_; }
    const std::vector<Event>& events() const { return events_; }
    bool ended() const { return ended_; }

private:
    const http::Request request_;
    const std::string peer_ = "unix";
    int status_ = 0;
    std::string body_;
    std::vector<Event> events_;
    bool streamed_ = false, ended_ = false;
};

// What the engine makes of a request.
struct Script {
    std::string text;
    FinishReason finish = FinishReason::stop;  // Where no stop string ends it before.
    int cached_tokens = 0;
    size_t tokens_per_step = 1;
};

inline const Tokenizer& script_tokenizer() { return golden_tokenizer("small"); }

inline ServedModel scripted_model() {
    return {.names = {"tiny"},
            .tokenizer = &script_tokenizer(),
            .vocab_size = static_cast<int64_t>(script_tokenizer().vocab_size()),
            .max_model_len = 4096};
}

inline std::vector<TokenEvent> events_of(const Script& script) {
    std::vector<Token> tokens = script_tokenizer().encode(script.text);
    if (script.finish == FinishReason::stop) tokens.push_back(1);
    std::vector<TokenEvent> events;
    for (size_t i = 0; i < tokens.size(); i += script.tokens_per_step) {
        const size_t end = std::min(i + script.tokens_per_step, tokens.size());
        events.push_back({.tokens = {tokens.begin() + static_cast<int64_t>(i),
                                     tokens.begin() + static_cast<int64_t>(end)},
                          .cached_tokens = script.cached_tokens});
    }
    if (script.finish == FinishReason::abort) events.push_back({});
    events.back().finish = script.finish;
    return events;
}

using Prepare = ReplyOrError (*)(const ServedModel&, const std::string& body, const RequestInfo&);

// As GenerationHandler does it.
inline RecordedExchange answered(Prepare prepare, const std::string& path, const std::string& body,
                                 const Script& script,
                                 const ServedModel& model = scripted_model()) {
    RecordedExchange http(path);
    ReplyOrError prepared = prepare(model, body, {.id = "1"});
    if (const auto* error = std::get_if<api::RequestError>(&prepared)) {
        refuse(http, *error);
        return http;
    }
    Reply& reply = *std::get<std::unique_ptr<Reply>>(prepared);
    const bool needs_engine = !reply.take_requests().empty();
    reply.begin(http);
    if (needs_engine)
        for (TokenEvent& event : events_of(script)) {
            if (event.finish == FinishReason::error) {
                reply.fail(http, api::error_of_status(500, "the engine failed"));
                return http;
            }
            if (reply.take(0, std::move(event), http)) break;
        }
    reply.finish(http);
    return http;
}

// With the random part of the ids of calls as 0, 1, ... in the order of their first appearance:
// what is left does not change from run to run.
inline std::string with_plain_ids(std::string text, const std::string& prefix) {
    constexpr size_t kDigits = 24;
    std::vector<std::string> seen;
    const std::string before = "\"" + prefix;
    for (size_t at = text.find(before); at != text.npos; at = text.find(before, at + 1)) {
        const std::string id = text.substr(at + before.size(), kDigits);
        if (id.find('"') != id.npos) continue;
        auto found = std::ranges::find(seen, id);
        if (found == seen.end()) found = seen.insert(found, id);
        text.replace(at + before.size(), kDigits, std::to_string(found - seen.begin()));
    }
    return text;
}

}  // namespace fathom::testing
