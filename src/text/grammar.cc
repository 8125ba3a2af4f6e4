#include "text/grammar.h"

#include <dlpack/dlpack.h>
#include <xgrammar/xgrammar.h>

#include <algorithm>
#include <bit>
#include <ctime>
#include <list>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <unordered_map>
#include <variant>

#include "text/call_format.h"
#include "text/ebnf.h"
#include "text/expression.h"
#include "text/json_schema.h"
#include "text/spelling.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;

// What has been compiled, by what was asked for; and the parts that different grammars share, which
// xgrammar keeps.
constexpr size_t kCacheBytesMax = 128 << 20;
constexpr int64_t kPartsBytesMax = 128 << 20;
constexpr size_t kChoicesMax = 4096;
constexpr size_t kChoiceBytesMax = 64 << 10;  // of all of them together
// As xgrammar prints it. Compiling takes time in proportion.
constexpr size_t kGrammarBytesMax = 512 << 10;
// The engine waits for each mask. A grammar whose masks take longer on average is refused.
constexpr double kMaskMsMax = 20;
// No UTF-8: a grammar's characters cannot be this byte, so that the token comes by its id alone.
constexpr char kNoText = '\xff';

Error refuse(const std::string& what) { return Error{Code::invalid_argument, what}; }

// What xgrammar says, as one short sentence without the condition of its source.
std::string sentence(std::string_view what) {
    constexpr size_t kShown = 300;
    if (const size_t at = what.find(" is false: "); at != what.npos) what.remove_prefix(at + 11);
    what = what.substr(0, what.find('\n'));
    return to_valid_utf8(what.substr(0, kShown));
}

// f(), with what the library throws as an error. Not inlined, so that its callers
// are seen by name (tools/tsan_suppressions.txt).
template <class F>
[[gnu::noinline]] auto guarded(F f) -> Result<decltype(f())> {
    try {
        return f();
    } catch (const std::exception& e) {
        return refuse(sentence(e.what()));
    }
}

xgrammar::TokenizerInfo tokenizer_info(const Tokenizer& tokenizer, const std::vector<Token>& ends,
                                       int64_t vocab_size) {
    std::vector<std::string> bytes(tokenizer.vocab_size());
    for (Token token = 0; token < tokenizer.vocab_size(); ++token) {
        bytes[token] = tokenizer.token_bytes(token);
        // What marks turns and thoughts is no text. Empty ones are never allowed.
        if (tokenizer.added_token(bytes[token]) == token) bytes[token].clear();
    }
    if (const std::optional<Token> dsml = tokenizer.added_token(kDsml))
        bytes[*dsml].assign(1, kNoText);
    return xgrammar::TokenizerInfo(bytes, xgrammar::VocabType::RAW, static_cast<int>(vocab_size),
                                   std::vector<int32_t>(ends.begin(), ends.end()));
}

xgrammar::Grammar schema_grammar(const std::string& schema) {
    return xgrammar::Grammar::FromJSONSchema(schema, /*any_whitespace=*/true, std::nullopt,
                                             std::nullopt, /*strict_mode=*/true,
                                             kJsonWhitespaceMax);
}

void set_bit(std::span<uint32_t> bits, Token token) { bits[token / 32] |= 1u << token % 32; }

double thread_ms() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// What all constraints of one compiler look at.
struct Vocabulary {
    std::vector<Token> ends;
    std::vector<uint32_t> not_ends;  // Bits of every token but those.
    int64_t size = 0;                // the model's
    std::optional<Token> dsml;
    std::optional<Spelling> dsml_spelling;
};

class GrammarConstraint final : public TokenConstraint {
public:
    GrammarConstraint(const Vocabulary& vocabulary, const xgrammar::CompiledGrammar& grammar,
                      bool has_calls, std::optional<Token> think_end)
        : vocabulary_(vocabulary),
          matcher_(grammar),
          has_calls_(has_calls),
          think_end_(think_end) {}

