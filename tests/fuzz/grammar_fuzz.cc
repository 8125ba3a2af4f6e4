// The first byte says what the others are: a JSON schema, an expression, a grammar, choices or the
// parameters of a strict tool. Whatever the bytes: an error of one line, or a constraint that never
// leaves the engine without a token.
#include <string>

#include "text/grammar.h"

namespace fathom {
namespace {

constexpr Token kEnd = 1;

const Tokenizer& tokenizer() {
    static const Tokenizer kSmall =
        Tokenizer::open(FATHOM_SOURCE_DIR "/tests/golden/tokenizer/small").value();
    return kSmall;
}

GrammarSpec spec_of(char kind, std::string text) {
    using Kind = GrammarSpec::Kind;
    switch (kind % 5) {
        case 0: return {.kind = Kind::json_schema, .text = std::move(text)};
        case 1: return {.kind = Kind::regex, .text = std::move(text)};
        case 2: return {.kind = Kind::ebnf, .text = std::move(text)};
        case 3: return {.kind = Kind::choice, .choices = {text, text.substr(text.size() / 2)}};
        default:
            return {.kind = Kind::calls,
                    .tools = {{.name = "f", .parameters = std::move(text), .strict = true}}};
    }
}

void draw(TokenConstraint& constraint, std::string_view choices) {
    std::vector<uint32_t> bits((tokenizer().vocab_size() + 31) / 32);
    for (int step = 0; step < 24; ++step) {
        constraint.allowed(bits);
        const auto from = static_cast<Token>(
            static_cast<uint8_t>(choices[static_cast<size_t>(step) % choices.size()]) * 2);
        Token next = -1;
        for (Token i = 0; i < tokenizer().vocab_size() && next < 0; ++i) {
            const auto token = static_cast<Token>((from + i) % tokenizer().vocab_size());
            if (bits[token / 32] >> token % 32 & 1) next = token;
        }
        CHECK(next >= 0, "nothing may come after ", step, " tokens");
        constraint.accept(next);
        if (next == kEnd) return;
    }
}

}  // namespace
}  // namespace fathom

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    using namespace fathom;
    if (size < 2 || size > 4096) return 0;
    const std::string text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    // A new one each time: what is cached would hide what an input costs.
    GrammarCompiler compiler(tokenizer(), {kEnd}, tokenizer().vocab_size());
    const GrammarSpec spec = spec_of(static_cast<char>(bytes[0] & 0x7f), text);
    auto constraint = compiler.compile(spec, {});
    if (constraint.ok()) {
        draw(*constraint.value(), text);
        return 0;
    }
    const std::string& message = constraint.error().message;
    CHECK(!message.empty() && message.size() < 4096 && message.find('\n') == message.npos, message);
    CHECK(message.find(".cc:") == message.npos, "a place in a library's source: ", message);
    return 0;
}
