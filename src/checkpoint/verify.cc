#include "checkpoint/verify.h"

#include <cmath>
#include <set>

#include "checkpoint/names.h"

namespace fathom {
namespace {

// What may stand beside a weight; all are taken by Checkpoint::linear.
constexpr const char* kPieces[] = {"weight_scale_inv", "weight_scale", "weight_offset", "deq_scale",
                                   "quant_bias",       "input_scale",  "input_offset"};

class Verifier {
public:
    Verifier(const Checkpoint& checkpoint, const ModelArgs& args)
        : checkpoint_(checkpoint), args_(args) {
        out_.problems = checkpoint.index_problems();
        out_.notes = checkpoint.index_notes();
    }

    Verification run() && {
        const std::vector<ExpectedTensor> expected = expected_tensors(args_);
        const bool no_mtp = args_.n_mtp_layers > 0 && lacks_mtp(expected);
        if (no_mtp)
            problem("the layer of config.json's num_nextn_predict_layers (model.layers.",
                    args_.n_layers, ") is missing; fetch it, or set the number to 0");
        for (const ExpectedTensor& tensor : expected) {
            if (no_mtp && tensor.mtp) continue;
            tensor.store == Store::linear ? check_linear(tensor) : check_float(tensor);
        }
        check_unknown();
        check_config();
        return std::move(out_);
    }

private:
    template <class... Args>
    void problem(const Args&... args) {
        out_.problems.push_back(str(args...));
    }

    bool lacks_mtp(const std::vector<ExpectedTensor>& expected) const {
        for (const ExpectedTensor& tensor : expected)
            if (tensor.mtp && checkpoint_.find(tensor.name) != nullptr) return false;
        return true;
    }

    void check_described(const ExpectedTensor& tensor) {
        // Older tools left the MTP layer out of the description; then it is as it was.
        if (!checkpoint_.has_description() || tensor.mtp ||
            !checkpoint_.quant_type(tensor.name).empty())
            return;
        problem(tensor.name, " is not in quant_model_description.json; fetch that file again");
    }

    bool check_shape(const ExpectedTensor& tensor, const StoredTensor& stored) {
        if (stored.shape == tensor.shape) return true;
        const StoredTensor expected{.dtype = stored.dtype, .shape = tensor.shape, .data = {}};
        problem(tensor.name, " is ", describe(stored), "; config.json asks for ",
                describe(expected));
        return false;
    }

    void check_float(const ExpectedTensor& tensor) {
        used_.insert(tensor.name);
        const StoredTensor* stored = checkpoint_.find(tensor.name);
        if (stored == nullptr) return problem(tensor.name, " is missing; fetch the weights again");
        if (!check_shape(tensor, *stored)) return;
        const bool vector = tensor.shape.size() == 1;
        const bool fits = stored->dtype == DType::bf16 || (vector && stored->dtype == DType::f32);
        if (!fits)
            return problem(tensor.name, " is ", describe(*stored), "; expected ",
                           vector ? "bf16 or f32" : "bf16");
        check_described(tensor);
        const std::string_view type = checkpoint_.quant_type(tensor.name);
        if (!type.empty() && type != "FLOAT")
            problem(tensor.name, " is described as ", type, "; expected FLOAT");
    }

    void check_linear(const ExpectedTensor& tensor) {
        const std::string module(module_of(tensor.name));
        used_.insert(tensor.name);
        for (const char* piece : kPieces) used_.insert(str(module, ".", piece));
        const StoredTensor* stored = checkpoint_.find(tensor.name);
        if (stored == nullptr) return problem(tensor.name, " is missing; fetch the weights again");
        if (!check_shape(tensor, *stored)) return;
        Result<StoredLinear> found = checkpoint_.linear(module);
        if (!found.ok()) return problem(found.error().message);
        const StoredLinear linear = std::move(found).value();
        check_described(tensor);
        check_values(module, linear);
        check_peers(tensor, linear);
    }

