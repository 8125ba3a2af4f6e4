#include "text/reply_parser.h"

#include <utility>

#include "text/dsml_parser.h"
#include "text/raw_reply.h"

namespace fathom {
namespace {

using Kind = ReplyPiece::Kind;

constexpr const char* kDsmlToken = "｜DSML｜";

RawReply::Options raw_options(const Tokenizer& tokenizer, const ReplyParserOptions& options) {
    return {.stop = options.stop,
            .include_stop = options.include_stop_str_in_output,
            .skip_special = options.skip_special_tokens,
            .visible = options.parse_calls ? tokenizer.added_token(kDsmlToken) : std::nullopt,
            .in_reasoning = options.in_reasoning};
}

}  // namespace

struct ReplyParser::Impl {
    Impl(const Tokenizer& tokenizer, ReplyParserOptions options)
        : raw(tokenizer, raw_options(tokenizer, options)),
          parse_calls(options.parse_calls),
          kind(options.in_reasoning ? Kind::reasoning : Kind::content),
          dsml(std::move(options.tools), kind) {}

    void take(std::vector<RawReply::Part>& parts, std::vector<ReplyPiece>& pieces) {
        for (RawReply::Part& part : parts) {
            if (part.is_think_end && !in_value()) {
                end_thought(pieces);
            } else if (parse_calls) {
                dsml.push(part.text, pieces);
            } else {
                pieces.push_back({.kind = kind, .text = std::move(part.text)});
            }
        }
        parts.clear();
    }

    // A call's value may speak of </think>.
    bool in_value() const { return parse_calls && dsml.in_value(); }

    // In an answer, where no thought can end, the token is lost.
    void end_thought(std::vector<ReplyPiece>& pieces) {
        if (parse_calls && dsml.plain() == Kind::reasoning) dsml.begin_content(pieces);
        kind = Kind::content;
    }

    RawReply raw;
    const bool parse_calls;
    Kind kind;        // of what comes, where no calls are parsed
    DsmlParser dsml;  // used only where they are
    std::vector<RawReply::Part> parts;
};

ReplyParser::ReplyParser(const Tokenizer& tokenizer, ReplyParserOptions options)
    : impl_(std::make_unique<Impl>(tokenizer, std::move(options))) {}
ReplyParser::~ReplyParser() = default;
ReplyParser::ReplyParser(ReplyParser&&) noexcept = default;

void ReplyParser::push(Token token, bool may_stop, std::vector<ReplyPiece>& pieces) {
    impl_->raw.push(token, may_stop, impl_->parts);
    impl_->take(impl_->parts, pieces);
}

void ReplyParser::finish(std::vector<ReplyPiece>& pieces) {
    impl_->raw.finish(impl_->parts);
    impl_->take(impl_->parts, pieces);
    if (impl_->parse_calls) impl_->dsml.finish(pieces);
}

const std::optional<std::string>& ReplyParser::stopped() const { return impl_->raw.stopped(); }

int ReplyParser::calls() const { return impl_->dsml.calls(); }

bool ReplyParser::call_open() const { return impl_->parse_calls && impl_->dsml.call_open(); }

}  // namespace fathom
