// What stops `fathom serve` from starting: exit code 2 and one sentence on standard error.
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "program.h"

namespace fathom::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// A copy of a small checkpoint that a test spoils; what it does not touch are links.
class Spoiled {
public:
    Spoiled() {
        const fs::path sound = fs::absolute(tiny_checkpoint("small", "fp8"));
        for (const auto& entry : fs::directory_iterator(sound))
            fs::create_symlink(entry.path(), path(entry.path().filename()));
    }
    std::string folder() const { return folder_.path(); }
    fs::path path(const fs::path& name) const { return folder_.path() / name; }
    void remove(const char* name) const { fs::remove(path(name)); }
    void write(const char* name, const std::string& text) const {
        remove(name);
        std::ofstream(path(name), std::ios::binary) << text;
    }
    void edit(const char* name, const std::function<void(Json&)>& change) const {
        Json json = Json::parse(read_file(path(name)));
        change(json);
        write(name, json.dump());
    }
    // Changes the header of the weights, and the index with it where names change.
    void edit_weights(const std::function<void(Json& header, std::string& data)>& change) const {
        const std::string text = read_file(path(kWeights));
        uint64_t length = 0;
        std::memcpy(&length, text.data(), sizeof length);
        Json header = Json::parse(text.substr(8, length));
        std::string data = text.substr(8 + length);
        change(header, data);
        std::string out = header.dump();
        while (out.size() % 8 != 0) out += ' ';
        length = out.size();
        write(kWeights, std::string(reinterpret_cast<const char*>(&length), 8) + out + data);
        edit("model.safetensors.index.json", [&](Json& index) {
            Json& map = index["weight_map"] = Json::object();
            for (const auto& [name, tensor] : header.items())
                if (name != "__metadata__") map[name] = kWeights;
        });
    }

    static constexpr const char* kWeights = "model-00001-of-00001.safetensors";

private:
    const TemporaryFolder folder_;
};

// Starts it and returns the sentence, checked for its form.
std::string refusal(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "serve");
    if (std::ranges::find(arguments, "--port") == arguments.end())
        arguments.insert(arguments.end(), {"--port", "0"});
    Program program(arguments);
    EXPECT_EQ(program.exit_code(), 2);
    std::string errors = program.errors();
    EXPECT_TRUE(errors.starts_with("fathom serve: ")) << errors;
    EXPECT_EQ(std::ranges::count(errors, '\n'), 1) << errors;
    EXPECT_GT(errors.size(), 30u);
    if (!errors.empty()) errors.pop_back();
    return errors;
}

#define EXPECT_SAYS(sentence, words) \
    EXPECT_NE((sentence).find(words), std::string::npos) << (sentence)

TEST(ServeStart, FoldersThatAreNone) {
    EXPECT_SAYS(refusal({"/no/such/folder"}), "/no/such/folder is not a folder");
    const TemporaryFolder empty;
    EXPECT_SAYS(refusal({empty.path()}), "no config.json");
    const Spoiled model;
    EXPECT_SAYS(refusal({model.path("config.json")}), "not a folder");
    model.remove("config.json");
    EXPECT_SAYS(refusal({model.folder()}), "no config.json");
    EXPECT_SAYS(refusal({}), "no checkpoint");
}

TEST(ServeStart, Configs) {
    const auto with = [](const std::function<void(Json&)>& change) {
        const Spoiled model;
        model.edit("config.json", change);
        return refusal({model.folder()});
    };
    EXPECT_SAYS(with([](Json& c) { c["architectures"] = {"LlamaForCausalLM"}; }),
                "LlamaForCausalLM");
    EXPECT_SAYS(with([](Json& c) { c["quantization_config"]["quant_method"] = "awq"; }), "awq");
    EXPECT_SAYS(with([](Json& c) { c.erase("kv_lora_rank"); }), "kv_lora_rank");
    EXPECT_SAYS(with([](Json& c) { c["vocab_size"] = 500; }), "500");
    EXPECT_SAYS(with([](Json& c) { c["hidden_size"] = -1; }), "hidden_size");
    const Spoiled model;
    model.write("config.json", "{\"architectures\":");
    EXPECT_SAYS(refusal({model.folder()}), "config.json");
    model.write("config.json", "");
    EXPECT_SAYS(refusal({model.folder()}), "config.json");
}

TEST(ServeStart, Tokenizers) {
    const Spoiled model;
    model.edit("tokenizer.json", [](Json& json) { json["added_tokens"].back()["id"] = 512; });
    EXPECT_SAYS(refusal({model.folder()}), "512");
    model.write("tokenizer.json", "{}");
    EXPECT_SAYS(refusal({model.folder()}), "tokenizer.json");
    model.remove("tokenizer.json");
    EXPECT_SAYS(refusal({model.folder()}), "tokenizer.json");
}

