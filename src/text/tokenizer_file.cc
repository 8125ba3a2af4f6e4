#include "text/tokenizer_file.h"

#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "text/byte_level.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using Json = nlohmann::json;

constexpr int64_t kIdsMax = 1 << 20;  // eight times V3's; bounds what a broken file can ask for
constexpr size_t kContentMax = 1024;

Error corrupt(const std::string& what) {
    return {Code::corrupt, what + "; take the file from the original checkpoint again"};
}

Error unsupported(const std::string& what) {
    return {
        Code::invalid_argument,
        what + ", but only DeepSeek's byte-level BPE is supported; serve a DeepSeek checkpoint"};
}

std::string quoted(std::string_view text) {
    constexpr size_t kShown = 48;
    return str('"', to_valid_utf8(text.substr(0, kShown)), text.size() > kShown ? "...\"" : "\"");
}

Result<Json> parse_object(std::string_view text) {
    try {
        Json json = Json::parse(text);
        if (!json.is_object()) return corrupt(str("a JSON ", json.type_name(), ", not an object"));
        return json;
    } catch (const Json::parse_error& e) {
        return corrupt(str("no JSON, broken at byte ", e.byte, " of ", text.size()));
    }
}

// The member, or null's value where there is none.
const Json& member(const Json& object, const char* key) {
    static const Json kNull;
    if (!object.is_object()) return kNull;
    const auto at = object.find(key);
    return at == object.end() ? kNull : *at;
}

std::string text_of(const Json& json) {
    return json.is_string() ? json.get_ref<const std::string&>() : std::string();
}

// Absent, null, false, "" and 0 are the same to tokenizers' options.
bool is_off(const Json& object, const char* key) {
    const Json& json = member(object, key);
    return json.is_null() || (json.is_boolean() && !json.get<bool>()) ||
           (json.is_string() && text_of(json).empty()) ||
           (json.is_number() && json.get<double>() == 0);
}

Result<Token> id_of(const Json& json, std::string_view token) {
    const bool in_range =
        json.is_number_integer() && json.get<int64_t>() >= 0 && json.get<int64_t>() < kIdsMax;
    if (!in_range)
        return corrupt(str("token ", quoted(token), " has the id ",
                           json.is_number() || json.is_boolean() ? json.dump() : json.type_name(),
                           ", expected 0 to ", kIdsMax - 1));
    return json.get<Token>();
}

Status check_model(const Json& model) {
    if (text_of(member(model, "type")) != "BPE")
        return unsupported(str("the model is of type ", quoted(text_of(member(model, "type")))));
    for (const char* option : {"dropout", "unk_token", "continuing_subword_prefix",
                               "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"})
        if (!is_off(model, option)) return unsupported(str("the model sets ", option));
    return Unit{};
}

Status check_normalizer(const Json& normalizer) {
    const Json& list = member(normalizer, "normalizers");
    const bool none =
        text_of(member(normalizer, "type")) == "Sequence" && list.is_array() && list.empty();
    if (!normalizer.is_null() && !none) return unsupported("there is a normalizer");
    return Unit{};
}

// Split rules, then ByteLevel with no rule of its own.
Result<std::vector<std::string>> read_patterns(const Json& pre_tokenizer) {
    const Json& list = member(pre_tokenizer, "pretokenizers");
    if (text_of(member(pre_tokenizer, "type")) != "Sequence" || !list.is_array() || list.empty())
        return unsupported("the pre-tokenizer is no Sequence");
    std::vector<std::string> patterns;
    for (size_t i = 0; i + 1 < list.size(); ++i) {
        const Json& rule = list[i];
        const Json& pattern = member(member(rule, "pattern"), "Regex");
        if (text_of(member(rule, "type")) != "Split" || !pattern.is_string() ||
            text_of(member(rule, "behavior")) != "Isolated" || !is_off(rule, "invert"))
            return unsupported(str("pre-tokenizer ", i + 1, " is no isolating Split of a Regex"));
        patterns.push_back(text_of(pattern));
    }
    const Json& last = list.back();
    if (text_of(member(last, "type")) != "ByteLevel" || !is_off(last, "add_prefix_space") ||
        !member(last, "use_regex").is_boolean() || !is_off(last, "use_regex"))
        return unsupported("the last pre-tokenizer is no plain ByteLevel");
    return patterns;
}