    bool allowed(std::span<uint32_t> bits) override {
        CHECK(bits.size() >= vocabulary_.not_ends.size(), bits.size(),
              " words for a vocabulary of ", vocabulary_.size);
        std::fill(bits.begin(), bits.end(), 0);
        bits = bits.first(vocabulary_.not_ends.size());
        if (think_end_) {
            std::copy(vocabulary_.not_ends.begin(), vocabulary_.not_ends.end(), bits.begin());
            return true;
        }
        if (!over_) fill(bits);
        // A grammar that has come to where nothing fits must not leave the engine without a token.
        if (over_ || std::all_of(bits.begin(), bits.end(), [](uint32_t w) { return w == 0; }))
            for (const Token end : vocabulary_.ends) set_bit(bits, end);
        return true;
    }

    void accept(Token token) override {
        if (think_end_) {
            if (token == *think_end_) think_end_.reset();
            return;
        }
        if (over_) return;
        Result<bool> accepted = guarded([&] { return matcher_.AcceptToken(token); });
        over_ = !accepted.ok() || !accepted.value() || matcher_.IsTerminated();
        if (has_calls_) spelled_ = vocabulary_.dsml_spelling->after(spelled_, token);
    }

private:
    void fill(std::span<uint32_t> bits) {
        int64_t words = std::ssize(bits);
        DLTensor tensor{.data = bits.data(),
                        .device = {kDLCPU, 0},
                        .ndim = 1,
                        .dtype = {kDLInt, 32, 1},
                        .shape = &words,
                        .strides = nullptr,
                        .byte_offset = 0};
        Result<bool> filled = guarded([&] { return matcher_.FillNextTokenBitmask(&tensor); });
        if (!filled.ok()) {
            over_ = true;
            std::fill(bits.begin(), bits.end(), 0);
            return;
        }
        if (vocabulary_.size % 32 != 0) bits.back() &= (1u << vocabulary_.size % 32) - 1;
        if (has_calls_)
            for (const Token token : vocabulary_.dsml_spelling->completing(spelled_))
                bits[token / 32] &= ~(1u << token % 32);
    }

    const Vocabulary& vocabulary_;
    xgrammar::GrammarMatcher matcher_;
    const bool has_calls_;
    std::optional<Token> think_end_;  // The thought lasts until this token.
    size_t spelled_ = 0;              // Bytes of kDsml that ordinary tokens have written.
    bool over_ = false;               // Only the end may come.
};

// The grammars used last. Any thread.
class GrammarCache {
public:
    std::optional<xgrammar::CompiledGrammar> find(const std::string& key) {
        const std::lock_guard lock(mutex_);
        const auto found = by_key_.find(key);
        if (found == by_key_.end()) return std::nullopt;
        entries_.splice(entries_.begin(), entries_, found->second);
        return found->second->grammar;
    }

    void insert(const std::string& key, const xgrammar::CompiledGrammar& grammar) {
        const size_t bytes = grammar.MemorySizeBytes() + 2 * key.size();
        const std::lock_guard lock(mutex_);
        if (bytes > kCacheBytesMax || by_key_.contains(key)) return;
        entries_.push_front({key, grammar, bytes});
        by_key_[key] = entries_.begin();
        bytes_ += bytes;
        while (bytes_ > kCacheBytesMax) {
            bytes_ -= entries_.back().bytes;
            by_key_.erase(entries_.back().key);
            entries_.pop_back();
        }
    }

private:
    struct Entry {
        std::string key;
        xgrammar::CompiledGrammar grammar;
        size_t bytes;
    };
    std::mutex mutex_;
    std::list<Entry> entries_;  // the last used first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
    size_t bytes_ = 0;
};

// What was asked for, as text: two specs are the same exactly when their keys are.
std::string key_of(const GrammarSpec& spec) {
    std::string key = str(static_cast<int>(spec.kind), spec.single_call, spec.free_text_before);
    const auto add = [&](std::string_view part) { key += str(' ', part.size(), ':', part); };
    add(spec.text);
    for (const std::string& choice : spec.choices) add(choice);
    for (const Tool& tool : spec.tools) {
        add(tool.name);
        if (!tool.strict) continue;  // Its parameters are free.
        key += '!';
        add(tool.parameters);
    }
    return key;
}

}  // namespace

