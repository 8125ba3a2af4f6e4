#include "text/tokenizer.h"

#include "base/file.h"
#include "text/tokenizer_file.h"

namespace fathom {
namespace {

constexpr int64_t kFileBytesMax = 256 << 20;  // V3's tokenizer.json has 8 MB

AddedTokens added_tokens_of(const TokenizerFile& file) {
    std::vector<AddedTokens::Entry> entries;
    for (const TokenizerFile::Added& added : file.added)
        entries.push_back({added.content, added.token});
    return AddedTokens(std::move(entries));
}

Result<std::string> read_file(const std::filesystem::path& path) {
    Result<std::string> text = read_text(path, kFileBytesMax);
    if (!text.ok() && text.error().code == Code::not_found)
        return Error{Code::not_found, str(path.string(), " is missing: a checkpoint folder holds ",
                                          "its tokenizer, copy the file there")};
    return text;
}

}  // namespace

Result<Tokenizer> Tokenizer::open(const std::filesystem::path& folder) {
    Result<std::string> tokenizer_json = read_file(folder / "tokenizer.json");
    if (!tokenizer_json.ok()) return std::move(tokenizer_json).error();
    Result<std::string> config_json = read_file(folder / "tokenizer_config.json");
    if (!config_json.ok()) return std::move(config_json).error();
    Result<Tokenizer> tokenizer = parse(tokenizer_json.value(), config_json.value());
    if (!tokenizer.ok()) return std::move(tokenizer).error().in(folder.string());
    return tokenizer;
}

Result<Tokenizer> Tokenizer::parse(std::string_view tokenizer_json, std::string_view config_json) {
    Result<TokenizerFile> file = parse_tokenizer(tokenizer_json);
    if (!file.ok()) return std::move(file).error().in("tokenizer.json");
    Result<PreTokenizer> pre_tokenizer = PreTokenizer::create(file.value().patterns);
    if (!pre_tokenizer.ok()) return std::move(pre_tokenizer).error().in("tokenizer.json");
    Result<TokenizerConfig> config = parse_tokenizer_config(config_json);
    if (!config.ok()) return std::move(config).error().in("tokenizer_config.json");

    Tokenizer tokenizer(std::move(file).value(), config.value(), std::move(pre_tokenizer).value());
    for (const auto& [key, name, token] :
         {std::tuple{"bos_token", &config.value().bos, &tokenizer.bos_},
          {"eos_token", &config.value().eos, &tokenizer.eos_}}) {
        if (!name->has_value()) continue;
        *token = tokenizer.added_token(**name);
        if (!token->has_value())
            return Error{Code::corrupt, str("tokenizer_config.json: ", key, " \"", **name,
                                            "\" is no added token of tokenizer.json; take both ",
                                            "files from the same checkpoint")};
    }
    return tokenizer;
}

Tokenizer::Tokenizer(TokenizerFile file, const TokenizerConfig& config, PreTokenizer pre_tokenizer)
    : pre_tokenizer_(std::move(pre_tokenizer)),
      bpe_(file.tokens, file.byte_tokens, file.merges),
      added_(added_tokens_of(file)),
      special_(file.tokens.size()),
      add_bos_(config.add_bos) {
    for (const TokenizerFile::Added& added : file.added) special_[added.token] = added.special;
    for (const std::string& bytes : file.tokens) token_count_ += !bytes.empty();
}

std::vector<Token> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
    CHECK(text.size() < size_t{1} << 31, "a text of ", text.size(), " bytes");
    std::vector<Token> tokens;
    std::vector<std::string_view> pieces;
    const auto encode_plain = [&](std::string_view plain) {
        pieces.clear();
        pre_tokenizer_.split(plain, pieces);
        for (const std::string_view piece : pieces) bpe_.encode(piece, tokens);
    };
    tokens.reserve(text.size() / 3);
    size_t done = 0;
    // Added tokens of text[begin, end), which is cut off there so that none reaches beyond.
    const auto encode_added = [&](size_t begin, size_t end) {
        while (const auto found = added_.find(text.substr(0, end), begin)) {
            encode_plain(text.substr(done, found->begin - done));
            tokens.push_back(found->token);
            done = begin = found->end;
        }
    };
    if (options.added_tokens) {
        size_t begin = 0;
        for (const TextSpan& span : options.plain) {
            CHECK(begin <= span.begin && span.begin <= span.end && span.end <= text.size(), "span ",
                  span.begin, " to ", span.end, " of ", text.size(), " bytes");
            if (span.begin == span.end) continue;
            encode_added(begin, span.begin);
            begin = span.end;
        }
        encode_added(begin, text.size());
    }
    encode_plain(text.substr(done));
    return tokens;
}

std::string Tokenizer::decode(std::span<const Token> tokens, bool skip_special) const {
    std::string bytes;
    for (const Token token : tokens)
        if (!skip_special || !is_special(token)) bytes += token_bytes(token);
    return bytes;
}

bool Tokenizer::is_special(Token token) const {
    return token >= 0 && token < vocab_size() && special_[token];
}

}  // namespace fathom