    void check_values(const std::string& module, const StoredLinear& linear) {
        const bool fp8 = linear.kind == Linear::Kind::fp8;
        check_scale(module, fp8 ? "weight_scale_inv" : "weight_scale", linear.scale);
        check_scale(module, "deq_scale", linear.deq_scale);
        check_scale(module, "input_scale", linear.input_scale);
        if (linear.input_offset != nullptr) {
            const float offset = floats(*linear.input_offset)[0];
            if (!(offset >= -128 && offset <= 127 && offset == std::rint(offset)))
                problem(module, ".input_offset is ", offset,
                        "; expected an integer from -128 to 127");
        }
        if (linear.kind != Linear::Kind::w8a8_dynamic) return;
        for (const float offset : floats(*checkpoint_.find(module + ".weight_offset")))
            if (offset != 0)
                return problem(module, ".weight_offset has ", offset,
                               "; fathom reads symmetric weights, whose offsets are 0");
    }

    void check_scale(const std::string& module, const char* piece, const StoredTensor* scale) {
        if (scale == nullptr) return;
        int64_t i = 0;
        for (const float value : floats(*scale)) {
            if (!(value > 0 && std::isfinite(value)))
                return problem(module, ".", piece, " has ", value, " at ", i,
                               "; expected a positive number: the file is damaged");
            ++i;
        }
        if (scale->dtype != DType::i64) return;
        for (size_t at = 4; at < scale->data.size(); at += 8)  // The extension of a positive f32.
            for (size_t byte = at; byte < at + 4; ++byte)
                if (scale->data[byte] != std::byte{0})
                    return problem(module, ".", piece,
                                   " has an i64 that holds no f32: the file is damaged");
    }

    // gate_proj and up_proj share their input, the experts of a layer one kernel.
    void check_peers(const ExpectedTensor& tensor, const StoredLinear& linear) {
        std::string key = tensor.name;
        const size_t expert = key.find(".experts.");
        if (expert != std::string::npos)
            key.erase(expert + 9, key.find('.', expert + 9) - expert - 9);
        const size_t up = key.find(".up_proj.");
        if (up != std::string::npos) key = str(key.substr(0, up), ".gate_proj.weight");
        const auto [it, first] = peers_.try_emplace(key, tensor.name, linear.kind);
        const auto& [peer, kind] = it->second;
        if (kind != linear.kind)
            problem(tensor.name, " is ", name_of(linear.kind), " and ", peer, " is ", name_of(kind),
                    "; fathom needs both in one format");
    }

    void check_unknown() {
        std::string extras;
        int count = 0;
        for (const auto& [name, tensor] : checkpoint_.tensors()) {
            if (used_.contains(name)) continue;
            if (!is_known_extra(name) && name.starts_with("model.")) {
                problem(name, " is not a tensor of DeepSeek-V3.2 with this config.json (",
                        args_.n_layers, " layers, ", args_.n_routed_experts,
                        " experts); is it another model's?");
                continue;
            }
            if (++count <= 3) extras += str(count > 1 ? ", " : "", name);
        }
        if (count > 3) extras += str(" and ", count - 3, " more");
        if (count > 0) out_.notes.push_back(str("not needed and ignored: ", extras));
    }

    void check_config() {
        const bool fp8 = checkpoint_.format() == CheckpointFormat::fp8;
        if (fp8 && !args_.fp8_blocks)
            problem(
                "weights are e4m3, but config.json has no quantization_config; take the "
                "config.json that came with them");
        if (args_.fp8_blocks && !fp8)
            out_.notes.push_back(
                str("config.json has a quantization_config, but no weight is "
                    "e4m3; it is ignored"));
    }

    const Checkpoint& checkpoint_;
    const ModelArgs& args_;
    Verification out_;
    std::set<std::string, std::less<>> used_;
    std::map<std::string, std::pair<std::string, Linear::Kind>> peers_;
};

}  // namespace

Verification verify(const Checkpoint& checkpoint, const ModelArgs& args) {
    return Verifier(checkpoint, args).run();
}

std::optional<std::string> tokenizer_problem(Token largest_id, const ModelArgs& args) {
    if (largest_id < args.vocab_size) return std::nullopt;
    return str("tokenizer.json has id ", largest_id, ", config.json's vocab_size is ",
               args.vocab_size, "; take the tokenizer that came with the weights");
}

}  // namespace fathom