struct GrammarCompiler::Impl {
    Impl(const Tokenizer& tokenizer, std::vector<Token> ends, int64_t vocab_size)
        : info(tokenizer_info(tokenizer, ends, vocab_size)),
          // One thread: the caller's. What goes wrong on another could not be caught.
          compiler(info, /*max_threads=*/1, /*cache_enabled=*/true, kPartsBytesMax) {
        vocabulary.size = vocab_size;
        vocabulary.not_ends.resize((vocab_size + 31) / 32);
        for (Token token = 0; token < tokenizer.vocab_size(); ++token)
            if (!tokenizer.token_bytes(token).empty() && std::ranges::count(ends, token) == 0)
                set_bit(vocabulary.not_ends, token);
        vocabulary.ends = std::move(ends);
        vocabulary.dsml = tokenizer.added_token(kDsml);
        if (vocabulary.dsml) vocabulary.dsml_spelling.emplace(tokenizer, kDsml, *vocabulary.dsml);
    }

    Result<xgrammar::Grammar> read(const GrammarSpec& spec) const {
        switch (spec.kind) {
            case GrammarSpec::Kind::json_object:
                return guarded([] { return schema_grammar(R"({"type":"object"})"); });
            case GrammarSpec::Kind::json_schema: return read_schema(spec.text);
            case GrammarSpec::Kind::regex: return read_expression(spec.text);
            case GrammarSpec::Kind::choice: return read_choices(spec.choices);
            case GrammarSpec::Kind::ebnf: return read_ebnf(spec.text);
            case GrammarSpec::Kind::calls: return read_calls(spec);
        }
        CHECK(false, "kind ", static_cast<int>(spec.kind));
    }

    static Result<xgrammar::Grammar> read_schema(const std::string& text) {
        Result<std::string> closed = closed_schema(text);
        if (!closed.ok()) return closed.error();
        Result<xgrammar::Grammar> grammar = guarded([&] { return schema_grammar(closed.value()); });
        if (!grammar.ok()) return std::move(grammar).error().in("JSON schema");
        return grammar;
    }

    static Result<xgrammar::Grammar> read_expression(const std::string& text) {
        Result<int64_t> cost = expression_cost(text);
        if (!cost.ok()) return std::move(cost).error();
        auto grammar = guarded(
            [&] { return xgrammar::Grammar::FromEBNF("root ::= " + expression_term(text)); });
        if (!grammar.ok()) return std::move(grammar).error().in("regular expression");
        return grammar;
    }

    static Result<xgrammar::Grammar> read_ebnf(const std::string& text) {
        const Status status = check_ebnf(text);
        if (!status.ok()) return status.error();
        auto grammar = guarded([&] { return xgrammar::Grammar::FromEBNF(text); });
        if (!grammar.ok()) return std::move(grammar).error().in("grammar");
        return grammar;
    }

    Result<xgrammar::Grammar> read_choices(const std::vector<std::string>& choices) const {
        size_t bytes = 0;
        Json elements = Json::array();
        for (const std::string& choice : choices) {
            bytes += choice.size();
            elements.push_back({{"type", "const_string"}, {"value", to_valid_utf8(choice)}});
        }
        if (choices.empty()) return refuse("choice: the list is empty; give at least one text");
        if (choices.size() > kChoicesMax || bytes > kChoiceBytesMax)
            return refuse(str("choice: ", choices.size(), " texts of ", bytes,
                              " bytes together; at most ", kChoicesMax, " of ", kChoiceBytesMax));
        return read_format(Json{{"type", "structural_tag"},
                                {"format", {{"type", "or"}, {"elements", std::move(elements)}}}}
                               .dump());
    }

    Result<xgrammar::Grammar> read_calls(const GrammarSpec& spec) const {
        if (!vocabulary.dsml)
            return refuse(str("this model's tokenizer has no token ", kDsml,
                              ", which tool calls are written with"));
        Result<std::string> format =
            call_format(spec.tools, {.dsml = *vocabulary.dsml,
                                     .single_call = spec.single_call,
                                     .free_text_before = spec.free_text_before});
        if (!format.ok()) return format.error();
        Result<xgrammar::Grammar> grammar = read_format(format.value());
        if (!grammar.ok()) return std::move(grammar).error().in("tools");
        if (spec.text.empty()) return grammar;
        Result<xgrammar::Grammar> answer = read_schema(spec.text);
        if (!answer.ok()) return answer;
        return guarded([&] { return xgrammar::Grammar::Union({grammar.value(), answer.value()}); });
    }

