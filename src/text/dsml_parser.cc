#include "text/dsml_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "text/json_value.h"

namespace fathom {
namespace {

using Kind = ReplyPiece::Kind;

constexpr std::string_view kBlock = "<｜DSML｜function_calls>";
constexpr std::string_view kSeparatedBlock = "\n\n<｜DSML｜function_calls>";
constexpr std::string_view kBlockEnd = "</｜DSML｜function_calls>";
constexpr std::string_view kInvoke = "<｜DSML｜invoke";
constexpr std::string_view kInvokeEnd = "</｜DSML｜invoke>";
constexpr std::string_view kParameter = "<｜DSML｜parameter";
constexpr std::string_view kParameterEnd = "</｜DSML｜parameter>";

constexpr size_t kTagMax = 4096;  // Bytes of a tag's attributes: what else may be held back.

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool begins(std::string_view text, std::string_view whole) { return whole.starts_with(text); }

// The value of an attribute in ` name="value" ...`; none where it is missing or the text is no
// list of attributes.
std::optional<std::string> attribute(std::string_view tag, std::string_view wanted) {
    std::optional<std::string> found;
    while (true) {
        const size_t begin = tag.find_first_not_of(" \t\r\n");
        if (begin == tag.npos) return found;
        if (begin == 0) return std::nullopt;  // A blank stands before each.
        tag.remove_prefix(begin);
        const size_t equals = tag.find('=');
        if (equals == tag.npos || !tag.substr(equals + 1).starts_with('"')) return std::nullopt;
        const size_t end = tag.find('"', equals + 2);
        if (end == tag.npos) return std::nullopt;
        if (tag.substr(0, equals) == wanted)
            found = std::string(tag.substr(equals + 2, end - equals - 2));
        tag.remove_prefix(end + 1);
    }
}

}  // namespace

DsmlParser::DsmlParser(std::vector<Tool> tools, Kind plain)
    : tools_(std::move(tools)), plain_(plain) {}

void DsmlParser::push(std::string_view text, std::vector<ReplyPiece>& pieces) {
    out_ = &pieces;
    first_ = pieces.size();
    while (!text.empty()) {
        // What can begin nothing goes through in one piece.
        size_t through = 0;
        if (held_.empty() && state_ == State::plain && !(blank_ && plain_ == Kind::content))
            through = std::min(text.find_first_of("<\n"), text.size());
        if (held_.empty() && state_ == State::value)
            through = std::min(text.find('<'), text.size());
        if (through == 0) {
            take(text[0]);
            text.remove_prefix(1);
            continue;
        }
        const std::string_view passed = text.substr(0, through);
        state_ == State::plain ? emit_plain(passed) : write_value(passed);
        text.remove_prefix(through);
    }
}

void DsmlParser::finish(std::vector<ReplyPiece>& pieces) {
    out_ = &pieces;
    first_ = pieces.size();
    flush_plain();
    switch (state_) {
        case State::plain:
        case State::block:
        case State::invoke: break;
        case State::value:
            // More of it was on its way to the closing tag, and is no part of the value.
            if (held_ == "<" || held_ == "</") write_value(held_);
            end_parameter();
            end_call();
            break;
        case State::arguments:
        case State::parameter: end_call(); break;
    }
    held_.clear();
    block_.clear();
    state_ = State::plain;
    emit(plain_, std::exchange(blanks_, {}));
}

// Behind a call, what begins the next one or ends the block is no text when the reply is cut there.
bool DsmlParser::cut_markup() const {
    if (!open_block_) return false;
    return state_ == State::invoke || begins(held_, kInvoke) || begins(held_, kBlockEnd);
}

void DsmlParser::begin_content(std::vector<ReplyPiece>& pieces) {
    CHECK(plain_ == Kind::reasoning, "the thought was over before");
    out_ = &pieces;
    first_ = pieces.size();
    flush_plain();
    plain_ = Kind::content;
}

void DsmlParser::take(char byte) {
    switch (state_) {
        case State::plain: held_ += byte; return take_plain();
        case State::block: return take_block(byte);
        case State::invoke: return take_invoke(byte);
        case State::arguments: held_ += byte; return take_arguments();
        case State::parameter: return take_parameter(byte);
        case State::value: held_ += byte; return take_value();
    }
}

// Each of these three looks at held_: done if it has become a line or may still become one, else
// its first byte is what it is.
void DsmlParser::take_plain() {
    while (!held_.empty()) {
        if (held_ == kBlock || held_ == kSeparatedBlock) {
            block_ = std::exchange(held_, {});
            state_ = State::block;
            return;
        }
        if (open_block_ && held_ == kInvoke) {
            block_ = std::exchange(held_, {});
            return begin_tag(State::invoke);
        }
        if (open_block_ && held_ == kBlockEnd) {
            held_.clear();
            open_block_ = false;
            return;
        }
        if (begins(held_, kBlock) || begins(held_, kSeparatedBlock)) return;
        if (open_block_ && (begins(held_, kInvoke) || begins(held_, kBlockEnd))) return;
        emit_plain(std::string_view(held_).substr(0, 1));
        held_.erase(0, 1);
    }
}

void DsmlParser::take_arguments() {
    while (!held_.empty()) {
        if (held_ == kParameter) return begin_tag(State::parameter);
        if (held_ == kInvokeEnd || held_ == kBlockEnd) {
            open_block_ = std::exchange(held_, {}) == kInvokeEnd;
            state_ = State::plain;
            return end_call();
        }
        if (held_ == kInvoke) {  // The last one was not closed.
            end_call();
            block_ = std::exchange(held_, {});
            return begin_tag(State::invoke);
        }
        if (begins(held_, kParameter) || begins(held_, kInvokeEnd) || begins(held_, kBlockEnd) ||
            begins(held_, kInvoke))
            return;
        held_.erase(0, 1);
    }
}

void DsmlParser::take_value() {
    while (!held_.empty()) {
        if (held_ == kParameterEnd) {
            held_.clear();
            state_ = State::arguments;
            return end_parameter();
        }
        if (begins(held_, kParameterEnd)) return;
        write_value(std::string_view(held_).substr(0, 1));
        held_.erase(0, 1);
    }
}

void DsmlParser::take_block(char byte) {
    block_ += byte;
    if (held_.empty() && is_blank(byte)) return;
    held_ += byte;
    if (held_ == kInvoke) {
        begin_tag(State::invoke);
    } else if (!begins(held_, kInvoke)) {
        no_block();
    }
}

void DsmlParser::begin_tag(State state) {
    state_ = state;
    held_.clear();
    tag_.clear();
    quoted_ = false;
}

void DsmlParser::take_invoke(char byte) {
    block_ += byte;
    if (byte == '"') quoted_ = !quoted_;
    if (byte != '>' || quoted_) {
        tag_ += byte;
        if (!is_blank(tag_[0]) || tag_.size() > kTagMax) no_block();
        return;
    }
    const std::optional<std::string> name = attribute(tag_, "name");
    if (!name || name->empty()) return no_block();
    state_ = State::arguments;
    begin_call(*name);
}

void DsmlParser::take_parameter(char byte) {
    if (byte == '"') quoted_ = !quoted_;
    if (byte != '>' || quoted_) {
        tag_ += byte;
        if (tag_.size() > kTagMax) state_ = State::arguments;
        return;
    }
    const std::optional<std::string> name = attribute(tag_, "name");
    state_ = name ? State::value : State::arguments;
    if (name) begin_parameter(*name, attribute(tag_, "string") != "false");
}

// What looked like a block is plain text, though another one may begin within it.
void DsmlParser::no_block() {
    const std::string text = std::exchange(block_, {});
    held_.clear();
    state_ = State::plain;
    const size_t marker = text.find('<');
    const size_t end = text.starts_with(kInvoke) ? kInvoke.size() : marker + kBlock.size();
    emit_plain(text.substr(0, end));
    for (const char byte : text.substr(end)) take(byte);
}

// A call may stand in what looked like another one, and may still be open afterwards.
void DsmlParser::flush_plain() {
    while ((state_ == State::block || state_ == State::invoke) && !cut_markup()) no_block();
    if (state_ == State::plain && !cut_markup()) emit_plain(std::exchange(held_, {}));
}

void DsmlParser::begin_call(const std::string& name) {
    blanks_.clear();
    blank_ = true;
    plain_ = Kind::content;
    open_block_ = true;
    block_.clear();
    const auto tool = std::find_if(tools_.begin(), tools_.end(),
                                   [&](const Tool& known) { return known.name == name; });
    types_ = ArgumentTypes(tool == tools_.end() ? "" : tool->parameters);
    seen_ = written_ = 0;
    emit(Kind::call_begin, name, calls_++);
}

void DsmlParser::begin_parameter(std::string key, bool is_string) {
    const bool may_wrap = seen_++ == 0 && types_.may_wrap(key);
    write_wrapper();  // It is not alone.
    parameter_ = {.key = std::move(key), .is_string = is_string};
    has_wrapper_ = may_wrap;
    if (may_wrap) return;
    parameter_.streams = is_string && types_.stays_text(parameter_.key);
    if (parameter_.streams) write_member(parameter_.key, "\"");
}

void DsmlParser::write_value(std::string_view text) {
    if (!parameter_.streams) {
        parameter_.value += text;
        return;
    }
    std::string escaped;
    append_json_escaped(escaped, text);
    emit(Kind::call_arguments, escaped, calls_ - 1);
}

void DsmlParser::end_parameter() {
    if (parameter_.streams) return emit(Kind::call_arguments, "\"", calls_ - 1);
    if (has_wrapper_) {
        wrapper_ = std::move(parameter_);
        return;
    }
    write_member(parameter_.key,
                 types_.to_json(parameter_.key, parameter_.value, parameter_.is_string));
}

// The first parameter, that had to wait.
void DsmlParser::write_wrapper() {
    if (!std::exchange(has_wrapper_, false)) return;
    const Parameter wrapper = std::exchange(wrapper_, {});
    const auto members = seen_ == 1 ? types_.unwrapped(wrapper.value) : std::nullopt;
    if (!members)
        return write_member(wrapper.key,
                            types_.to_json(wrapper.key, wrapper.value, wrapper.is_string));
    for (const auto& [name, json] : *members) write_member(name, json);
}

void DsmlParser::write_member(std::string_view key, std::string_view json) {
    const char* before = written_++ == 0 ? "{" : ", ";
    emit(Kind::call_arguments, str(before, json_quoted(key), ": ", json), calls_ - 1);
}

void DsmlParser::end_call() {
    write_wrapper();
    emit(Kind::call_arguments, written_ == 0 ? "{}" : "}", calls_ - 1);
}

void DsmlParser::emit_plain(std::string_view text) {
    if (blank_ && plain_ == Kind::content) {
        const size_t blanks =
            std::min(static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_blank) -
                                         text.begin()),
                     text.size());
        if (calls_ == 0) blanks_ += text.substr(0, blanks);
        text.remove_prefix(blanks);
        if (text.empty()) return;
        blank_ = false;
        emit(plain_, std::exchange(blanks_, {}));
    }
    emit(plain_, text);
}

void DsmlParser::emit(Kind kind, std::string_view text, int call) {
    if (text.empty() && kind != Kind::call_begin) return;
    if (out_->size() > first_ && kind != Kind::call_begin && out_->back().kind == kind &&
        out_->back().call == call) {
        out_->back().text += text;
        return;
    }
    out_->push_back({kind, std::string(text), call});
}

}  // namespace fathom