// Names of tokens as the file writes them (byte-level text), which live as long as the JSON.
using Names = std::unordered_map<std::string_view, Token>;

struct Vocabulary {
    Names ids;
    std::vector<std::string_view> names;  // by id; of null data where there is none
};

Result<Vocabulary> read_vocabulary(const Json& vocab) {
    if (!vocab.is_object()) return corrupt("there is no model.vocab");
    Vocabulary result;
    result.ids.reserve(vocab.size());
    for (const auto& [name, json] : vocab.items()) {
        Result<Token> id = id_of(json, name);
        if (!id.ok()) return std::move(id).error();
        const auto index = static_cast<size_t>(id.value());
        if (index >= result.names.size()) result.names.resize(index + 1);
        if (result.names[index].data() != nullptr)
            return corrupt(str("the id ", index, " is that of two tokens, ",
                               quoted(result.names[index]), " and ", quoted(name)));
        result.names[index] = name;
        result.ids[name] = id.value();
    }
    return result;
}

Status read_bytes(const Vocabulary& vocabulary, TokenizerFile& file) {
    file.tokens.resize(vocabulary.names.size());
    for (size_t i = 0; i < vocabulary.names.size(); ++i) {
        const std::string_view name = vocabulary.names[i];
        file.tokens[i] = byte_level_bytes(name).value_or(std::string(name));
    }
    for (int byte = 0; byte < 256; ++byte) {
        const std::string name = byte_level_char(static_cast<uint8_t>(byte));
        const auto at = vocabulary.ids.find(name);
        if (at == vocabulary.ids.end())
            return corrupt(str("model.vocab lacks ", quoted(name), ", the token of byte ", byte));
        file.byte_tokens[byte] = at->second;
    }
    return Unit{};
}

struct MergeNames {
    std::string_view left, right;
};

// "a b", or ["a", "b"] as newer files have it.
Result<MergeNames> read_merge(const Json& json, size_t rank) {
    if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string())
        return MergeNames{json[0].get_ref<const std::string&>(),
                          json[1].get_ref<const std::string&>()};
    if (json.is_string()) {
        const std::string_view both = json.get_ref<const std::string&>();
        const size_t space = both.find(' ');
        if (space != std::string_view::npos && both.find(' ', space + 1) == std::string_view::npos)
            return MergeNames{both.substr(0, space), both.substr(space + 1)};
    }
    return corrupt(str("merge ", rank, " is no pair of tokens"));
}

Status read_merges(const Json& merges, const Vocabulary& vocabulary, TokenizerFile& file) {
    if (!merges.is_array()) return corrupt("there is no model.merges");
    file.merges.reserve(merges.size());
    std::unordered_set<uint64_t> pairs;
    pairs.reserve(merges.size());
    std::string both;
    for (size_t rank = 0; rank < merges.size(); ++rank) {
        Result<MergeNames> names = read_merge(merges[rank], rank);
        if (!names.ok()) return std::move(names).error();
        const auto [left, right] = names.value();
        both.assign(left).append(right);
        Token tokens[3];
        const std::string_view wanted[3] = {left, right, both};
        for (int i = 0; i < 3; ++i) {
            const auto at = vocabulary.ids.find(wanted[i]);
            if (at == vocabulary.ids.end())
                return corrupt(str("merge ", rank, " names ", quoted(wanted[i]),
                                   ", which is not in model.vocab"));
            tokens[i] = at->second;
        }
        if (!pairs.insert(static_cast<uint64_t>(tokens[0]) << 32 | tokens[1]).second)
            return corrupt(
                str("merge ", rank, " is there twice: ", quoted(left), " ", quoted(right)));
        file.merges.push_back({tokens[0], tokens[1], tokens[2]});
    }
    return Unit{};
}

