#include "model/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/memory.h"
#include "model/activations.h"
#include "model/fill_input.h"
#include "model/load.h"

namespace fathom {
namespace {

constexpr int kStepTokens = 512;
constexpr int kBlockTokens = 64;
constexpr DType kDtype = DType::bf16;

// What MLA shows, and whose input it is.
struct Input {
    const char* name;
    std::vector<const char*> modules;
};
const Input kSeen[] = {{"attention_input", {"q_a_proj", "kv_a_proj_with_mqa"}},
                       {"q_b_input", {"q_b_proj"}},
                       {"o_input", {"o_proj"}}};

template <class T>
void widen(const Tensor& x, float& low, float& high, bool& finite) {
    for (int64_t row = 0; row < x.dim(0); ++row) {
        const T* values = x.as<T>() + row * x.row_stride();
        for (int64_t i = 0; i < x.dim(1); ++i) {
            const float value = to_float(values[i]);
            finite = finite && std::abs(value) <= std::numeric_limits<float>::max();
            low = std::min(low, value);
            high = std::max(high, value);
        }
    }
}

Limits limits_of(int longest) {
    Limits limits{.batch_tokens_max = std::min(longest, kStepTokens),
                  .batch_sequences_max = 1,
                  .logits_rows_max = 1,
                  .sequence_tokens_max = longest,
                  .block_tokens = kBlockTokens};
    limits.num_blocks = limits.blocks_for(longest);
    return limits;
}

// What the MTP layer holds beside what activation_bytes() counts: its pair, x and residual.
int64_t arena_bytes(const ModelArgs& args, const Limits& limits, int threads) {
    const int64_t mtp = (limits.batch_tokens_max * int64_t{args.dim} * size_of(kDtype) + 64) * 4;
    return activation_bytes(args, limits, kDtype, IndexFormat::bf16, threads) + mtp;
}

// A model with the memory to run one sequence at a time.
class CalibrationRun {
public:
    CalibrationRun(const Checkpoint& checkpoint, const ModelArgs& args, const Limits& limits,
                   const CalibrationOptions& options)
        : args_(args),
          limits_(limits),
          workers_(options.threads),
          arena_(arena_bytes(args, limits, options.threads)),
          stream_{.workers = &workers_, .arena = &arena_},
          model_(load_transformer(checkpoint, args, stream_,
                                  {.mtp = true, .progress = options.loading})),
          kv_(layout(args), limits.num_blocks),
          input_(Buffer::host(ForwardInput::bytes(limits))),
          blocks_(limits.num_blocks) {
        std::iota(blocks_.begin(), blocks_.end(), 0);
    }

    static KvLayout layout(const ModelArgs& args) {
        return {args, LatentFormat::bf16, IndexFormat::bf16, args.n_all_layers(), kBlockTokens};
    }

    // Tokens [first, first + count) of a document whose earlier ones were run before.
    void step(std::span<const Token> document, int first, int count, Probe* probe) {
        ForwardInput in(input_.data(), limits_);
        const SequencePart part[] = {{document, first, count, blocks_, /*wants_logits=*/false}};
        fill_input(in, part);
        arena_.rewind(0);
        const Forward f(stream_, kv_, in, kDtype, model_->freqs_cis(stream_, in), probe);
        const int64_t T = f.T();
        Tensor x = f.tmp(kDtype, T, args_.dim), residual = f.tmp(kDtype, T, args_.dim);
        model_->forward(f, in.tokens.rows(0, T), x, residual);
        if (!model_->mtp()) return;
        model_->hidden(f, x, x, residual);
        model_->mtp()->forward(f, x, in.next_tokens.rows(0, T), x);
    }

private:
    const ModelArgs& args_;
    const Limits limits_;
    Workers workers_;
    Arena arena_;
    Stream stream_;
    const std::unique_ptr<Transformer> model_;
    const KvCache kv_;
    Buffer input_;
    std::vector<int32_t> blocks_;
};

Status check_memory(const Checkpoint& checkpoint, const ModelArgs& args, const Limits& limits,
                    int threads) {
    const int64_t needed =
        weight_bytes(checkpoint, args, /*mtp=*/true) + arena_bytes(args, limits, threads) +
        CalibrationRun::layout(args).block_bytes() * limits.num_blocks +
        ForwardInput::bytes(limits) + threads * static_cast<int64_t>(Workers::kScratchBytes);
    const int64_t available = available_memory();
    if (needed <= available) return Unit{};
    return Error{Code::unavailable,
                 str("calibration runs the whole model and needs ", needed >> 20, " MiB, of which ",
                     available >> 20, " MiB are free; it needs a machine with more memory")};
}

}  // namespace

InputExtremes::InputExtremes(const ModelArgs& args) {
    for (std::vector<Extremes>& layers : seen_) layers.resize(args.n_all_layers());
}

void InputExtremes::see(const char* name, int layer, const Tensor& tensor) {
    for (int i = 0; i < kInputs; ++i) {
        if (std::string_view(kSeen[i].name) != name) continue;
        auto& [low, high, finite] = seen_[i][layer];
        if (tensor.dtype == DType::f32)
            widen<float>(tensor, low, high, finite);
        else
            widen<bf16>(tensor, low, high, finite);
    }
}

Result<std::vector<InputRange>> InputExtremes::ranges() const {
    std::vector<InputRange> ranges;
    for (int layer = 0; layer < std::ssize(seen_[0]); ++layer)
        for (int i = 0; i < kInputs; ++i)
            for (const char* module : kSeen[i].modules) {
                const Extremes& seen = seen_[i][layer];
                std::string name = str("model.layers.", layer, ".self_attn.", module);
                if (!seen.finite)
                    return Error{Code::corrupt,
                                 str("the input of ", name,
                                     " is not finite on the calibration text; the weights before "
                                     "it are damaged")};
                ranges.push_back(range_between(std::move(name), seen.low, seen.high));
            }
    return ranges;
}

Result<std::vector<InputRange>> calibrate(const Checkpoint& checkpoint, const ModelArgs& args,
                                          std::span<const std::vector<Token>> documents,
                                          const CalibrationOptions& options) {
    int64_t longest = 0, total = 0, done = 0;
    for (const std::vector<Token>& document : documents) {
        longest = std::max<int64_t>(longest, std::ssize(document));
        total += std::ssize(document);
    }
    CHECK(longest >= 1 && longest <= args.max_position, "documents of up to ", longest, " tokens");
    const Limits limits = limits_of(static_cast<int>(longest));
    if (Status enough = check_memory(checkpoint, args, limits, options.threads); !enough.ok())
        return std::move(enough).error();
    CalibrationRun run(checkpoint, args, limits, options);
    InputExtremes extremes(args);
    for (const std::vector<Token>& document : documents) {
        const int tokens = static_cast<int>(document.size());
        for (int first = 0; first < tokens; first += limits.batch_tokens_max) {
            const int count = std::min(tokens - first, limits.batch_tokens_max);
            run.step(document, first, count, &extremes);
            done += count;
            if (options.running) options.running(done, total);
        }
    }
    return extremes.ranges();
}

}  // namespace fathom
