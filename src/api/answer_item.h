#pragma once

#include <cstdint>
#include <string>

namespace fathom::api {

// A part of an answer that is told as a list: Responses' output items, Messages' content blocks.
struct AnswerItem {
    enum class Kind : uint8_t { thought, text, call };
    enum class State : uint8_t { open, complete, cut };  // cut: the answer ended inside
    Kind kind = Kind::text;
    State state = State::open;
    std::string text;           // Of a call: its arguments, a JSON object once it is complete.
    std::string name, call_id;  // call
};

}  // namespace fathom::api
