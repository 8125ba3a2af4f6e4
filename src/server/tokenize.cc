#include "server/tokenize.h"

#include "api/tokenize.h"
#include "base/file.h"
#include "server/known_reply.h"
#include "server/prepared_chat.h"
#include "text/byte_level.h"
#include "text/json_value.h"
#include "text/utf8.h"

namespace fathom {
namespace {

constexpr int64_t kConfigBytesMax = 4 << 20;

// A token as tokenizer.json writes it: bytes in the alphabet of byte-level BPE, an added token as
// it is. What vLLM's convert_ids_to_tokens gives.
std::string vocabulary_text(const Tokenizer& tokenizer, Token token) {
    const std::string_view bytes = tokenizer.token_bytes(token);
    if (tokenizer.added_token(bytes) == token) return std::string(bytes);
    std::string text;
    for (const char byte : bytes) text += byte_level_char(static_cast<uint8_t>(byte));
    return text;
}

// An AddedToken object is its content; everything else stays.
std::string plain_value(const JsonValue& value) {
    const JsonValue* content = value.find("content");
    const JsonValue* type = value.find("__type");
    const bool is_token = content != nullptr && content->string() != nullptr && type != nullptr;
    return is_token ? content->dump() : value.dump();
}

}  // namespace

ReplyOrError prepare_tokenize(const ServedModel& model, const std::string& body,
                              const RequestInfo&) {
    auto parsed = api::parse_tokenize_request(body);
    if (auto* error = std::get_if<api::RequestError>(&parsed)) return std::move(*error);
    auto& request = std::get<api::TokenizeRequest>(parsed);
    if (!model.is_served(request.model)) return api::model_not_found(request.model);
    std::vector<Token> tokens;
    if (auto* chat = std::get_if<api::ChatRequest>(&request.input)) {
        chat->add_special_tokens = request.add_special_tokens;
        bool in_reasoning = false;
        auto prompt = chat_prompt(model, *chat, in_reasoning);
        if (auto* error = std::get_if<api::RequestError>(&prompt)) return std::move(*error);
        tokens = std::get<std::vector<Token>>(std::move(prompt));
    } else {
        tokens = model.encode(std::get<std::string>(request.input), request.add_special_tokens);
    }
    std::optional<std::vector<std::string>> strings;
    if (request.return_token_strs) {
        strings.emplace();
        for (const Token token : tokens)
            strings->push_back(vocabulary_text(*model.tokenizer, token));
    }
    return std::make_unique<KnownReply>(api::tokenize_json(tokens, model.max_model_len, strings));
}

ReplyOrError prepare_detokenize(const ServedModel& model, const std::string& body,
                                const RequestInfo&) {
    auto parsed = api::parse_detokenize_request(body);
    if (auto* error = std::get_if<api::RequestError>(&parsed)) return std::move(*error);
    auto& request = std::get<api::DetokenizeRequest>(parsed);
    if (!model.is_served(request.model)) return api::model_not_found(request.model);
    for (const Token id : request.tokens)
        if (id >= model.vocab_size)
            return api::invalid("tokens", str("Token id ", id, " is out of vocabulary"));
    return std::make_unique<KnownReply>(
        api::detokenize_json(to_valid_utf8(model.tokenizer->decode(request.tokens))));
}

Result<std::string> load_tokenizer_info(const std::string& folder) {
    const std::string path = folder + "/tokenizer_config.json";
    Result<std::string> text = read_text(path, kConfigBytesMax);
    if (!text.ok()) return text;
    Result<JsonValue> config = JsonValue::parse(text.value());
    if (!config.ok() || config.value().object() == nullptr)
        return Error{Code::corrupt, str(path,
                                        " is no JSON object; take the file that belongs to "
                                        "the checkpoint")};
    std::string out = "{";
    for (const auto& [key, value] : *config.value().object())
        out += str(out.size() > 1 ? "," : "", json_quoted(key), ":", plain_value(value));
    if (config.value().find("tokenizer_class") == nullptr)
        out += str(out.size() > 1 ? "," : "", R"("tokenizer_class":"PreTrainedTokenizerFast")");
    return out += '}';
}

}  // namespace fathom
