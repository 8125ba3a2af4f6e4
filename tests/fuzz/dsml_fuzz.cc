// Raw replies. The first byte chooses the options, the second where the text is cut; then comes the
// schema of function `f` up to a newline, and the reply. However it is cut, the same comes out, and
// arguments are JSON.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "text/dsml_parser.h"
#include "text/python_json.h"
#include "text/reply_parser.h"
#include "text/reply_testing.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using testing::whole;
using testing::WholeReply;

const Tokenizer& small_tokenizer() {
    static const Tokenizer kSmall = [] {
        const auto folder =
            std::filesystem::path(__FILE__).parent_path() / "../golden/tokenizer/small";
        return Tokenizer::open(folder).value();
    }();
    return kSmall;
}

void check_calls(const WholeReply& reply) {
    for (const auto& [name, arguments] : reply.calls) {
        Result<PythonValue> value = python_loads(arguments);
        CHECK(value.ok() && value.value().is(PythonValue::Kind::object), arguments);
    }
}

WholeReply parsed(const std::vector<Tool>& tools, std::string_view text, size_t step,
                  ReplyPiece::Kind plain) {
    DsmlParser parser(tools, plain);
    std::vector<ReplyPiece> pieces;
    for (size_t at = 0; at < text.size(); at += step) parser.push(text.substr(at, step), pieces);
    parser.finish(pieces);
    return whole(pieces);
}

WholeReply read(const ReplyParserOptions& options, const std::vector<Token>& tokens) {
    ReplyParser parser(small_tokenizer(), options);
    std::vector<ReplyPiece> pieces;
    for (const Token token : tokens) {
        parser.push(token, true, pieces);
        if (parser.stopped()) break;
    }
    parser.finish(pieces);
    for (const ReplyPiece& piece : pieces)
        CHECK(to_valid_utf8(piece.text) == piece.text, "half a character");
    return whole(pieces);
}

// The same text, each byte that is in no added token as its own.
std::vector<Token> bytewise(const std::vector<Token>& tokens) {
    const Tokenizer& tokenizer = small_tokenizer();
    std::vector<Token> out;
    for (const Token token : tokens) {
        const std::string_view bytes = tokenizer.token_bytes(token);
        if (tokenizer.added_token(bytes) == token)
            out.push_back(token);
        else
            for (const char& byte : bytes) out.push_back(tokenizer.encode({&byte, 1})[0]);
    }
    return out;
}

}  // namespace
}  // namespace fathom

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    using namespace fathom;
    if (size < 2) return 0;
    const std::string_view data(reinterpret_cast<const char*>(bytes) + 2, size - 2);
    const std::string_view schema = data.substr(0, data.find('\n'));
    const std::string text = to_valid_utf8(data.substr(std::min(data.size(), schema.size() + 1)));
    const std::vector<Tool> tools = {{.name = "f", .parameters = std::string(schema)}};

    const auto plain = bytes[0] & 1 ? ReplyPiece::Kind::reasoning : ReplyPiece::Kind::content;
    const WholeReply once = parsed(tools, text, text.size() + 1, plain);
    check_calls(once);
    CHECK(once == parsed(tools, text, 1 + bytes[1], plain), "cut at ", 1 + bytes[1]);
    CHECK(once == parsed(tools, text, 1, plain), "cut at every byte");

    ReplyParserOptions options{.in_reasoning = (bytes[0] & 1) != 0,
                               .parse_calls = (bytes[0] & 2) != 0,
                               .tools = tools,
                               .include_stop_str_in_output = (bytes[0] & 4) != 0,
                               .skip_special_tokens = (bytes[0] & 8) != 0};
    if ((bytes[0] & 16) != 0) options.stop = {"stop", "</"};
    const std::vector<Token> tokens = small_tokenizer().encode(text);
    const WholeReply reply = read(options, tokens);
    check_calls(reply);
    // Of several stop strings in one token the first of the list counts, whichever ends earlier.
    if (options.stop.empty()) CHECK(reply == read(options, bytewise(tokens)), text);
    return 0;
}
