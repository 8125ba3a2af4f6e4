// POST /v1/completions over a model that says what the test wrote down: text, stops, streams, and
// clients that leave.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/server_testing.h"
#include "text/utf8.h"

namespace fathom::testing {
namespace {

using Json = nlohmann::json;

Service::Options saying(const std::string& text) { return {.next = Service::says(text)}; }

class Speaker {
public:
    explicit Speaker(const std::string& text) : Speaker(saying(text)) {}
    explicit Speaker(Service::Options options) : service(std::move(options)) { service.open(); }

    Json post(Json body) {
        body.emplace("prompt", "x");
        body.emplace("max_tokens", 64);
        const http::Response answer = service.post(body.dump());
        EXPECT_EQ(answer.status, 200) << answer.body;
        return Json::parse(answer.body);
    }
    Json choice(const Json& body) { return post(body)["choices"][0]; }
    // The chunks, without "[DONE]".
    std::vector<Json> chunks(Json body) {
        body.emplace("prompt", "x");
        body.emplace("max_tokens", 64);
        body["stream"] = true;
        std::vector<Json> chunks;
        const std::vector<std::string> events = service.stream(body.dump());
        EXPECT_EQ(events.back(), "[DONE]");
        for (size_t i = 0; i + 1 < events.size(); ++i) chunks.push_back(Json::parse(events[i]));
        return chunks;
    }

