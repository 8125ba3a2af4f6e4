// How often drafts of the MTP layer would be accepted, along texts that the model itself continued.
//
//   acceptance_bench CHECKPOINT DRAFTS < LINES
//
// A line holds the number of tokens of a prompt, then the ids of prompt and greedy continuation.
// Prints the rates at which the first 1, 2, .. DRAFTS drafts all equal the tokens that follow, and
// over how many rounds. A round stands at each position whose next token was generated: the first
// draft takes the main model's hidden state, each later one the layer's own output, and before the
// position the layer's cache holds entries of first passes, as it would in a server.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "checkpoint/verify.h"
#include "model/activations.h"
#include "model/load.h"
#include "model/model_step.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"

namespace fathom::testing {
namespace {

constexpr int kThreads = 2;

struct Line {
    int prompt;
    std::vector<Token> ids, tokens;  // As generated, and with drafts written over what follows.
    std::vector<int32_t> blocks;
    HostTensor hidden;  // [ids, dim] of the main model

    int length() const { return static_cast<int>(ids.size()); }
};

std::vector<Line> read_lines(std::istream& in) {
    std::vector<Line> lines;
    for (std::string text; std::getline(in, text);) {
        std::istringstream numbers(text);
        Line line{};
        CHECK(numbers >> line.prompt, "no number of tokens in line ", lines.size());
        for (Token id = 0; numbers >> id;) line.ids.push_back(id);
        CHECK(line.prompt >= 2 && line.prompt < line.length(), "line ", lines.size(), " has ",
              line.length(), " tokens, ", line.prompt, " of the prompt");
        line.tokens = line.ids;
        lines.push_back(std::move(line));
    }
    CHECK(!lines.empty(), "no lines on the standard input");
    return lines;
}

Limits limits_of(std::vector<Line>& lines) {
    const auto shorter = [](const Line& a, const Line& b) { return a.length() < b.length(); };
    const int count = static_cast<int>(lines.size());
    const int longest = std::max_element(lines.begin(), lines.end(), shorter)->length();
    Limits limits{.batch_tokens_max = std::max(longest, count),
                  .batch_sequences_max = count,
                  .logits_rows_max = count,
                  .sequence_tokens_max = longest};
    limits.num_blocks = 0;
    for (Line& line : lines)
        for (int i = 0; i < limits.blocks_for(line.length()); ++i)
            line.blocks.push_back(limits.num_blocks++);
    return limits;
}

// A step's temporaries, and the MTP layer's own beside them.
int64_t arena_bytes(const ModelArgs& args, const Limits& limits) {
    const int64_t own = int64_t{limits.batch_tokens_max} * 5 * args.dim * size_of(DType::bf16);
    return activation_bytes(args, limits, DType::bf16, IndexFormat::fp8, kThreads) + own;
}

std::unique_ptr<Transformer> load(const char* folder, const ModelArgs& args, Stream& stream) {
    Result<Checkpoint> checkpoint = Checkpoint::open(folder);
    CHECK(checkpoint.ok(), checkpoint.error().message);
    const Verification found = verify(checkpoint.value(), args);
    CHECK(found.problems.empty(), found.problems[0]);
    return load_transformer(checkpoint.value(), args, stream, {.mtp = true});
}

class Drafting {
public:
    Drafting(const char* folder, const ModelArgs& args, std::vector<Line> lines, int drafts);

    // Counts the rounds of all lines, the n-th of each in one batch.
    void run();
    void print() const;

private:
    Forward forward(std::span<const SequencePart> parts);
    void run_main(Line& line);
    void fill_cache(const Line& line);
    void round(std::span<Line*> active, int n);
    std::vector<Token> draft(std::span<Line*> active, int offset, Tensor state);

    int dim() const { return model_->args().dim; }

