#include "api/responses_request.h"

#include <gtest/gtest.h>

#include "text/json_value.h"

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
    return quoted("{'input':'hi'" + (fields.empty() ? "" : "," + fields) + "}");
}

ResponsesRequest good_body(const std::string& body) {
    auto parsed = parse_responses_request(body, {});
    if (const auto* error = std::get_if<RequestError>(&parsed)) {
        ADD_FAILURE() << body << ": " << error->message;
        return {};
    }
    return std::get<ResponsesRequest>(std::move(parsed));
}

ChatRequest good(const std::string& fields) { return good_body(with(fields)).chat; }

RequestError bad_body(const std::string& body) {
    auto parsed = parse_responses_request(body, {});
    if (const auto* error = std::get_if<RequestError>(&parsed)) return *error;
    ADD_FAILURE() << "accepted: " << body;
    return {};
}

// The messages as lines: "assistant[thought] text call(id,name,arguments)".
std::vector<std::string> lines_of(const std::string& input) {
    static constexpr const char* kRoles[] = {"system", "user", "assistant", "tool", "developer"};
    std::vector<std::string> lines;
    const ResponsesRequest request = good_body(quoted("{'input':" + input + "}"));
    for (const ChatMessage& message : request.chat.conversation.messages) {
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

using Lines = std::vector<std::string>;

TEST(ResponsesRequest, TextIsTheUsers) {
    EXPECT_EQ(lines_of("'hi'"), Lines{"user hi"});
    const ChatRequest request = good("'instructions':'Be brief.'");
    ASSERT_EQ(request.conversation.messages.size(), 2u);
    EXPECT_EQ(request.conversation.messages[0].role, Role::system);
    EXPECT_EQ(request.conversation.messages[0].content, "Be brief.");
}

TEST(ResponsesRequest, MessagesOfEveryForm) {
    EXPECT_EQ(lines_of("[{'role':'developer','content':'D'},"
                       "{'type':'message','role':'user','content':["
                       "{'type':'input_text','text':'a'},{'type':'input_text','text':'b'}]},"
                       "{'type':'message','role':'assistant','id':'msg_1','status':'completed',"
                       "'content':[{'type':'output_text','text':'c','annotations':[]},"
                       "{'type':'refusal','refusal':'no'}]},{'role':'system','content':'S'}]"),
              (Lines{"developer D", "user a\nb", "assistant c\nno", "system S"}));
}

// What an agent sends back: thought, text and parallel calls, then the results in any order.
TEST(ResponsesRequest, ItemsOfOneTurnAreOneMessage) {
    const std::string call_1 =
        "{'type':'function_call','call_id':'c1','name':'f','arguments':'{}'},";
    const std::string call_2 =
        "{'type':'function_call','call_id':'c2','name':'g','arguments':'{}'},";
    const std::string result_1 = "{'type':'function_call_output','call_id':'c1','output':'one'},";
    const std::string result_2 =
        "{'type':'function_call_output','call_id':'c2',"
        "'output':[{'type':'input_text','text':'two'}]},";
    const std::string thought =
        "{'type':'reasoning','id':'rs_1','summary':[],"
        "'content':[{'type':'reasoning_text','text':'hm'}]},";
    const std::string text = "{'role':'assistant','content':'so'},";
    const std::string user = "{'role':'user','content':'u'}";
    const auto lines = [&](const std::string& items) { return lines_of("[" + items + user + "]"); };
    EXPECT_EQ(
        lines(thought + text + call_1 + call_2 + result_2 + result_1),
        (Lines{"assistant[hm] so(c1,f,{})(c2,g,{})", "tool#c2 two", "tool#c1 one", "user u"}));
    // One after the other are two turns.
    EXPECT_EQ(lines(call_1 + result_1 + thought + call_2 + result_2),
              (Lines{"assistant (c1,f,{})", "tool#c1 one", "assistant[hm] (c2,g,{})", "tool#c2 two",
                     "user u"}));
    // What stands between calls that wait for results does not part them from those.
    EXPECT_EQ(lines(text + call_1 + thought + text + call_2 + result_1 + result_2),
              (Lines{"assistant[hm] so\n\nso(c1,f,{})(c2,g,{})", "tool#c1 one", "tool#c2 two",
                     "user u"}));
    // Two answers stay two.
    EXPECT_EQ(lines(text + thought + text), (Lines{"assistant so", "assistant[hm] so", "user u"}));
}

TEST(ResponsesRequest, ThoughtsAsTheyCome) {
    EXPECT_EQ(lines_of("[{'type':'reasoning','summary':[{'type':'summary_text','text':'a'},"
                       "{'type':'summary_text','text':'b'}]},{'role':'assistant','content':'c'}]"),
              Lines{"assistant[a\nb] c"});
    EXPECT_EQ(lines_of("[{'type':'reasoning','summary':[],'encrypted_content':'xyz'},"
                       "{'role':'user','content':'c'}]"),
              Lines{"user c"});
}

TEST(ResponsesRequest, ToolsAreFlat) {
    const ChatRequest request = good(
        "'tools':[{'type':'function','name':'f','description':'F.','strict':true,"
        "'parameters':{'type':'object','properties':{}}},"
        "{'type':'function','name':'g','parameters':null,'strict':null}]");
    const std::vector<Tool>& tools = request.conversation.tools;
    ASSERT_EQ(tools.size(), 2u);
    EXPECT_EQ(tools[0].name, "f");
    EXPECT_EQ(tools[0].function,
              R"({"name": "f", "description": "F.", "parameters": {"type": "object", )"
              R"("properties": {}}})");
    EXPECT_EQ(tools[0].parameters, R"({"type": "object", "properties": {}})");
    EXPECT_TRUE(tools[0].strict);
    EXPECT_EQ(tools[1].function, R"({"name": "g"})");
    EXPECT_EQ(tools[1].parameters, "");
    EXPECT_FALSE(tools[1].strict);
    EXPECT_EQ(request.tool_choice.kind, Kind::automatic);
    EXPECT_EQ(good("").tool_choice.kind, Kind::none);
}

constexpr const char* kTwoTools =
    "'tools':[{'type':'function','name':'f'},{'type':'function','name':'g'}],";

TEST(ResponsesRequest, ToolChoiceInAllItsForms) {
    const auto choice = [](const char* json) {
        return good(str(kTwoTools, "'tool_choice':", json)).tool_choice;
    };
    EXPECT_EQ(choice("'none'").kind, Kind::none);
    EXPECT_EQ(choice("'auto'").kind, Kind::automatic);
    EXPECT_EQ(choice("'required'").kind, Kind::required);
    EXPECT_EQ(choice("{'type':'function','name':'g'}").kind, Kind::named);
    EXPECT_EQ(choice("{'type':'function','name':'g'}").name, "g");
    EXPECT_EQ(good("'tool_choice':'auto'").tool_choice.kind, Kind::none);

    const ChatRequest allowed =
        good(str(kTwoTools, "'tool_choice':{'type':'allowed_tools','mode':'required','tools':[",
                 "{'type':'function','name':'g'}]}"));
    EXPECT_EQ(allowed.tool_choice.kind, Kind::required);
    ASSERT_EQ(allowed.conversation.tools.size(), 1u);
    EXPECT_EQ(allowed.conversation.tools[0].name, "g");
}

TEST(ResponsesRequest, Thinking) {
    EXPECT_FALSE(good("").conversation.thinking);
    EXPECT_FALSE(good("'reasoning':{'effort':null,'summary':'auto'}").conversation.thinking);
    EXPECT_FALSE(good("'reasoning':{'effort':'none'}").conversation.thinking);
    EXPECT_TRUE(good("'reasoning':{'effort':'low'}").conversation.thinking);
    EXPECT_TRUE(good("'chat_template_kwargs':{'thinking':true}").conversation.thinking);
    EXPECT_TRUE(good("'chat_template_kwargs':{'enable_thinking':true}").conversation.thinking);
    EXPECT_FALSE(good("'chat_template_kwargs':{'thinking':false},'reasoning':{'effort':'high'}")
                     .conversation.thinking);
}

TEST(ResponsesRequest, Sampling) {
    const ChatRequest request = good(
        "'max_output_tokens':7,'temperature':0.5,'top_p':0.9,'top_k':5,'stream':true,"
        "'parallel_tool_calls':false,'model':'m'");
    EXPECT_EQ(request.max_tokens, 7);
    EXPECT_EQ(request.temperature, 0.5);
    EXPECT_EQ(request.top_p, 0.9);
    EXPECT_EQ(request.top_k, 5);
    EXPECT_TRUE(request.stream);
    EXPECT_FALSE(request.parallel_tool_calls);
    EXPECT_EQ(request.model, "m");
    EXPECT_EQ(good("'min_tokens':5").max_tokens, 0);  // As many as there is room for.
}

TEST(ResponsesRequest, TextFormat) {
    const auto grammar = [](const char* format) {
        return good(str("'text':{'format':", format, ",'verbosity':'low'}")).grammar;
    };
    EXPECT_FALSE(grammar("{'type':'text'}"));
    EXPECT_FALSE(grammar("null"));
    EXPECT_EQ(grammar("{'type':'json_object'}")->kind, GrammarSpec::Kind::json_object);
    const auto schema = grammar("{'type':'json_schema','name':'n','schema':{'type':'object'}}");
    EXPECT_EQ(schema->kind, GrammarSpec::Kind::json_schema);
    EXPECT_EQ(schema->text, R"({"type":"object"})");
}

TEST(ResponsesRequest, AcceptedAndWithoutMeaning) {
    good(
        "'store':true,'metadata':{'a':'b'},'user':'u','truncation':'auto','service_tier':'auto',"
        "'include':['reasoning.encrypted_content'],'previous_response_id':null,"
        "'background':false,'conversation':null,'prompt_cache_key':'k','top_logprobs':0,"
        "'max_tool_calls':3,'unheard_of':1");
}

TEST(ResponsesRequest, TheAnswerRepeatsTheRequest) {
    EXPECT_EQ(good_body(with("")).echo,
              R"("background":false,"instructions":null,"max_output_tokens":null,)"
              R"("max_tool_calls":null,"metadata":{},"parallel_tool_calls":true,)"
              R"("previous_response_id":null,"prompt_cache_key":null,)"
              R"("reasoning":{"effort":null,"summary":null},"safety_identifier":null,)"
              R"("service_tier":"default","store":false,"temperature":1.0,)"
              R"("text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],)"
              R"("top_logprobs":0,"top_p":1.0,"truncation":"disabled","user":null)");
    const std::string echo =
        good_body(with("'temperature':0,'top_p':0.5,'max_output_tokens':9,'store':true,"
                       "'tools':[{'type':'function','name':'f'}],'tool_choice':'required',"
                       "'metadata':{'a':'b'},'user':'u'"))
            .echo;
    for (const char* part : {"'temperature':0.0", "'top_p':1.0", "'max_output_tokens':9",
                             "'store':false", "'tools':[{'type':'function','name':'f'}]",
                             "'tool_choice':'required'", "'metadata':{'a':'b'}", "'user':'u'"})
        EXPECT_NE(echo.find(quoted(part)), echo.npos) << part << " in " << echo;
    EXPECT_TRUE(JsonValue::parse("{" + echo + "}").ok());
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
    {"'previous_response_id':'resp_1'", "previous_response_id", "`previous_response_id`: no answ"},
    {"'conversation':'conv_1'", "conversation", "`conversation`: no conversations"},
    {"'conversation':{'id':'conv_1'}", "conversation", "`conversation`: no conversations"},
    {"'prompt':{'id':'p'}", "prompt", "`prompt`: no prompts"},
    {"'background':true", "background", "`background`: answers"},
    {"'top_logprobs':3", "top_logprobs", "`top_logprobs`: logprobs"},
    {"'include':['message.output_text.logprobs']", "include", "message.output_text.logprobs"},
    {"'n':2", "n", "n must be 1, got 2"},
    {"'prompt_logprobs':1", "prompt_logprobs", "`prompt_logprobs`"},
    {"'max_output_tokens':0", "max_output_tokens", "max_output_tokens must be at least 1, got 0."},
    {"'temperature':-1", "temperature", "got -1.0"},
    {"'tools':[{'type':'web_search'}]", "tools.0.type", "\"web_search\""},
    {"'tools':[{'type':'function'}]", "tools.0.name", "tools.0.name: Field required"},
    {"'tools':[{'type':'function','name':''}]", "tools.0.name", "tools.0.name is empty"},
    {"'tool_choice':'required'", "tool_choice", "`tools` must be set"},
    {"'tool_choice':'some'", "tool_choice", "\"some\""},
    {"'tools':[{'type':'function','name':'f'}],'tool_choice':{'type':'function','name':'g'}",
     "tool_choice", "\"g\""},
    {"'tools':[{'type':'function','name':'f'}],'tool_choice':{'type':'file_search'}", "tool_choice",
     "\"file_search\""},
    {"'tools':[{'type':'function','name':'f'}],'tool_choice':{'type':'allowed_tools',"
     "'mode':'auto','tools':[{'type':'function','name':'g'}]}",
     "tool_choice", "\"g\""},
    {"'text':{'format':{'type':'json_schema','name':'n'}}", "text.format.schema", "`schema`"},
    {"'text':{'format':{'type':'xml'}}", "text.format", "\"xml\""},
    {"'input':[]", "input", "input: Field required"},
    {"'input':[{'type':'item_reference','id':'msg_1'}]", "input.0.type", "\"item_reference\""},
    {"'input':[{'role':'user','content':'a'},{'type':'web_search_call','id':'w'}]", "input.1.type",
     "input.1 is of type \"web_search_call\""},
    {"'input':[{'role':'user','content':[{'type':'input_image','image_url':'x'}]}]",
     "input.0.content.0.type", "\"input_image\""},
    {"'input':[{'role':'critic','content':'a'}]", "input.0.role", "\"critic\""},
    {"'input':[{'type':'function_call','call_id':'c','name':'f'}]", "input.0.arguments",
     "input.0.arguments: Field required"},
};

INSTANTIATE_TEST_SUITE_P(Responses, Refusals, ::testing::ValuesIn(kRefused));

TEST(ResponsesRequest, InputIsRequired) {
    EXPECT_EQ(bad_body("{}").param, "input");
    EXPECT_EQ(bad_body(R"({"input":5})").param, "input");
    EXPECT_EQ(bad_body("{").status, 400);
}

}  // namespace
}  // namespace fathom::api
