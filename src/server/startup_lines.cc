#include "server/startup_lines.h"

#include <cstdio>

#include "base/isa.h"
#include "base/version.h"

namespace fathom {
namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

// An address that a command on this machine can use.
std::string reachable(const std::string& host) {
    if (host == "0.0.0.0" || host.empty()) return "127.0.0.1";
    if (host == "::") return "[::1]";
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

// For the inside of the single quotes of a shell.
std::string for_shell(const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out;
}

// For a string of JSON in there.
std::string quoted(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return for_shell(out);
}

}  // namespace

std::vector<std::string> settings_lines(const ServeFlags& flags, CheckpointFormat format,
                                        int threads) {
    std::vector<std::string> lines{str("fathom ", kVersion, ": ", flags.model, ", ",
                                       name_of(format), ", ", threads, " threads, ",
                                       name_of(isa()))};
    if (!flags.no_meaning.empty()) lines.push_back("no meaning here: " + joined(flags.no_meaning));
    if (!flags.not_built.empty()) lines.push_back("not built yet: " + joined(flags.not_built));
    return lines;
}

std::vector<std::string> plan_lines(const MemoryPlan& plan) {
    std::vector<std::string> lines{"memory:"};
    for (std::string& row : plan.table()) lines.push_back(std::move(row));
    for (const std::string& note : plan.notes) lines.push_back("note: " + note);
    lines.push_back(str("limits: ", plan.limits.sequence_tokens_max, " tokens a sequence, ",
                        plan.limits.batch_tokens_max, " tokens and ",
                        plan.limits.batch_sequences_max, " sequences a step, ",
                        plan.limits.waiting_max, " waiting"));
    return lines;
}

std::vector<std::string> ready_lines(const ServeFlags& flags, const ServedModel& model, int port,
                                     double seconds) {
    char time[32];
    std::snprintf(time, sizeof time, "%.1f", seconds);
    const HttpFlags& http = flags.http;
    const std::string where = http.uds.empty() ? str(http.host, ":", port) : http.uds;
    // The certificate is for the name that clients use, which need not be this machine's.
    const std::string scheme = http.tls() ? "-k https://" : "http://";
    const std::string address =
        http.uds.empty() ? str(scheme, reachable(http.host), ":", port)
                         : str("--unix-socket '", for_shell(http.uds), "' ", scheme, "localhost");
    const char* key = http.api_keys.empty() ? "" : "-H \"Authorization: Bearer $VLLM_API_KEY\" ";
    return {str("ready after ", time, " s, listening on ", where, "; try"),
            str("curl ", address, "/v1/completions ", key,
                "-H 'Content-Type: application/json' -d '{\"model\":\"", quoted(model.names[0]),
                "\",\"prompt\":\"The future of AI is\",\"max_tokens\":50,\"temperature\":0}'")};
}

}  // namespace fathom
