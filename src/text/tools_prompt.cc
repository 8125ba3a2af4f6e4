#include "text/tools_prompt.h"

#include <string>

namespace fathom {

std::string_view tools_prompt() {
    return "## Tools\n"
           "\n"
           "You have access to a set of tools you can use to answer the user's question.\n"
           "You can invoke functions by writing a \"<｜DSML｜function_calls>\" block like the "
           "following as part of your reply to the user:\n"
           "<｜DSML｜function_calls>\n"
           "<｜DSML｜invoke name=\"$FUNCTION_NAME\">\n"
           "<｜DSML｜parameter name=\"$PARAMETER_NAME\" string=\"true|false\">"
           "$PARAMETER_VALUE</｜DSML｜parameter>\n"
           "...\n"
           "</｜DSML｜invoke>\n"
           "<｜DSML｜invoke name=\"$FUNCTION_NAME2\">\n"
           "...\n"
           "</｜DSML｜invoke>\n"
           "</｜DSML｜function_calls>\n"
           "\n"
           "String and scalar parameters should be specified as is without any escaping or "
           "quotes, while lists and objects should use JSON format. The \"string\" attribute "
           "should be set to \"true\" for string type parameters and \"false\" for other types "
           "(numbers, booleans, arrays, objects).\n"
           "\n"
           "If the thinking_mode is enabled, then after function results you should strongly "
           "consider outputting a thinking block. Here is an example:\n"
           "\n"
           "<｜DSML｜function_calls>\n"
           "...\n"
           "</｜DSML｜function_calls>\n"
           "\n"
           "<function_results>\n"
           "...\n"
           "</function_results>\n"
           "\n"
           "<think>...thinking about results</think>\n"
           "\n"
           "Here are the functions available in JSONSchema format:\n"
           "<functions>\n";
}

std::string_view tools_prompt_vllm() {
    static const std::string kText = [] {
        std::string text;
        for (const char c : tools_prompt())
            if (c != '\n' || !text.ends_with('\n')) text += c;
        return text;
    }();
    return kText;
}

}  // namespace fathom
