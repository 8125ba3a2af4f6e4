#include "api/messages_request.h"

#include <gtest/gtest.h>

namespace fathom::api {
namespace {

using Kind = ToolChoice::Kind;

// Quotes are written as '.
std::string quoted(std::string text) {
    for (char& c : text)
        if (c == '\'') c = '"';
    return text;
}

std::string with(const std::string& fields) {
    return quoted("{'max_tokens':9,'messages':[{'role':'user','content':'hi'}]" +
                  (fields.empty() ? "" : "," + fields) + "}");
}

ChatRequest good_body(const std::string& body) {
    auto parsed = parse_messages_request(body, {});
    if (const auto* error = std::get_if<RequestError>(&parsed)) {
        ADD_FAILURE() << body << ": " << error->message;
        return {};
    }
    return std::get<ChatRequest>(std::move(parsed));
}

ChatRequest good(const std::string& fields) { return good_body(with(fields)); }

RequestError bad_body(const std::string& body) {
    auto parsed = parse_messages_request(body, {});
    if (const auto* error = std::get_if<RequestError>(&parsed)) return *error;
    ADD_FAILURE() << "accepted: " << body;
    return {};
}

using Lines = std::vector<std::string>;

// The messages as lines: "assistant[thought] text(id,name,arguments)".
Lines lines_of(const std::string& messages, const std::string& fields = "") {
    static constexpr const char* kRoles[] = {"system", "user", "assistant", "tool", "developer"};
    Lines lines;
    const ChatRequest request =
        good_body(quoted("{'max_tokens':9,'messages':[" + messages + "]" + fields + "}"));
    for (const ChatMessage& message : request.conversation.messages) {
        std::string line = kRoles[static_cast<int>(message.role)];
        if (!message.reasoning.empty()) line += "[" + message.reasoning + "]";
        if (!message.tool_call_id.empty()) line += "#" + message.tool_call_id;
        line += " " + message.content;
        for (const ToolCall& call : message.tool_calls)
            line += str("(", call.id, ",", call.name, ",", call.arguments, ")");
        lines.push_back(line);
    }
    return lines;
}

TEST(MessagesRequest, SystemAndTexts) {
    EXPECT_EQ(lines_of("{'role':'user','content':'hi'}", ",'system':'Be brief.'"),
              (Lines{"system Be brief.", "user hi"}));
    EXPECT_EQ(lines_of("{'role':'user','content':[{'type':'text','text':'a',"
                       "'cache_control':{'type':'ephemeral'}},{'type':'text','text':'b'}]}",
                       ",'system':[{'type':'text','text':'x'},{'type':'text','text':'y'}]"),
              (Lines{"system x\ny", "user a\nb"}));
}

TEST(MessagesRequest, TheBillingNoteIsLeftOut) {
    EXPECT_EQ(lines_of("{'role':'user','content':'hi'}",
                       ",'system':[{'type':'text','text':'x-anthropic-billing-header: cch=1;'},"
                       "{'type':'text','text':'You are an agent.'}]"),
              (Lines{"system You are an agent.", "user hi"}));
}

constexpr const char* kAsked = "{'role':'user','content':'weather?'},";
constexpr const char* kCalls =
    "{'role':'assistant','content':[{'type':'thinking','thinking':'hm','signature':''},"
    "{'type':'text','text':'I look.'},"
    "{'type':'tool_use','id':'t1','name':'f','input':{'city':'Oslo','days':2}},"
    "{'type':'tool_use','id':'t2','name':'g','input':{}}]},";
constexpr const char* kCallsLine =
    R"(assistant[hm] I look.(t1,f,{"city":"Oslo","days":2})(t2,g,{}))";

TEST(MessagesRequest, ResultsComeBeforeTheText) {
    EXPECT_EQ(
        lines_of(str(kAsked, kCalls, "{'role':'user','content':[{'type':'text','text':'and?'},",
                     "{'type':'tool_result','tool_use_id':'t1','content':'sun'},",
                     "{'type':'tool_result','tool_use_id':'t2','is_error':true,",
                     "'content':[{'type':'text','text':'no'},{'type':'text','text':'way'}]}",
                     "]}")),
        (Lines{"user weather?", kCallsLine, "tool#t1 sun", "tool#t2 Error: no\nway", "user and?"}));
}

TEST(MessagesRequest, ResultsAlone) {
    EXPECT_EQ(lines_of(str(kAsked, kCalls,
                           "{'role':'user','content':[{'type':'tool_result','tool_use_id':'t1'},",
                           "{'type':'tool_result','tool_use_id':'t2','is_error':true,",
                           "'content':'Error: known'}]}")),
              (Lines{"user weather?", kCallsLine, "tool#t1 ", "tool#t2 Error: known"}));
}

TEST(MessagesRequest, TurnsOfOneRoleAreOne) {
    EXPECT_EQ(lines_of("{'role':'user','content':'a'},{'role':'user','content':'b'},"
                       "{'role':'assistant','content':'c'},{'role':'assistant','content':'d'},"
                       "{'role':'user','content':'e'}"),
              (Lines{"user a\nb", "assistant c\nd", "user e"}));
    EXPECT_EQ(lines_of("{'role':'user','content':''},{'role':'assistant','content':'c'}"),
              (Lines{"user ", "assistant c"}));
}

// Agents put messages of the system between turns.
TEST(MessagesRequest, RemindersStayWhereTheyStand) {
    const std::string results =
        "{'role':'user','content':[{'type':'tool_result','tool_use_id':'t1','content':'sun'},"
        "{'type':'tool_result','tool_use_id':'t2','content':'sea'}]},";
    const std::string reminder = "{'role':'system','content':'9 tokens left'}";
    EXPECT_EQ(lines_of(str(kAsked, kCalls, results, reminder)),
              (Lines{"user weather?", kCallsLine, "tool#t1 sun", "tool#t2 sea\n9 tokens left"}));
    EXPECT_EQ(lines_of(kAsked + reminder), Lines{"user weather?\n9 tokens left"});
    EXPECT_EQ(lines_of(reminder + ",{'role':'user','content':'a'}", ",'system':'S'"),
              (Lines{"system S\n9 tokens left", "user a"}));
    EXPECT_EQ(lines_of(reminder + ",{'role':'user','content':'a'}"),
              (Lines{"system 9 tokens left", "user a"}));
    EXPECT_EQ(lines_of(str(kAsked, "{'role':'assistant','content':'ok'},", reminder)),
              (Lines{"user weather?", "assistant ok", "user 9 tokens left"}));
}

TEST(MessagesRequest, AnAssistantsLastWordsAreGoneOnFrom) {
    const auto goes_on = [](const std::string& last) {
        return good_body(quoted(str("{'max_tokens':9,'messages':[", kAsked, last, "]}")))
            .conversation.continue_final_message;
    };
    EXPECT_TRUE(goes_on("{'role':'assistant','content':'In Oslo'}"));
    EXPECT_FALSE(goes_on("{'role':'user','content':'?'}"));
}

TEST(MessagesRequest, HiddenThoughtsAreNotRead) {
    EXPECT_EQ(lines_of("{'role':'user','content':'a'},{'role':'assistant','content':["
                       "{'type':'redacted_thinking','data':'xyz'},{'type':'text','text':'b'}]}"),
              (Lines{"user a", "assistant b"}));
}

TEST(MessagesRequest, Tools) {
    const ChatRequest request = good(
        "'tools':[{'name':'f','description':'F.','input_schema':{'type':'object'},"
        "'cache_control':{'type':'ephemeral'}},{'type':'custom','name':'g','strict':true}]");
    const std::vector<Tool>& tools = request.conversation.tools;
    ASSERT_EQ(tools.size(), 2u);
    EXPECT_EQ(tools[0].function,
              R"({"name": "f", "description": "F.", "parameters": {"type": "object"}})");
    EXPECT_EQ(tools[0].parameters, R"({"type": "object"})");
    EXPECT_FALSE(tools[0].strict);
    EXPECT_TRUE(tools[1].strict);
    EXPECT_EQ(request.tool_choice.kind, Kind::automatic);
}

TEST(MessagesRequest, ToolChoice) {
    const auto choice = [](const char* json) {
        return good(str("'tools':[{'name':'f'},{'name':'g'}],'tool_choice':", json));
    };
    EXPECT_EQ(choice("{'type':'auto'}").tool_choice.kind, Kind::automatic);
    EXPECT_EQ(choice("{'type':'any'}").tool_choice.kind, Kind::required);
    EXPECT_EQ(choice("{'type':'none'}").tool_choice.kind, Kind::none);
    EXPECT_EQ(choice("{'type':'tool','name':'g'}").tool_choice.kind, Kind::named);
    EXPECT_EQ(choice("{'type':'tool','name':'g'}").tool_choice.name, "g");
    EXPECT_TRUE(choice("{'type':'auto'}").parallel_tool_calls);
    EXPECT_FALSE(choice("{'type':'auto','disable_parallel_tool_use':true}").parallel_tool_calls);
    EXPECT_EQ(good("'tool_choice':{'type':'auto'}").tool_choice.kind, Kind::none);
}

TEST(MessagesRequest, Thinking) {
    EXPECT_FALSE(good("").conversation.thinking);
    EXPECT_FALSE(good("'thinking':{'type':'disabled'}").conversation.thinking);
    EXPECT_TRUE(good("'thinking':{'type':'enabled','budget_tokens':2048}").conversation.thinking);
    EXPECT_TRUE(good("'thinking':{'type':'adaptive'}").conversation.thinking);
    EXPECT_TRUE(good("'thinking':{'type':'adaptive'}").include_reasoning);
    EXPECT_FALSE(good("'thinking':{'type':'adaptive','display':'omitted'}").include_reasoning);
    EXPECT_TRUE(good("'chat_template_kwargs':{'thinking':true}").conversation.thinking);
}

TEST(MessagesRequest, Sampling) {
    const ChatRequest request = good(
        "'stop_sequences':['a','b'],'temperature':0.5,'top_p':0.9,'top_k':5,'stream':true,"
        "'metadata':{'user_id':'u'},'service_tier':'auto','model':'m',"
        "'output_config':{'effort':'high','format':{'type':'json_schema','schema':{'a':1}}}");
    EXPECT_EQ(request.max_tokens, 9);
    EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(request.temperature, 0.5);
    EXPECT_EQ(request.top_p, 0.9);
    EXPECT_EQ(request.top_k, 5);
    EXPECT_TRUE(request.stream);
    EXPECT_EQ(request.model, "m");
    ASSERT_TRUE(request.grammar);
    EXPECT_EQ(request.grammar->text, R"({"a":1})");
}

TEST(MessagesRequest, CountingNeedsNoLength) {
    const auto parsed = parse_count_tokens_request(
        quoted("{'model':'m','system':'S','messages':[{'role':'user','content':'hi'}],"
               "'tools':[{'name':'f'}],'thinking':{'type':'adaptive'}}"));
    const auto& request = std::get<ChatRequest>(parsed);
    EXPECT_EQ(request.model, "m");
    EXPECT_EQ(request.conversation.messages.size(), 2u);
    EXPECT_EQ(request.conversation.tools.size(), 1u);
    EXPECT_TRUE(request.conversation.thinking);
    EXPECT_TRUE(std::holds_alternative<RequestError>(parse_count_tokens_request("{}")));
}

struct Refused {
    const char* fields;
    const char* param;
    const char* words;  // What the sentence must name.
};

class Refusals : public ::testing::TestWithParam<Refused> {};

TEST_P(Refusals, NameTheField) {
    const RequestError error = bad_body(with(GetParam().fields));
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.param, GetParam().param);
    EXPECT_NE(error.message.find(GetParam().words), std::string::npos) << error.message;
}

const Refused kRefused[] = {
    {"'max_tokens':0", "max_tokens", "max_tokens must be at least 1, got 0."},
    {"'max_tokens':null", "max_tokens", "max_tokens: Field required"},
    {"'messages':[]", "messages", "messages: Field required"},
    {"'messages':[{'role':'critic','content':'a'}]", "messages.0.role", "\"critic\""},
    {"'messages':[{'role':'user'}]", "messages.0.content", "messages.0.content: Field required"},
    {"'messages':[{'role':'user','content':[{'type':'image','source':{}}]}]",
     "messages.0.content.0.type", "\"image\""},
    {"'messages':[{'role':'user','content':[{'type':'tool_result','tool_use_id':'t','content':"
     "[{'type':'image','source':{}}]}]}]",
     "messages.0.content.0.content.0.type", "\"image\""},
    {"'messages':[{'role':'assistant','content':[{'type':'server_tool_use','id':'t'}]}]",
     "messages.0.content.0.type", "\"server_tool_use\""},
    {"'messages':[{'role':'assistant','content':[{'type':'tool_use','id':'t'}]}]",
     "messages.0.content.0.name", "messages.0.content.0.name: Field required"},
    {"'system':[{'type':'image','source':{}}]", "system.0.type", "\"image\""},
    {"'tools':[{'type':'web_search_20250305','name':'web_search'}]", "tools.0.type",
     "\"web_search_20250305\""},
    {"'tools':[{'input_schema':{}}]", "tools.0.name", "tools.0.name: Field required"},
    {"'tool_choice':{'type':'any'}", "tool_choice", "`tools` must be set"},
    {"'tools':[{'name':'f'}],'tool_choice':{'type':'some'}", "tool_choice", "\"some\""},
    {"'tools':[{'name':'f'}],'tool_choice':{'type':'tool','name':'g'}", "tool_choice", "\"g\""},
    {"'thinking':{'type':'hard'}", "thinking.type", "\"hard\""},
    {"'output_config':{'format':{'type':'xml'}}", "output_config.format", "json_schema"},
    {"'mcp_servers':[{'url':'u'}]", "mcp_servers", "`mcp_servers`"},
    {"'container':'c'", "container", "`container`"},
    {"'stop_sequences':['']", "stop", "stop cannot contain an empty string."},
    {"'n':2", "n", "n must be 1, got 2"},
    {"'temperature':-1", "temperature", "got -1.0"},
};

INSTANTIATE_TEST_SUITE_P(Messages, Refusals, ::testing::ValuesIn(kRefused));

}  // namespace
}  // namespace fathom::api