Status read_added_token(const Json& json, const Vocabulary& vocabulary, TokenizerFile& file,
                        std::unordered_set<std::string>& seen) {
    const std::string content = text_of(member(json, "content"));
    if (content.empty() || content.size() > kContentMax)
        return corrupt(str("an added token has a content of ", content.size(), " bytes"));
    Result<Token> id = id_of(member(json, "id"), content);
    if (!id.ok()) return std::move(id).error();
    for (const char* option : {"lstrip", "rstrip", "single_word"})
        if (!is_off(json, option))
            return unsupported(str("the added token ", quoted(content), " sets ", option));
    if (!seen.insert(content).second)
        return corrupt(str("the added token ", quoted(content), " is there twice"));

    const auto index = static_cast<size_t>(id.value());
    const auto at = vocabulary.ids.find(content);
    if (at != vocabulary.ids.end() && at->second != id.value())
        return corrupt(str("the added token ", quoted(content), " has the id ", index,
                           ", but in model.vocab ", at->second));
    if (index >= file.tokens.size()) file.tokens.resize(index + 1);
    if (at == vocabulary.ids.end() && !file.tokens[index].empty())
        return corrupt(str("the added token ", quoted(content), " has the id ", index,
                           " of another token, ", quoted(file.tokens[index])));
    file.tokens[index] = content;
    file.added.push_back({id.value(), content, !is_off(json, "special")});
    return Unit{};
}

Status read_added(const Json& list, const Vocabulary& vocabulary, TokenizerFile& file) {
    if (!list.is_null() && !list.is_array()) return corrupt("added_tokens is no list");
    std::unordered_set<std::string> seen;
    for (const Json& json : list) {
        Status status = read_added_token(json, vocabulary, file, seen);
        if (!status.ok()) return status;
    }
    return Unit{};
}

Result<std::optional<std::string>> read_named_token(const Json& config, const char* key) {
    const Json& json = member(config, key);
    if (json.is_null()) return std::optional<std::string>();
    const Json& content = json.is_object() ? member(json, "content") : json;
    if (!content.is_string()) return corrupt(str(key, " is neither a string nor an added token"));
    return std::optional<std::string>(text_of(content));
}

}  // namespace

Result<TokenizerFile> parse_tokenizer(std::string_view text) {
    Result<Json> json = parse_object(text);
    if (!json.ok()) return std::move(json).error();
    const Json& root = json.value();
    const Json& model = member(root, "model");

    Status status = check_model(model);
    if (status.ok()) status = check_normalizer(member(root, "normalizer"));
    if (!status.ok()) return std::move(status).error();
    Result<std::vector<std::string>> patterns = read_patterns(member(root, "pre_tokenizer"));
    if (!patterns.ok()) return std::move(patterns).error();
    Result<Vocabulary> vocabulary = read_vocabulary(member(model, "vocab"));
    if (!vocabulary.ok()) return std::move(vocabulary).error();

    TokenizerFile file{.patterns = std::move(patterns).value()};
    status = read_bytes(vocabulary.value(), file);
    if (status.ok()) status = read_merges(member(model, "merges"), vocabulary.value(), file);
    if (status.ok()) status = read_added(member(root, "added_tokens"), vocabulary.value(), file);
    if (!status.ok()) return std::move(status).error();
    return file;
}

Result<TokenizerConfig> parse_tokenizer_config(std::string_view text) {
    Result<Json> json = parse_object(text);
    if (!json.ok()) return std::move(json).error();
    TokenizerConfig config;
    const Json& add_bos = member(json.value(), "add_bos_token");
    if (!add_bos.is_null() && !add_bos.is_boolean())
        return corrupt(str("add_bos_token is a ", add_bos.type_name(), ", expected true or false"));
    config.add_bos = add_bos.is_boolean() && add_bos.get<bool>();
    for (const auto& [key, token] :
         {std::pair{"bos_token", &config.bos}, {"eos_token", &config.eos}}) {
        Result<std::optional<std::string>> content = read_named_token(json.value(), key);
        if (!content.ok()) return std::move(content).error();
        *token = std::move(content).value();
    }
    return config;
}

}  // namespace fathom