    Service service;
};

std::string joined(const std::vector<Json>& chunks, int index = 0) {
    std::string text;
    for (const Json& chunk : chunks)
        for (const Json& choice : chunk["choices"])
            if (choice["index"] == index) text += choice["text"];
    return text;
}

constexpr const char* kText = "The quick brown fox jumps over the lazy dog";

TEST(CompletionStream, WholeAndStreamedAreTheSameText) {
    // Characters of several tokens each: this vocabulary has them byte by byte.
    const std::string text = "na\u00efve \u4e16\u754c \U0001F642 end";
    Speaker speaker(text);
    const Json whole = speaker.post(Json::object());
    EXPECT_EQ(whole["choices"][0]["text"], text);
    EXPECT_EQ(whole["choices"][0]["finish_reason"], "stop");
    EXPECT_EQ(whole["choices"][0]["stop_reason"], nullptr);
    EXPECT_EQ(whole["object"], "text_completion");
    EXPECT_EQ(whole["model"], "tiny");

    const std::vector<Json> chunks = speaker.chunks(Json::object());
    EXPECT_EQ(joined(chunks), text);
    EXPECT_GT(chunks.size(), 10u);
    for (const Json& chunk : chunks) {
        EXPECT_EQ(chunk["id"], chunks[0]["id"]);
        const std::string piece = chunk["choices"][0]["text"];
        EXPECT_EQ(piece.find("\ufffd"), std::string::npos);  // Half a character would be this.
        EXPECT_EQ(chunk["choices"][0]["finish_reason"].is_null(), &chunk != &chunks.back());
    }
}

TEST(CompletionStream, LengthEndsWithHalfACharacterShown) {
    Speaker speaker("a\U0001F642");
    const Json cut = speaker.choice({{"max_tokens", 2}});
    EXPECT_EQ(cut["finish_reason"], "length");
    EXPECT_EQ(cut["text"], "a\ufffd");
    EXPECT_EQ(joined(speaker.chunks({{"max_tokens", 2}})), "a\ufffd");
}

TEST(CompletionStream, UsageCountsWhatWasComputed) {
    Speaker speaker(kText);
    const auto tokens = std::ssize(speaker.service.tokenizer().encode(kText)) + 1;  // And its end.
    const Json usage = speaker.post(Json::object())["usage"];
    EXPECT_EQ(usage["completion_tokens"], tokens);
    EXPECT_EQ(usage["prompt_tokens"], 1);
    EXPECT_EQ(usage["total_tokens"], tokens + 1);

    for (const Json& chunk : speaker.chunks(Json::object()))
        EXPECT_TRUE(chunk.value("usage", Json()).is_null());
    std::vector<Json> chunks = speaker.chunks({{"stream_options", {{"include_usage", true}}}});
    EXPECT_EQ(chunks.back()["choices"], Json::array());
    EXPECT_EQ(chunks.back()["usage"]["completion_tokens"], tokens);
    chunks = speaker.chunks(
        {{"stream_options", {{"include_usage", true}, {"continuous_usage_stats", true}}}});
    for (int i = 0; i < tokens; ++i)
        EXPECT_EQ(chunks[i]["usage"]["completion_tokens"], i + 1) << chunks[i];
    EXPECT_EQ(chunks.back()["usage"]["completion_tokens"], tokens);
}

TEST(CompletionStream, StopStringsInsideATokenAndAcrossTokens) {
    Speaker speaker(kText);
    // Every place of every length: some begin or end inside a token, most span several.
    const std::string text = kText;
    for (size_t at = 1; at < text.size(); at += 3) {
        const std::string stop = text.substr(at, 7);
        const Json body{{"stop", stop}};
        const std::string want = text.substr(0, text.find(stop));
        const Json choice = speaker.choice(body);
        EXPECT_EQ(choice["text"], want) << stop;
        EXPECT_EQ(choice["finish_reason"], "stop");
        EXPECT_EQ(choice["stop_reason"], stop);
        EXPECT_EQ(joined(speaker.chunks(body)), want) << stop;
        EXPECT_EQ(speaker.choice({{"stop", stop}, {"include_stop_str_in_output", true}})["text"],
                  want + stop);
    }
    EXPECT_EQ(speaker.choice({{"stop", {"cat", "fox"}}})["stop_reason"], "fox");
    EXPECT_EQ(speaker.choice({{"stop", "cat"}})["text"], text);
    // What was held back for a stop string that did not come is not lost.
    EXPECT_EQ(speaker.choice({{"stop", "lazy dogs"}})["text"], text);
    EXPECT_EQ(joined(speaker.chunks({{"stop", "lazy dogs"}})), text);
    EXPECT_TRUE(wait_until([&] { return speaker.service.engine().stats().running == 0; }));
}

TEST(CompletionStream, TheEngineEndsWithTheStopString) {
    // A step takes a millisecond, as of a real model.
    Speaker speaker({.next = [](const Sequence&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return Token{66};
    }});
    const std::string three = speaker.service.tokenizer().decode({{66, 66, 66}});
    speaker.choice({{"stop", three}, {"max_tokens", 500}});
    EXPECT_TRUE(wait_until([&] { return speaker.service.engine().stats().running == 0; }));
    EXPECT_LT(speaker.service.engine().stats().generated_tokens, 400);
}

TEST(CompletionStream, MinTokensPutsOffAStopString) {
    Speaker speaker("a b a b a b");
    const auto count = std::ssize(speaker.service.tokenizer().encode("a b a b"));
    EXPECT_EQ(speaker.choice({{"stop", "b"}})["text"], "a ");
    EXPECT_EQ(speaker.choice({{"stop", "b"}, {"min_tokens", count}})["text"], "a b a ");
}

TEST(CompletionStream, EndTokens) {
    const std::vector<Token> script{65, 1, 66, 1};  // Text, the end, text, the end.
    Speaker speaker({.next = [=](const Sequence& s) { return script[s.generated() % 4]; }});
    EXPECT_EQ(speaker.post(Json::object())["usage"]["completion_tokens"], 2);
    const Json ignored{{"ignore_eos", true}, {"max_tokens", 4}, {"return_token_ids", true}};
    EXPECT_EQ(speaker.choice(ignored)["finish_reason"], "length");
    EXPECT_EQ(speaker.choice(ignored)["token_ids"].get<std::vector<Token>>(), script);
    // Among stop_token_ids it ends the sequence again, and is named.
    EXPECT_EQ(speaker.choice({{"ignore_eos", true}, {"stop_token_ids", {1}}})["stop_reason"], 1);
    EXPECT_EQ(speaker.choice({{"stop_token_ids", {66}}})["stop_reason"], nullptr);
}

TEST(CompletionStream, ChoicesOfSeveralPromptsAreTakenApart) {
    // Says which prompt it was asked for.
    Speaker speaker(
        {.next = [](const Sequence& s) { return s.generated() < 3 ? s.tokens[0] : 1; }});
    const Json body{{"prompt", {{70}, {80, 5}}}, {"n", 2}, {"temperature", 1}};
    const auto text = [&](Token id) { return speaker.service.tokenizer().decode({{id, id, id}}); };
    const Json whole = speaker.post(body);
    const std::vector<Json> chunks = speaker.chunks(body);
    ASSERT_EQ(whole["choices"].size(), 4u);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(whole["choices"][i]["index"], i);
        EXPECT_EQ(whole["choices"][i]["text"], text(i < 2 ? 70 : 80));
        EXPECT_EQ(joined(chunks, i), text(i < 2 ? 70 : 80));
    }
    EXPECT_EQ(whole["usage"]["prompt_tokens"], 3);
    EXPECT_EQ(whole["usage"]["completion_tokens"], 16);
    EXPECT_EQ(
        std::ranges::count_if(
            chunks, [](const Json& c) { return !c["choices"][0]["finish_reason"].is_null(); }),
        4);
}

TEST(CompletionStream, RunningUsageIsThatOfTheChoice) {
    Speaker speaker(
        {.next = [](const Sequence& s) { return s.generated() < 3 ? s.tokens[0] : 1; }});
    Json body{{"prompt", {{70}, {80, 5}}}};
    body["stream_options"] = {{"include_usage", true}, {"continuous_usage_stats", true}};
    for (const Json& chunk : speaker.chunks(body))
        for (const Json& choice : chunk["choices"])
            EXPECT_EQ(chunk["usage"]["prompt_tokens"], choice["index"] == 0 ? 1 : 2) << chunk;
}

TEST(CompletionStream, ATruncatedPromptKeepsItsEnd) {
    Speaker speaker("a");
    const auto kept = [&](int count) {
        return speaker
            .choice({{"prompt", {10, 20, 30}},
                     {"truncate_prompt_tokens", count},
                     {"return_token_ids", true}})["prompt_token_ids"]
            .get<std::vector<Token>>();
    };
    EXPECT_EQ(kept(2), (std::vector<Token>{20, 30}));
    EXPECT_EQ(kept(3), (std::vector<Token>{10, 20, 30}));
    EXPECT_EQ(kept(4), (std::vector<Token>{10, 20, 30}));
    EXPECT_EQ(kept(-1), (std::vector<Token>{10, 20, 30}));
}

TEST(CompletionStream, IdsOfAnswers) {
    Speaker speaker("a");
    const auto id = [&](const Json& body, const std::vector<http::Header>& headers) {
        return Json::parse(speaker.service.post(body.dump(), headers).body)["id"]
            .get<std::string>();
    };
    EXPECT_EQ(id({{"prompt", "x"}}, {{"x-request-id", "abc"}}), "cmpl-abc");
    EXPECT_EQ(id({{"prompt", "x"}, {"request_id", "def"}}, {}), "cmpl-def");
    EXPECT_EQ(id({{"prompt", "x"}, {"request_id", "def"}}, {{"X-Request-Id", "abc"}}), "cmpl-abc");
    EXPECT_EQ(id({{"prompt", "x"}}, {}).size(), 5u + 32);
    EXPECT_NE(id({{"prompt", "x"}}, {}), id({{"prompt", "x"}}, {}));
}

// Starts a streamed request of many tokens, lets the engine make `steps` steps with it and reads
// its first chunk.
http::Client begin_stream(Service& service, int prompt_tokens, int steps) {
    const int64_t open = service.open_replies();
    http::Client client = service.client();
    const Json body{
        {"prompt", std::vector<Token>(prompt_tokens, 65)}, {"max_tokens", 100}, {"stream", true}};
    EXPECT_TRUE(client.send("POST", "/v1/completions", body.dump()).ok());
    EXPECT_TRUE(wait_until([&] { return service.open_replies() == open + 1; }));
    service.gate.let_through(steps);
    EXPECT_EQ(client.receive_head().value().status, 200);
    EXPECT_TRUE(client.next_event().value().has_value());
    return client;
}

int count_events(http::Client& client) {
    int events = 0;
    while (client.next_event().value()) ++events;
    return events;
}

TEST(CompletionStream, AClientThatVanishesFreesItsBlocksWithinAStep) {
    Speaker speaker({.next = [](const Sequence&) { return Token{66}; }});
    Service& service = speaker.service;
    Engine& engine = service.engine();
    service.gate.close();
    http::Client stays = begin_stream(service, 10, 1);
    http::Client leaves = begin_stream(service, 300, 2);  // The first of them without it.
    // The engine waits in the middle of a step, with one block of one and five of the other.
    ASSERT_TRUE(wait_until([&] { return engine.stats().blocks_used == 6; }));
    leaves.reset();
    ASSERT_TRUE(wait_until([&] { return service.open_replies() == 1; }));
    const int64_t steps = engine.stats().steps;
    service.gate.let_through(1);
    EXPECT_TRUE(wait_until([&] { return engine.stats().blocks_used == 1; }));
    EXPECT_LE(engine.stats().steps, steps + 1);
    EXPECT_EQ(engine.stats().running, 1);
    service.gate.open();
    EXPECT_EQ(count_events(stays), 100);  // 99 chunks more, and "[DONE]".
    EXPECT_TRUE(wait_until([&] { return engine.stats().blocks_used == 0; }));
}

TEST(CompletionStream, AClientThatVanishesBeforeItsAnswerIsForgottenToo) {
    Speaker speaker({.next = [](const Sequence&) { return Token{66}; }});
    Service& service = speaker.service;
    service.gate.close();
    http::Client leaves = service.client();
    ASSERT_TRUE(leaves.send("POST", "/v1/completions", R"({"prompt":"x","max_tokens":400})").ok());
    ASSERT_TRUE(wait_until([&] { return service.open_replies() == 1; }));
    leaves.reset();
    EXPECT_TRUE(wait_until([&] { return service.open_replies() == 0; }));
    service.gate.let_through(2);
    EXPECT_TRUE(wait_until([&] { return service.engine().stats().blocks_used == 0; }));
    EXPECT_LE(service.engine().stats().generated_tokens, 2);
}

TEST(CompletionStream, BeyondTheQueueRequestsAreRefusedAndTheOthersEnd) {
    Service::Options options = saying("a");
    options.limits.batch_sequences_max = 1;
    options.limits.waiting_max = 3;
    Speaker speaker(std::move(options));
    Service& service = speaker.service;
    service.gate.close();
    std::vector<http::Client> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(service.client());
        ASSERT_TRUE(clients.back().send("POST", "/v1/completions", R"({"prompt":"x"})").ok());
        ASSERT_TRUE(wait_until([&] { return service.open_replies() == i + 1; }));
        // The first is computed, the others wait behind it.
        ASSERT_TRUE(wait_until([&] { return service.gate.arrivals() == 1; }));
    }
    for (int i = 0; i < 5; ++i) {
        const http::Response refused = service.post(R"({"prompt":"x"})");
        EXPECT_EQ(refused.status, 429);
        EXPECT_EQ(Json::parse(refused.body)["error"]["type"], "RateLimitError");
    }
    service.gate.open();
    for (http::Client& client : clients) {
        Result<http::Response> answer = client.receive();
        ASSERT_TRUE(answer.ok());
        EXPECT_EQ(answer.value().status, 200);
    }
    EXPECT_TRUE(wait_until([&] { return service.post(R"({"prompt":"x"})").status == 200; }));
}

