#include "text/raw_reply.h"

#include <algorithm>

namespace fathom {

RawReply::RawReply(const Tokenizer& tokenizer, Options options)
    : tokenizer_(tokenizer),
      skip_special_(options.skip_special),
      visible_(options.visible),
      think_(tokenizer.added_token("<think>")),
      think_end_(tokenizer.added_token("</think>")),
      detokenizer_(tokenizer),
      stops_(std::move(options.stop), options.include_stop),
      may_lead_(options.in_reasoning) {}

bool RawReply::is_hidden(Token token) {
    const bool leads = std::exchange(may_lead_, false);
    if (token == tokenizer_.eos() || (leads && token == think_)) return true;
    return skip_special_ && token != visible_ && tokenizer_.is_special(token);
}

void RawReply::push(Token token, bool may_stop, std::vector<Part>& parts) {
    if (is_hidden(token)) return;
    const std::string text = detokenizer_.push(token);
    read_ += text.size();
    // All ASCII, so that it is whole at once, whatever was held back before.
    if (token == think_end_)
        thoughts_.push_back({read_ - tokenizer_.token_bytes(token).size(), read_});
    show(stops_.push(text, may_stop), parts);
}

void RawReply::finish(std::vector<Part>& parts) {
    if (!stopped()) {
        const std::string text = detokenizer_.flush();
        read_ += text.size();
        show(stops_.push(text, false), parts);
        show(stops_.flush(), parts);
    }
    thoughts_.clear();
}

// Cuts the text at the ends of thoughts. One of which only a part comes out (a stop string began in
// it) does not come out at all.
void RawReply::show(std::string_view text, std::vector<Part>& parts) {
    while (!text.empty()) {
        const bool marked = !thoughts_.empty();
        const size_t begin = marked ? thoughts_.front().begin : read_;
        if (shown_ < begin) {
            const size_t size = std::min(text.size(), begin - shown_);
            parts.push_back({false, std::string(text.substr(0, size))});
            text.remove_prefix(size);
            shown_ += size;
            continue;
        }
        const Mark mark = thoughts_.front();
        const size_t size = std::min(text.size(), mark.end - shown_);
        text.remove_prefix(size);
        shown_ += size;
        if (shown_ < mark.end) return;
        parts.push_back({true, std::string(tokenizer_.token_bytes(*think_end_))});
        thoughts_.pop_front();
    }
}

}  // namespace fathom