    Result<xgrammar::CompiledGrammar> compile(const xgrammar::Grammar& grammar) {
        Result<size_t> bytes = guarded([&] { return grammar.ToString().size(); });
        if (!bytes.ok()) return bytes.error();
        if (bytes.value() > kGrammarBytesMax)
            return refuse(str("it comes to a grammar of ", bytes.value(), " bytes; at most ",
                              kGrammarBytesMax, " can be compiled: ask for less at once"));
        return guarded([&] { return compiler.CompileGrammar(grammar); });
    }

    // A structural tag.
    Result<xgrammar::Grammar> read_format(const std::string& json) const {
        auto read = guarded([&] { return xgrammar::Grammar::FromStructuralTag(json, info); });
        if (!read.ok()) return std::move(read).error();
        if (const auto* grammar = std::get_if<xgrammar::Grammar>(&read.value())) return *grammar;
        return std::visit([](const auto& error) { return refuse(sentence(error.what())); },
                          std::get<xgrammar::StructuralTagError>(read.value()));
    }

    const xgrammar::TokenizerInfo info;
    xgrammar::GrammarCompiler compiler;
    GrammarCache cache;
    Vocabulary vocabulary;
};

GrammarCompiler::GrammarCompiler(const Tokenizer& tokenizer, std::vector<Token> end_tokens,
                                 int64_t vocab_size)
    : impl_(std::make_unique<Impl>(tokenizer, std::move(end_tokens), vocab_size)) {
    CHECK(vocab_size >= tokenizer.vocab_size(), vocab_size, " rows for ", tokenizer.vocab_size());
    CHECK(!impl_->vocabulary.ends.empty(), "a reply could never end");
}

GrammarCompiler::~GrammarCompiler() = default;

namespace {

// Most masks are computed while compiling, but where a token may go on into a next rule it is
// tried when its turn comes. A short reply drawn at random tells the two apart.
Status try_masks(TokenConstraint& constraint, std::vector<uint32_t> bits) {
    constexpr int kTokens = 48;
    const double begin = thread_ms();
    std::minstd_rand random(1);
    for (int i = 0; i < kTokens; ++i) {
        if (thread_ms() - begin > kMaskMsMax * kTokens)
            return refuse(
                "its tokens would take too long to choose: use smaller counts, and "
                "fewer of them within each other");
        constraint.allowed(bits);
        // The first token that is allowed behind a random place.
        size_t word = random() % bits.size();
        for (size_t tried = 0; bits[word] == 0 && tried < bits.size(); ++tried)
            word = (word + 1) % bits.size();
        if (bits[word] == 0) break;
        constraint.accept(static_cast<Token>(word * 32 + std::countr_zero(bits[word])));
    }
    return Unit{};
}

}  // namespace

Result<std::unique_ptr<TokenConstraint>> GrammarCompiler::compile(const GrammarSpec& spec,
                                                                  std::optional<Token> think_end) {
    const auto constraint = [&](const xgrammar::CompiledGrammar& grammar,
                                std::optional<Token> end) {
        return guarded([&]() -> std::unique_ptr<TokenConstraint> {
            return std::make_unique<GrammarConstraint>(impl_->vocabulary, grammar,
                                                       spec.kind == GrammarSpec::Kind::calls, end);
        });
    };
    const std::string key = key_of(spec);
    if (const auto found = impl_->cache.find(key)) return constraint(*found, think_end);

    Result<xgrammar::Grammar> grammar = impl_->read(spec);
    if (!grammar.ok()) return std::move(grammar).error();
    auto compiled = impl_->compile(grammar.value());
    if (!compiled.ok()) return std::move(compiled).error();
    auto trial = constraint(compiled.value(), std::nullopt);
    if (!trial.ok()) return trial;
    Status status = try_masks(*trial.value(), impl_->vocabulary.not_ends);
    if (!status.ok()) return std::move(status).error();
    impl_->cache.insert(key, compiled.value());
    return constraint(compiled.value(), think_end);
}

}  // namespace fathom