// More choices than may wait: refused as a whole, and those that got in leave again.
TEST(CompletionStream, ARequestThatIsRefusedHalfWayLeavesNothing) {
    Service::Options options = saying("a");
    options.limits.waiting_max = 3;
    Speaker speaker(std::move(options));
    Service& service = speaker.service;
    service.gate.close();
    const Json body{{"prompt", "x"}, {"n", 50}};
    EXPECT_EQ(service.post(body.dump()).status, 429);
    EXPECT_EQ(service.open_replies(), 0);
    service.gate.open();
    EXPECT_TRUE(wait_until([&] { return service.post(R"({"prompt":"x"})").status == 200; }));
    EXPECT_TRUE(wait_until([&] {
        const EngineStats stats = service.engine().stats();
        return stats.running == 0 && stats.waiting == 0 && stats.blocks_used == 0;
    }));
    EXPECT_LE(service.engine().stats().generated_tokens, 20);
}

TEST(CompletionStream, PreemptedRequestsSayTheSame) {
    Service::Options options = saying(std::string(kText) + kText + kText);
    options.limits.num_blocks = 8;
    options.limits.block_tokens = 16;
    options.limits.sequence_tokens_max = 128;
    Speaker speaker(std::move(options));
    std::vector<std::thread> clients;
    speaker.service.gate.close();
    for (int i = 0; i < 6; ++i)
        clients.emplace_back([&] {
            const Json body{{"prompt", "x"}, {"max_tokens", 100}};
            const http::Response answer = speaker.service.post(body.dump());
            EXPECT_EQ(Json::parse(answer.body)["choices"][0]["text"],
                      std::string(kText) + kText + kText);
        });
    EXPECT_TRUE(wait_until([&] { return speaker.service.open_replies() == 6; }));
    speaker.service.gate.open();
    for (std::thread& client : clients) client.join();
    EXPECT_GT(speaker.service.engine().stats().preemptions, 0);
}

}  // namespace
}  // namespace fathom::testing
