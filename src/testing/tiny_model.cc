#include "testing/tiny_model.h"

#include <algorithm>

#include "model/activations.h"
#include "model/load.h"
#include "testing/tiny_checkpoint.h"

namespace fathom::testing {
namespace {

constexpr int kSequences = 17, kTokensMax = 512;

ModelArgs load_args(const std::filesystem::path& folder) {
    Result<ModelArgs> args = load_model_args(folder);
    CHECK(args.ok(), args.error().message);
    return std::move(args).value();
}

Limits limits_of(int block_tokens) {
    Limits limits{.batch_tokens_max = 1024,
                  .batch_sequences_max = kSequences,
                  .logits_rows_max = Limits::logits_rows_for(kSequences, 1024),
                  .sequence_tokens_max = kTokensMax,
                  .block_tokens = block_tokens};
    limits.num_blocks = kSequences * limits.blocks_for(kTokensMax);
    return limits;
}

std::unique_ptr<Transformer> load(const std::filesystem::path& folder, const ModelArgs& args,
                                  Stream& stream) {
    Result<Checkpoint> checkpoint = Checkpoint::open(folder);
    CHECK(checkpoint.ok(), checkpoint.error().message);
    return load_transformer(checkpoint.value(), args, stream, {.mtp = true});
}

}  // namespace

TinyModel::TinyModel(const std::string& preset, const std::string& format, Numerics numerics,
                     int block_tokens, int threads)
    : TinyModel(tiny_checkpoint(preset, format), numerics, block_tokens, threads) {}

TinyModel::TinyModel(const std::filesystem::path& folder, Numerics numerics, int block_tokens,
                     int threads)
    : args(load_args(folder)),
      numerics(numerics),
      limits(limits_of(block_tokens)),
      stream(threads, activation_bytes(args, limits, numerics.dtype, numerics.index, threads)),
      model(load(folder, args, stream)),
      kv(KvLayout(args, numerics.latent, numerics.index, args.n_all_layers(), block_tokens),
         limits.num_blocks),
      step(*model, kv, stream, limits, numerics.dtype) {}

std::vector<int32_t> TinyModel::blocks(int i) const {
    // Interleaved over the sequences, so that neighbours in a table are not neighbours in memory.
    std::vector<int32_t> ids(limits.blocks_for(kTokensMax));
    for (int b = 0; b < std::ssize(ids); ++b) ids[b] = (std::ssize(ids) - 1 - b) * kSequences + i;
    return ids;
}

std::vector<float> run_chunked(TinyModel& m, const std::vector<Token>& tokens, int computed,
                               int chunk, int i) {
    const std::vector<int32_t> blocks = m.blocks(i);
    const int end = static_cast<int>(tokens.size());
    Tensor logits;
    for (int at = computed; at < end; at += chunk) {
        const int count = std::min(chunk, end - at);
        const SequencePart part[] = {{tokens, at, count, blocks, at + count == end}};
        logits = m.step.run(part);
    }
    return {logits.as<float>(), logits.as<float>() + logits.dim(1)};
}

}  // namespace fathom::testing
