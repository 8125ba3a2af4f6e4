// Pieces of a reply put together, for tests.
#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "text/reply_parser.h"

namespace fathom::testing {

// What a client has of a reply that is not streamed.
struct WholeReply {
    std::string reasoning, content;
    std::vector<std::pair<std::string, std::string>> calls;  // name, arguments

    bool operator==(const WholeReply&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const WholeReply& reply) {
    out << "reasoning [" << reply.reasoning << "] content [" << reply.content << "]";
    for (const auto& [name, arguments] : reply.calls) out << " " << name << " " << arguments;
    return out;
}

// CHECKs the order: calls are counted, and a call's pieces come before the next call.
inline WholeReply whole(const std::vector<ReplyPiece>& pieces) {
    using Kind = ReplyPiece::Kind;
    WholeReply reply;
    for (const ReplyPiece& piece : pieces) {
        const bool of_call = piece.kind == Kind::call_begin || piece.kind == Kind::call_arguments;
        if (piece.kind == Kind::call_begin) reply.calls.emplace_back(piece.text, "");
        CHECK(!piece.text.empty(), "an empty piece");
        CHECK(piece.call == (of_call ? static_cast<int>(reply.calls.size()) - 1 : -1), piece.call);
        CHECK(piece.kind != Kind::reasoning || (reply.content.empty() && reply.calls.empty()),
              "the thought comes late: ", piece.text);
        switch (piece.kind) {
            case Kind::reasoning: reply.reasoning += piece.text; break;
            case Kind::content: reply.content += piece.text; break;
            case Kind::call_begin: break;
            case Kind::call_arguments: reply.calls.back().second += piece.text; break;
        }
    }
    return reply;
}

}  // namespace fathom::testing
