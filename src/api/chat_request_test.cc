#include "api/chat_request.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "text/chat_format.h"

namespace fathom::api {
namespace {

using Kind = ToolChoice::Kind;

// Quotes may be written as '.
std::string json(std::string text) {
    for (char& c : text)
        if (c == '\'') c = '"';
    return text;
}

std::string with(const std::string& fields) {
    return json(str("{'messages':[{'role':'user','content':'Hi'}]", fields.empty() ? "" : ",",
                    fields, "}"));
}

std::string of_messages(const std::string& messages) {
    return json("{'messages':[" + messages + "]}");
}

ChatRequest good_body(const std::string& body) {
    auto parsed = parse_chat_request(body, {});
    if (const auto* error = std::get_if<RequestError>(&parsed)) {
        ADD_FAILURE() << body << ": " << error->message;
        return {};
    }
    return std::get<ChatRequest>(std::move(parsed));
}

ChatRequest good(const std::string& fields) { return good_body(with(fields)); }

// "param: message".
std::string bad_body(const std::string& body) {
    auto parsed = parse_chat_request(body, {});
    if (const auto* error = std::get_if<RequestError>(&parsed)) {
        EXPECT_EQ(error->status, 400);
        return error->param + ": " + error->message;
    }
    return "accepted";
}

std::string bad(const std::string& fields) { return bad_body(with(fields)); }

ChatMessage only_message(const std::string& message) {
    const ChatRequest request = good_body(of_messages(message));
    return request.conversation.messages.empty() ? ChatMessage{} : request.conversation.messages[0];
}

constexpr const char* kTools =
    "'tools':[{'type':'function','function':{'name':'f','description':null,"
    "'parameters':{'type':'object','x':1e2},'strict':true}}]";

TEST(ChatRequest, Defaults) {
    const ChatRequest request = good("");
    EXPECT_EQ(request.max_tokens, 0);
    EXPECT_FALSE(request.logprobs.has_value());
    EXPECT_EQ(request.tool_choice.kind, Kind::none);
    EXPECT_TRUE(request.parallel_tool_calls);
    EXPECT_TRUE(request.include_reasoning);
    EXPECT_FALSE(request.echo || request.add_special_tokens);
    EXPECT_FALSE(request.conversation.thinking);
    ASSERT_EQ(request.conversation.messages.size(), 1u);
    EXPECT_EQ(request.conversation.messages[0].role, Role::user);
    EXPECT_EQ(request.conversation.messages[0].content, "Hi");
    // null is a default, and what is not known does not matter.
    good(
        "'max_tokens':null,'tools':null,'tool_choice':null,'logprobs':null,'thinking':null,"
        "'chat_template':null,'parallel_tool_calls':null,'verbosity':'low','store':true,"
        "'metadata':{'a':1},'documents':[{}],'reasoning_effort':null");
}

TEST(ChatRequest, NumbersOfTokens) {
    EXPECT_EQ(good("'max_tokens':5").max_tokens, 5);
    EXPECT_EQ(good("'max_completion_tokens':6,'max_tokens':5").max_tokens, 6);
    EXPECT_EQ(good("'max_completion_tokens':null,'max_tokens':5").max_tokens, 5);
    EXPECT_EQ(good("'min_tokens':20").min_tokens, 20);
    EXPECT_EQ(bad("'max_tokens':0"), "max_tokens: max_tokens must be at least 1, got 0.");
    EXPECT_EQ(bad("'max_completion_tokens':-1"),
              "max_completion_tokens: max_tokens must be at least 1, got -1.");
    EXPECT_EQ(bad("'max_tokens':5,'min_tokens':9"),
              "min_tokens: min_tokens must be less than or equal to max_tokens=5, got 9.");
}

TEST(ChatRequest, Logprobs) {
    EXPECT_EQ(good("'logprobs':true").logprobs, 0);
    EXPECT_EQ(good("'logprobs':true,'top_logprobs':3").logprobs, 3);
    EXPECT_FALSE(good("'logprobs':false,'top_logprobs':0").logprobs.has_value());
    EXPECT_EQ(bad("'top_logprobs':3"),
              "top_logprobs: when using `top_logprobs`, `logprobs` must be set to true.");
    EXPECT_EQ(bad("'logprobs':true,'top_logprobs':-2"),
              "top_logprobs: `top_logprobs` must be a positive value or -1.");
    EXPECT_NE(bad("'logprobs':true,'top_logprobs':21").find("greater than max allowed: 20"),
              std::string::npos);
}

TEST(ChatRequest, Thinking) {
    const std::pair<const char*, bool> kCases[] = {
        {"'chat_template_kwargs':{'thinking':true}", true},
        {"'chat_template_kwargs':{'enable_thinking':true}", true},
        {"'chat_template_kwargs':{'thinking':1}", true},
        {"'chat_template_kwargs':{'thinking':false}", false},
        {"'chat_template_kwargs':{'other':true}", false},
        {"'thinking':{'type':'enabled'}", true},
        {"'thinking':{'type':'disabled'},'reasoning_effort':'high'", false},
        {"'thinking':true", true},
        {"'reasoning_effort':'low'", true},
        {"'reasoning_effort':'none'", false},
        {"'chat_template_kwargs':{'thinking':false},'reasoning_effort':'high'", false},
        {"'chat_template_kwargs':{'enable_thinking':false},'thinking':{'type':'enabled'}", false},
    };
    for (const auto& [fields, expected] : kCases)
        EXPECT_EQ(good(fields).conversation.thinking, expected) << fields;
    EXPECT_EQ(bad("'thinking':{'type':'maybe'}"),
              "thinking: thinking has the type \"maybe\"; use \"enabled\" or \"disabled\"");
    EXPECT_EQ(bad("'reasoning_effort':'huge'"),
              "reasoning_effort: reasoning_effort is \"huge\"; use none, minimal, low, medium, "
              "high, xhigh or max");
}

TEST(ChatRequest, Contents) {
    EXPECT_EQ(only_message("{'role':'user','content':null}").content, "");
    EXPECT_EQ(only_message("{'role':'user'}").content, "");
    EXPECT_EQ(only_message("{'role':'user','content':[]}").content, "");
    EXPECT_EQ(only_message("{'role':'user','content':[{'type':'text','text':'a'},'b',"
                           "{'type':'input_text','text':''},{'type':'output_text','text':'c'},"
                           "{'type':'refusal','refusal':'d'},{'type':'thinking','thinking':'e'}]}")
                  .content,
              "a\nb\n\nc\nd\ne");
    EXPECT_EQ(bad_body(of_messages(
                  "{'role':'user','content':[{'type':'text','text':'a'},{'type':'image_url'}]}")),
              "messages.0.content.1.type: This model reads text only, and a part is of type "
              "\"image_url\"; send parts of type \"text\"");
    EXPECT_NE(bad_body(of_messages("{'role':'user','content':5}")).find("messages.0.content"),
              std::string::npos);
    EXPECT_NE(bad_body(of_messages("{'role':'user','content':[5]}")).find("messages.0.content.0"),
              std::string::npos);
    EXPECT_NE(bad_body(of_messages("{'role':'user','content':[{'type':'text'}]}"))
                  .find("'messages.0.content.0.text'), 'msg': 'Field required'"),
              std::string::npos);
}

TEST(ChatRequest, Roles) {
    for (const char* role : {"system", "user", "assistant", "tool", "developer"})
        good_body(of_messages(str("{'role':'", role, "','content':'x'}")));
    EXPECT_EQ(bad_body(of_messages("{'role':'user'},{'role':'function','content':'x'}")),
              "messages.1.role: Unknown role: \"function\"; use system, developer, user, assistant "
              "or tool");
    EXPECT_NE(
        bad_body(of_messages("{'content':'x'}")).find("'messages.0.role'), 'msg': 'Field req"),
        std::string::npos);
    EXPECT_EQ(bad_body("{}"),
              "messages: [{'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field "
              "required'}]");
    EXPECT_EQ(bad_body(of_messages("")), "messages: messages is empty; send at least one message");
    EXPECT_NE(bad_body(json("{'messages':'Hi'}")).find("valid list"), std::string::npos);
    EXPECT_NE(bad_body(of_messages("5")).find("messages.0"), std::string::npos);
}

// What openai-python sends back: its own keys with null, and the server's own.
TEST(ChatRequest, AnswersAreTakenBack) {
    const ChatMessage message = only_message(
        "{'role':'assistant','content':null,'refusal':null,'annotations':null,'audio':null,"
        "'function_call':null,'reasoning':'R','reasoning_content':'R','tool_calls':[{'id':'1',"
        "'type':'function','index':0,'function':{'name':'f','arguments':'{}'}},{'id':null,"
        "'function':{'name':'g','arguments':''}},{'function':{'name':'h','arguments':null}},"
        "{'function':{'name':'i','arguments':{'a':1}}}]}");
    EXPECT_EQ(message.content, "");
    EXPECT_EQ(message.reasoning, "R");
    ASSERT_EQ(message.tool_calls.size(), 4u);
    EXPECT_EQ(message.tool_calls[0].id, "1");
    EXPECT_EQ(message.tool_calls[0].name, "f");
    EXPECT_EQ(message.tool_calls[0].arguments, "{}");
    EXPECT_EQ(message.tool_calls[1].arguments, "");
    EXPECT_EQ(message.tool_calls[2].arguments, "");
    EXPECT_EQ(message.tool_calls[3].arguments, "{\"a\":1}");
    EXPECT_EQ(
        only_message("{'role':'assistant','reasoning':null,'reasoning_content':'O'}").reasoning,
        "O");
    EXPECT_TRUE(only_message("{'role':'assistant','tool_calls':[],'prefix':true}").prefix);
    EXPECT_EQ(only_message("{'role':'tool','tool_call_id':'7','content':['a']}").tool_call_id, "7");
    EXPECT_NE(bad_body(of_messages("{'role':'assistant','tool_calls':[{'id':'1'}]}"))
                  .find("'messages.0.tool_calls.0.function'), 'msg': 'Field required'"),
              std::string::npos);
    EXPECT_NE(bad_body(of_messages("{'role':'assistant','tool_calls':[{'function':{}}]}"))
                  .find("'messages.0.tool_calls.0.function.name'"),
              std::string::npos);
    EXPECT_NE(bad_body(of_messages("{'role':'assistant','function_call':{'name':'f'}}"))
                  .find("send tool_calls"),
              std::string::npos);
}

TEST(ChatRequest, Tools) {
    const ChatRequest request = good(kTools);
    EXPECT_EQ(request.tool_choice.kind, Kind::automatic);
    ASSERT_EQ(request.conversation.tools.size(), 1u);
    const Tool& tool = request.conversation.tools[0];
    EXPECT_EQ(tool.name, "f");
    // As sent, without what is null.
    EXPECT_EQ(tool.function,
              "{\"name\": \"f\", \"parameters\": {\"type\": \"object\", \"x\": "
              "100.0}, \"strict\": true}");
    EXPECT_EQ(tool.parameters, "{\"type\": \"object\", \"x\": 100.0}");
    EXPECT_TRUE(tool.strict);
    const Tool bare = good("'tools':[{'function':{'name':'g'}}]").conversation.tools.at(0);
    EXPECT_EQ(bare.function, "{\"name\": \"g\"}");
    EXPECT_EQ(bare.parameters, "");
    EXPECT_FALSE(bare.strict);
    EXPECT_EQ(good("'tools':[]").tool_choice.kind, Kind::none);
    EXPECT_NE(bad("'tools':[{'type':'function'}]").find("'tools.0.function'"), std::string::npos);
    EXPECT_NE(bad("'tools':[{'function':{}}]").find("'tools.0.function.name'"), std::string::npos);
    EXPECT_NE(bad("'tools':[{'function':{'name':'f','parameters':5}}]")
                  .find("tools.0.function.parameters"),
              std::string::npos);
    EXPECT_EQ(bad("'tools':[{'type':'web_search'}]"),
              "tools.0.type: a tool is of type \"web_search\", and only \"function\" is supported; "
              "leave it out");
    // In messages, as the checkpoint's own goldens have them.
    const ChatRequest inner = good_body(of_messages(str(
        "{'role':'developer','content':'x',", kTools, ",'response_format':{'type':'object'}}")));
    EXPECT_EQ(inner.tool_choice.kind, Kind::automatic);
    EXPECT_EQ(inner.conversation.messages[0].tools.at(0).name, "f");
    EXPECT_EQ(inner.conversation.messages[0].response_format, "{\"type\": \"object\"}");
}

TEST(ChatRequest, ToolChoice) {
    const auto choice = [](const char* text) {
        return good(str(kTools, ",'tool_choice':", text)).tool_choice;
    };
    EXPECT_EQ(choice("'none'").kind, Kind::none);
    EXPECT_EQ(choice("'auto'").kind, Kind::automatic);
    EXPECT_EQ(choice("null").kind, Kind::automatic);
    EXPECT_EQ(choice("'required'").kind, Kind::required);
    const ToolChoice named = choice("{'type':'function','function':{'name':'f'}}");
    EXPECT_EQ(named.kind, Kind::named);
    EXPECT_EQ(named.name, "f");
    EXPECT_EQ(good("'tool_choice':'none'").tool_choice.kind, Kind::none);
    EXPECT_EQ(good("'tools':[],'tool_choice':'auto'").tool_choice.kind, Kind::none);
    const std::string unset = "tool_choice: When using `tool_choice`, `tools` must be set.";
    EXPECT_EQ(bad("'tool_choice':'auto'"), unset);
    EXPECT_EQ(bad("'tool_choice':'required'"), unset);
    EXPECT_EQ(bad("'tools':[],'tool_choice':'required'"), unset);
    EXPECT_EQ(bad("'tool_choice':{'type':'function','function':{'name':'f'}}"), unset);
    const std::string mismatch =
        "tool_choice: The tool specified in `tool_choice` does not match any of the specified "
        "`tools`";
    for (const char* text :
         {"{'type':'function','function':{'name':'g'}}", "{'function':{}}", "{}"})
        EXPECT_EQ(bad(str(kTools, ",'tool_choice':", text)), mismatch) << text;
    for (const char* text : {"'any'", "5", "true"})
        EXPECT_NE(
            bad(str(kTools, ",'tool_choice':", text))
                .find("! Only named tools, \"none\", \"auto\" or \"required\" are supported."),
            std::string::npos)
            << text;
}

TEST(ChatRequest, Continuation) {
    EXPECT_TRUE(good("'continue_final_message':true,'add_generation_prompt':false")
                    .conversation.continue_final_message);
    EXPECT_TRUE(good("'continue_final_message':true").conversation.continue_final_message);
    EXPECT_EQ(bad("'continue_final_message':true,'add_generation_prompt':true"),
              "continue_final_message: Cannot set both `continue_final_message` and "
              "`add_generation_prompt` to True.");
    EXPECT_NE(bad("'chat_template':'{{x}}'").find("untrusted chat template"), std::string::npos);
}

TEST(ChatRequest, SharedFieldsAndOptions) {
    const ChatRequest request = good(
        "'model':'m','stop':'x','n':2,'seed':7,'echo':true,'include_reasoning':false,"
        "'parallel_tool_calls':false,'add_special_tokens':true,'bad_words':['b'],"
        "'response_format':{'type':'json_object'}");
    EXPECT_EQ(request.model, "m");
    EXPECT_EQ(request.n, 2);
    EXPECT_TRUE(request.echo && request.add_special_tokens);
    EXPECT_FALSE(request.include_reasoning || request.parallel_tool_calls);
    EXPECT_EQ(request.grammar->kind, GrammarSpec::Kind::json_object);
    EXPECT_EQ(bad("'temperature':-1"), "temperature: temperature must be non-negative, got -1.0.");
    EXPECT_NE(bad("'response_format':{'type':'json_schema'}").find("'json_schema' field must"),
              std::string::npos);
}

TEST(ChatRequest, LengthIsSettled) {
    ChatRequest request = good("");
    EXPECT_FALSE(settle_length(request, 10, 100).has_value());
    EXPECT_EQ(request.max_tokens, 90);
    request.max_tokens = 90;
    EXPECT_FALSE(settle_length(request, 10, 100).has_value());
    request.max_tokens = 91;
    EXPECT_EQ(settle_length(request, 10, 100)->message,
              "'max_tokens' or 'max_completion_tokens' is too large: 91. This model's maximum "
              "context length is 100 tokens and your request has 10 input tokens (91 > 100 - 10).");
    EXPECT_EQ(settle_length(request, 100, 100)->message,
              "This model's maximum context length is 100 tokens. However, your request has 100 "
              "input tokens. Please reduce the length of the input messages.");
    request = good("'min_tokens':95");
    EXPECT_EQ(settle_length(request, 10, 100)->message,
              "min_tokens must be less than or equal to max_tokens=90, got 95.");
}

// The checkpoint's own goldens as bodies.
TEST(ChatRequest, GoldenBodiesGiveGoldenPrompts) {
    const std::filesystem::path folder =
        std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/golden/chat";
    for (const char* suffix : {"", "_search_wo_date"}) {
        const std::string input = str("test_input", suffix, ".json");
        const std::string output = str("test_output", suffix, ".txt");
        std::string body = read_text(folder / input, 1 << 20).value();
        body.insert(body.find('{') + 1, R"("chat_template_kwargs":{"thinking":true},)");
        std::string expected = read_text(folder / output, 1 << 20).value();
        if (expected.ends_with('\n')) expected.pop_back();
        const ChatRequest request = good_body(body);
        EXPECT_EQ(ChatFormat().render(request.conversation).value().text, expected) << suffix;
        EXPECT_EQ(request.tool_choice.kind, Kind::automatic);
    }
}

}  // namespace
}  // namespace fathom::api
