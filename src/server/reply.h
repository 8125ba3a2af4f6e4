#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/error.h"
#include "engine/request.h"
#include "http/exchange.h"

namespace fathom {

// One answer under way: what the client of one exchange asked for, and how it is told what the
// engine makes of it. One kind per endpoint. Made on a worker, used on the I/O thread.
class Reply {
public:
    virtual ~Reply() = default;

    // What the engine is to do: a request per choice, in the order of the choices, without ids.
    // Once only.
    virtual std::vector<Request> take_requests() = 0;
    // None: the caller draws one for all choices.
    virtual std::optional<uint64_t> seed() const = 0;

    // The engine has taken all requests.
    virtual void begin(http::Exchange& http) = 0;
    // What a step added to a choice. True when the choice has ended, which may be before the engine
    // says so; nothing more is given to it then.
    virtual bool take(int64_t choice, TokenEvent event, http::Exchange& http) = 0;
    // All choices have ended.
    virtual void finish(http::Exchange& http) = 0;
    // The answer cannot be completed; it may have begun.
    virtual void fail(http::Exchange& http, const api::RequestError& error) = 0;
};

using ReplyOrError = std::variant<std::unique_ptr<Reply>, api::RequestError>;

// What a body does not say.
struct RequestInfo {
    std::string id;  // X-Request-Id; empty: none
};

// Answers with the error of the request, in the form of the API that its path belongs to.
void refuse(http::Exchange& http, const api::RequestError& error);

// prefix + the client's own id (header, then body), or 32 hex digits.
std::string answer_id(const char* prefix, const RequestInfo& info, const std::string& in_body);

// Ends an answer of OpenAI's form that cannot be completed: where its events have begun (stream),
// with the error as an event and "[DONE]".
void fail_answer(http::Exchange& http, const api::RequestError& error, bool stream);

// So many random hex digits.
std::string random_hex(int digits);

// "stop", "length", "abort", "error"; "" for none.
const char* name_of(FinishReason reason);

}  // namespace fathom