    std::vector<Line> lines_;
    const int drafts_;
    const Limits limits_;
    CpuStream stream_;
    std::unique_ptr<Transformer> model_;
    KvCache kv_;
    std::vector<char> memory_;
    ForwardInput in_;
    std::vector<int64_t> hits_;
    int64_t rounds_ = 0;
};

Drafting::Drafting(const char* folder, const ModelArgs& args, std::vector<Line> lines, int drafts)
    : lines_(std::move(lines)),
      drafts_(drafts),
      limits_(limits_of(lines_)),
      stream_(kThreads, arena_bytes(args, limits_)),
      model_(load(folder, args, stream_)),
      kv_(KvLayout(args, LatentFormat::fp8, IndexFormat::fp8, args.n_all_layers(),
                   limits_.block_tokens),
          limits_.num_blocks),
      memory_(ForwardInput::bytes(limits_)),
      in_(memory_.data(), limits_),
      hits_(drafts) {}

Forward Drafting::forward(std::span<const SequencePart> parts) {
    stream_.arena.rewind(0);
    fill_input(in_, parts);
    return Forward(stream_, kv_, in_, DType::bf16, model_->freqs_cis(stream_, in_));
}

void Drafting::run_main(Line& line) {
    const int T = line.length();
    const SequencePart part[] = {{line.ids, 0, T, line.blocks, false}};
    const Forward f = forward(part);
    line.hidden = allocate(DType::bf16, {T, dim()});
    Tensor residual = f.tmp(f.dtype, T, dim());
    model_->forward(f, in_.tokens.rows(0, T), line.hidden, residual);
    model_->hidden(f, line.hidden, line.hidden, residual);
}

// First passes over the positions before the first round.
void Drafting::fill_cache(const Line& line) {
    const int T = line.prompt - 1;
    const SequencePart part[] = {{line.ids, 0, T, line.blocks, false}};
    const Forward f = forward(part);
    model_->mtp()->forward(f, f.tmp(f.dtype, T, dim()), in_.next_tokens.rows(0, T),
                           line.hidden.view.rows(0, T));
}

// One pass for each line at its prompt + `offset`; -> its drafts. Changes state, [lines, dim].
std::vector<Token> Drafting::draft(std::span<Line*> active, int offset, Tensor state) {
    const auto T = std::ssize(active);
    std::vector<SequencePart> parts;
    for (const Line* line : active)
        parts.push_back({line->tokens, line->prompt + offset, 1, line->blocks, false});
    const Forward f = forward(parts);
    model_->mtp()->forward(f, state, in_.next_tokens.rows(0, T), state);
    const int vocabulary = model_->args().vocab_size;
    Tensor logits = f.tmp(DType::f32, T, vocabulary);
    model_->mtp()->logits(f, logits, state);
    std::vector<Token> drafts;
    for (int64_t i = 0; i < T; ++i) {
        const auto* row = logits.as<float>() + i * logits.row_stride();
        drafts.push_back(static_cast<Token>(std::max_element(row, row + vocabulary) - row));
    }
    return drafts;
}

void Drafting::round(std::span<Line*> active, int n) {
    const auto T = std::ssize(active);
    const HostTensor state = allocate(DType::bf16, {T, dim()});
    for (int64_t i = 0; i < T; ++i)
        std::copy_n(active[i]->hidden.view.as<uint16_t>() + (active[i]->prompt - 1 + n) * dim(),
                    dim(), state.view.as<uint16_t>() + i * dim());
    std::vector<bool> good(T, true);
    for (int k = 0; k < drafts_; ++k) {
        const std::vector<Token> drafts = draft(active, n + k - 1, state);
        for (int64_t i = 0; i < T; ++i) {
            const int at = active[i]->prompt + n + k + 1;
            good[i] = good[i] && drafts[i] == active[i]->ids[at];
            hits_[k] += good[i];
            active[i]->tokens[at] = drafts[i];
        }
    }
    for (Line* line : active) line->tokens = line->ids;
    rounds_ += T;
}

void Drafting::run() {
    std::vector<Line*> active;
    for (Line& line : lines_) {
        run_main(line);
        fill_cache(line);
        active.push_back(&line);
    }
    for (int n = 0;; ++n) {
        std::erase_if(
            active, [&](const Line* line) { return line->prompt + n + drafts_ >= line->length(); });
        if (active.empty()) return;
        round(active, n);
    }
}

void Drafting::print() const {
    for (const int64_t hits : hits_)
        std::printf("%.4f ",
                    static_cast<double>(hits) / static_cast<double>(std::max<int64_t>(rounds_, 1)));
    std::printf("of %lld rounds\n", static_cast<long long>(rounds_));
}

int run(int argc, char** argv) {
    CHECK(argc == 3, "acceptance_bench CHECKPOINT DRAFTS < LINES");
    Result<ModelArgs> args = load_model_args(argv[1]);
    CHECK(args.ok(), args.error().message);
    Drafting drafting(argv[1], args.value(), read_lines(std::cin), std::stoi(argv[2]));
    drafting.run();
    drafting.print();
    return 0;
}

}  // namespace
}  // namespace fathom::testing

int main(int argc, char** argv) { return fathom::testing::run(argc, argv); }
