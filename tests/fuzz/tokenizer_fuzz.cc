// The first byte says what the others are: tokenizer.json, tokenizer_config.json, an edit of a good
// tokenizer.json, or text that must come back through tokens, whole and as a stream.
#include <filesystem>
#include <string>

#include "base/file.h"
#include "text/detokenizer.h"
#include "text/stop_strings.h"
#include "text/tokenizer.h"
#include "text/tokenizer_file.h"
#include "text/utf8.h"

namespace fathom {
namespace {

const std::string& small_file(const char* name) {
    static const std::filesystem::path kFolder = FATHOM_SOURCE_DIR "/tests/golden/tokenizer/small";
    static const std::string kTokenizer = read_text(kFolder / "tokenizer.json", 1 << 20).value();
    static const std::string kConfig =
        read_text(kFolder / "tokenizer_config.json", 1 << 20).value();
    return std::string_view(name) == "tokenizer" ? kTokenizer : kConfig;
}

const Tokenizer& small_tokenizer() {
    static const Tokenizer kSmall =
        Tokenizer::parse(small_file("tokenizer"), small_file("config")).value();
    return kSmall;
}

// Two bytes say where the text is written over, so that what lies deep in the file is reached.
void parse_edited(std::string_view data) {
    if (data.size() < 2) return;
    std::string json = small_file("tokenizer");
    const size_t at = static_cast<uint8_t>(data[0]) * 256u + static_cast<uint8_t>(data[1]);
    json.replace(at % json.size(), data.size() - 2, data.substr(2));
    Result<Tokenizer> tokenizer = Tokenizer::parse(json, small_file("config"));
    if (!tokenizer.ok()) return;
    const std::string text = "The edited file still reads: 123 \n 你好<think>";
    CHECK(tokenizer.value().decode(tokenizer.value().encode(text)) == text, json);
}

void expect_back(std::string_view text) {
    const Tokenizer& tokenizer = small_tokenizer();
    for (const bool added : {true, false}) {
        const std::vector<Token> tokens = tokenizer.encode(text, {.added_tokens = added});
        CHECK(tokenizer.decode(tokens) == text, "of ", text.size(), " bytes");
        Detokenizer detokenizer(tokenizer);
        StopStrings stops({"</s>", "\n\n"}, added);
        std::string streamed, shown;
        for (const Token token : tokens) {
            const std::string part = detokenizer.push(token);
            CHECK(to_valid_utf8(part) == part, "half a character");
            streamed += part;
            if (!stops.matched()) shown += stops.push(part);
        }
        streamed += detokenizer.flush();
        CHECK(streamed == to_valid_utf8(text), "of ", text.size(), " bytes");
        CHECK(streamed.starts_with(shown), "shown: ", shown);
    }
}

}  // namespace
}  // namespace fathom

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    using namespace fathom;
    if (size == 0) return 0;
    const std::string_view data(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    switch (bytes[0] % 4) {
        case 0: static_cast<void>(parse_tokenizer(data).ok()); break;
        case 1: static_cast<void>(parse_tokenizer_config(data).ok()); break;
        case 2: parse_edited(data); break;
        default: expect_back(data); break;
    }
    return 0;
}
