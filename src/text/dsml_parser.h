#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/argument_types.h"
#include "text/conversation.h"
#include "text/reply_parser.h"

namespace fathom {

// Finds the calls in the text of a reply: blocks
//
//   <｜DSML｜function_calls>
//   <｜DSML｜invoke name="NAME">
//   <｜DSML｜parameter name="KEY" string="true|false">VALUE</｜DSML｜parameter>
//   </｜DSML｜invoke>
//   </｜DSML｜function_calls>
//
// Reads byte after byte, so that what comes out does not depend on how the text is cut; a byte is
// held back only while it may begin one of these lines. What turns out to be no block is plain
// text, unchanged. docs/chat.md says what becomes of every malformed block.
class DsmlParser {
public:
    // The schemas of `tools` type the arguments. Plain text is of the kind `plain` until the first
    // call or begin_content(), and content from then on.
    DsmlParser(std::vector<Tool> tools, ReplyPiece::Kind plain);

    // Appends what is certain now; a piece ends between characters if the text does.
    void push(std::string_view text, std::vector<ReplyPiece>& pieces);
    // The end of the text: what was held back, and what is missing of a call's JSON.
    void finish(std::vector<ReplyPiece>& pieces);

    // The thought is over: what was held back is part of it.
    void begin_content(std::vector<ReplyPiece>& pieces);

    ReplyPiece::Kind plain() const { return plain_; }
    bool in_value() const { return state_ == State::value; }
    int calls() const { return calls_; }
    // A call has begun, and its end has not come.
    bool call_open() const { return state_ >= State::arguments; }

private:
    enum class State { plain, block, invoke, arguments, parameter, value };
    // A value on its way into a call's JSON.
    struct Parameter {
        std::string key;
        bool is_string = false;
        bool streams = false;  // Written as it comes.
        std::string value;     // Of one that is written at its end.
    };

    void take(char byte);
    void take_plain();
    void take_block(char byte);
    void take_invoke(char byte);
    void take_arguments();
    void take_parameter(char byte);
    void take_value();

    void begin_tag(State state);
    bool cut_markup() const;
    void no_block();
    void flush_plain();
    void begin_call(const std::string& name);
    void begin_parameter(std::string key, bool is_string);
    void write_value(std::string_view text);
    void end_parameter();
    void write_wrapper();
    void write_member(std::string_view key, std::string_view json);
    void end_call();

    void emit_plain(std::string_view text);
    void emit(ReplyPiece::Kind kind, std::string_view text, int call = -1);

    const std::vector<Tool> tools_;

    ReplyPiece::Kind plain_;
    State state_ = State::plain;
    bool open_block_ = false;  // A call has come, and no end of its block.
    std::string held_;         // Begins what it may become: a line of the above.
    std::string block_;        // What becomes plain text if no call comes of it.
    std::string tag_;          // The attributes of the tag that is being read.
    bool quoted_ = false;      // In a quoted one of them.

    // Of the call that is open.
    int calls_ = 0;
    ArgumentTypes types_{""};
    int seen_ = 0, written_ = 0;  // parameters
    Parameter parameter_;
    bool has_wrapper_ = false;  // wrapper_ is the first one, and may hold all arguments.
    Parameter wrapper_;

    // Content so far is blank: held back, dropped if a call follows. Behind a call blanks are
    // dropped at once.
    bool blank_ = true;
    std::string blanks_;

    std::vector<ReplyPiece>* out_ = nullptr;  // while one of the public functions runs
    size_t first_ = 0;                        // the pieces before this one are older
};

}  // namespace fathom
