// A chat of about 64k tokens with tools: rendering and encoding its prompt, beside the tokenizer
// alone on the same text; and reading a long reply.
#include <benchmark/benchmark.h>

#include "text/chat_format.h"
#include "text/golden_chats.h"
#include "text/golden_tokenizers.h"
#include "text/reply_parser.h"

namespace fathom {
namespace {

constexpr size_t kTokens = 64 * 1024;

const Tokenizer& tokenizer() { return testing::golden_tokenizer("v32"); }

// The checkpoint's search chat, of 18k tokens, over and over.
const Conversation& chat() {
    static const Conversation kChat = [] {
        const Conversation once =
            testing::conversation_of(testing::golden_chat_text("test_input_search_wo_date.json"));
        Conversation chat;
        chat.thinking = true;
        size_t tokens = 0;
        while (tokens < kTokens) {
            for (const ChatMessage& message : once.messages) chat.messages.push_back(message);
            const ChatFormat format;
            tokens = format.encode(tokenizer(), format.render(chat).value()).size();
        }
        return chat;
    }();
    return kChat;
}

void count(benchmark::State& state, size_t tokens) {
    state.counters["tokens"] = static_cast<double>(tokens);
    state.counters["tokens_per_s"] = benchmark::Counter(
        static_cast<double>(tokens), benchmark::Counter::kIsIterationInvariantRate);
}

void render(benchmark::State& state) {
    const Conversation& conversation = chat();
    const ChatFormat format({.developer_role = ChatFormatOptions::DeveloperRole::official});
    for (auto _ : state) benchmark::DoNotOptimize(format.render(conversation).value());
}
BENCHMARK(render)->Unit(benchmark::kMillisecond);

void render_and_encode(benchmark::State& state) {
    const Conversation& conversation = chat();
    const ChatFormat format({.developer_role = ChatFormatOptions::DeveloperRole::official});
    size_t tokens = 0;
    for (auto _ : state)
        tokens = format.encode(tokenizer(), format.render(conversation).value()).size();
    count(state, tokens);
}
BENCHMARK(render_and_encode)->Unit(benchmark::kMillisecond);

void tokenizer_alone(benchmark::State& state) {
    const ChatFormat format({.developer_role = ChatFormatOptions::DeveloperRole::official});
    const std::string text = format.render(chat()).value().text;
    size_t tokens = 0;
    for (auto _ : state) tokens = tokenizer().encode(text).size();
    count(state, tokens);
}
BENCHMARK(tokenizer_alone)->Unit(benchmark::kMillisecond);

// A thought, an answer and a call with a long string, stop strings on.
void read_reply(benchmark::State& state) {
    const std::string text = testing::golden_chat_text("LICENSE");
    std::string reply;
    for (int i = 0; i < 20; ++i) reply += text;
    reply +=
        "</think>" + reply +
        "\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"k\" "
        "string=\"true\">" +
        reply + "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>";
    const std::vector<Token> tokens = tokenizer().encode(reply);
    std::vector<ReplyPiece> pieces;
    for (auto _ : state) {
        ReplyParser parser(tokenizer(), {.in_reasoning = true,
                                         .parse_calls = state.range(0) != 0,
                                         .stop = {"Question:", "<|im_end|>"}});
        for (const Token token : tokens) {
            pieces.clear();
            parser.push(token, true, pieces);
            benchmark::DoNotOptimize(pieces.size());
        }
        parser.finish(pieces);
    }
    count(state, tokens.size());
}
BENCHMARK(read_reply)->ArgName("calls")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fathom