TEST(ServeStart, WeightsThatAreCutOff) {
    const Spoiled model;
    const std::string whole = read_file(model.path(Spoiled::kWeights));
    for (const size_t size :
         {whole.size() - 1, whole.size() / 2, size_t{1000}, size_t{4}, size_t{0}}) {
        model.write(Spoiled::kWeights, whole.substr(0, size));
        EXPECT_SAYS(refusal({model.folder()}), Spoiled::kWeights) << size;
    }
    model.write(Spoiled::kWeights,
                std::string(8, '\xff') + whole.substr(8));  // A header of 2^64 - 1.
    EXPECT_SAYS(refusal({model.folder()}), Spoiled::kWeights);
    model.remove(Spoiled::kWeights);
    EXPECT_SAYS(refusal({model.folder()}), "safetensors");
}

TEST(ServeStart, TensorsThatAreWrong) {
    const auto with = [](const std::function<void(Json&, std::string&)>& change) {
        const Spoiled model;
        model.edit_weights(change);
        return refusal({model.folder()});
    };
    EXPECT_SAYS(with([](Json& header, std::string&) {
                    header["model.layers.0.odd.weight"] = header["model.norm.weight"];
                    header.erase("model.norm.weight");
                }),
                "model.norm.weight");
    EXPECT_SAYS(
        with([](Json& header, std::string& data) {
            header["model.layers.0.odd.weight"] = {
                {"dtype", "BF16"}, {"shape", {0}}, {"data_offsets", {data.size(), data.size()}}};
        }),
        "model.layers.0.odd.weight");
    EXPECT_SAYS(with([](Json& header, std::string&) {
                    header["model.embed_tokens.weight"]["shape"] = {256, 512};
                }),
                "model.embed_tokens.weight");
    EXPECT_SAYS(
        with([](Json& header, std::string&) { header["model.norm.weight"]["dtype"] = "F16"; }),
        "model.norm.weight");
    EXPECT_SAYS(with([](Json& header, std::string&) {  // Two tensors in one place.
                    header["model.norm.weight"]["data_offsets"] = {0, 512};
                }),
                Spoiled::kWeights);
    EXPECT_SAYS(with([](Json& header, std::string& data) {
                    for (const auto& [name, tensor] : header.items())
                        if (name.ends_with("q_a_proj.weight_scale_inv"))
                            std::memcpy(data.data() + tensor["data_offsets"][0].get<size_t>(),
                                        "\x00\x00\xc0\x7f", 4);
                }),
                "q_a_proj.weight_scale_inv");
}

TEST(ServeStart, ThePortIsTaken) {
    const ServeProgram first;
    EXPECT_SAYS(refusal({shipped_model(), "--port", std::to_string(first.port)}),
                str(first.port, " "));
}

TEST(ServeStart, PlansThatDoNotFit) {
    const std::string model = shipped_model();
    EXPECT_SAYS(refusal({model, "--kv-cache-memory-bytes", "100T"}), "--kv-cache-memory-bytes");
    EXPECT_SAYS(refusal({model, "--kv-cache-memory-bytes", "1k"}), "--kv-cache-memory-bytes");
    EXPECT_SAYS(refusal({model, "--max-model-len", "10M"}), "--max-model-len");
}

TEST(ServeStart, Flags) {
    const std::string model = shipped_model();
    EXPECT_SAYS(refusal({model, "--max-num-sequence", "4"}), "--max-num-seqs");
    EXPECT_SAYS(refusal({model, "--port", "http"}), "http");
    EXPECT_SAYS(refusal({model, "--seed", "x"}), "x is not an integer");
    EXPECT_SAYS(refusal({model, "--compilation-config", "{"}), "--compilation-config");
    EXPECT_SAYS(refusal({model, "--speculative-config", "[1]"}), "--speculative-config");
    EXPECT_SAYS(refusal({model, "--dtype", "float32", "--kv-cache-dtype", "fp8"}), "contradicts");
    EXPECT_SAYS(refusal({model, "--quantization", "ascend"}), "contradicts");
    EXPECT_SAYS(refusal({model, "--model", "other"}), "other");
    EXPECT_SAYS(refusal({model, "--max-num-seqs", "8", "--max-num-batched-tokens", "4"}), "less");
    EXPECT_SAYS(refusal({model, "--host", "nowhere.invalid"}), "nowhere.invalid");
    EXPECT_SAYS(refusal({model, "--root-path", "llm"}), "write /llm");
    EXPECT_SAYS(refusal({model, "--tool-call-parser", "hermes"}), "deepseek_v32");
    EXPECT_SAYS(refusal({model, "--override-generation-config", R"({"max_new_tokens":5})"}),
                "max_new_tokens is 5");
}

}  // namespace
}  // namespace fathom::testing
