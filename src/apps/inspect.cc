// fathom inspect DIR: what a checkpoint is, and everything that is wrong with it.
#include <cstdio>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "checkpoint/inventory.h"
#include "checkpoint/verify.h"
#include "config/kv_layout.h"
#include "server/serve_plan.h"
#include "server/startup_lines.h"
#include "text/tokenizer.h"

namespace fathom {
namespace {

constexpr const char* kHelp =
    "fathom inspect DIR [--all] [flags of fathom serve]\n\n"
    "Says what a checkpoint is, what serving it with these flags takes, and everything that is\n"
    "wrong with it. --all prints every fault, not the first 30.\n";

void print_config(const ModelArgs& args) {
    std::printf("DeepSeek-V3.2: %d layers (%d dense, %d with experts)%s, hidden size %d\n",
                args.n_layers, args.n_dense_layers, args.n_layers - args.n_dense_layers,
                args.n_mtp_layers > 0 ? " and 1 MTP layer" : "", args.dim);
    std::printf("attention: %d heads, latent %d + %d, q_lora_rank %d\n", args.n_heads,
                args.kv_lora_rank, args.qk_rope_head_dim, args.q_lora_rank);
    std::printf("indexer: %d heads of %d, %d positions chosen\n", args.index_n_heads,
                args.index_head_dim, args.index_topk);
    std::printf("experts: %d in %d groups, %d per token from %d groups, %d shared, inner size %d\n",
                args.n_routed_experts, args.n_expert_groups, args.n_activated_experts,
                args.n_limited_groups, args.n_shared_experts, args.moe_inter_dim);
    std::printf("vocabulary %d, positions %d\n\n", args.vocab_size, args.max_position);
}

void print_row(const char* what, const InventoryRow& row) {
    if (row.tensors == 0) return;
    std::string formats;
    for (const std::string& format : row.formats) formats += (formats.empty() ? "" : ", ") + format;
    std::printf("  %-16s %8lld tensors %10s  %s\n", what, static_cast<long long>(row.tensors),
                readable_bytes(row.bytes).c_str(), formats.c_str());
}

void print_inventory(const Checkpoint& checkpoint, const ModelArgs& args) {
    const Inventory inventory = take_inventory(checkpoint, args);
    std::printf("weights (%s)\n", name_of(checkpoint.format()));
    for (int part = 0; part < kParts; ++part)
        print_row(name_of(static_cast<Part>(part)), inventory.parts[part]);
    print_row("scales", inventory.scales);
    print_row("MTP layer", inventory.mtp);
    print_row("not needed", inventory.other);
    print_row("all", inventory.total);
    std::printf("  read for one token: %s\n\n", readable_bytes(inventory.active_bytes).c_str());
}

// What the cache needs in each of its forms.
void print_cache(const ModelArgs& args) {
    const std::tuple<const char*, LatentFormat, IndexFormat> formats[] = {
        {"--kv-cache-dtype fp8", LatentFormat::fp8, IndexFormat::fp8},
        {"--kv-cache-dtype bf16", LatentFormat::bf16, IndexFormat::bf16},
        {"--dtype float32", LatentFormat::f32, IndexFormat::f32}};
    std::printf("cache, per token\n");
    for (const auto& [flag, latent, index] : formats) {
        const KvLayout layout(args, latent, index, args.n_layers, /*block_tokens=*/64);
        std::printf("  %-22s %s (%lld + %lld bytes in each of %d layers)\n", flag,
                    readable_bytes(layout.block_bytes() / layout.block_tokens).c_str(),
                    static_cast<long long>(layout.latent_bytes()),
                    static_cast<long long>(layout.index_bytes()), layout.layers);
    }
    std::printf("\n");
}

void add_tokenizer_problems(const std::string& folder, const ModelArgs& args,
                            std::vector<std::string>* problems) {
    Result<Tokenizer> tokenizer = Tokenizer::open(folder);
    if (!tokenizer.ok()) return problems->push_back(tokenizer.error().message);
    const auto largest = static_cast<Token>(tokenizer.value().vocab_size() - 1);
    if (auto problem = tokenizer_problem(largest, args)) problems->push_back(*problem);
}

// What `fathom serve` with the same flags would take on this machine.
void print_plan(const ServeFlags& flags, const ModelArgs& args, const Checkpoint& checkpoint,
                std::vector<std::string>* problems) {
    Result<MemoryPlan> plan = plan_serving(flags, args, checkpoint);
    if (!plan.ok()) return problems->push_back(plan.error().message);
    for (const std::string& line : plan_lines(plan.value())) std::printf("%s\n", line.c_str());
    std::printf("\n");
}

int print_verdict(const std::vector<std::string>& problems, const std::vector<std::string>& notes,
                  size_t lines_max) {
    for (const std::string& note : notes) std::printf("note: %s\n", note.c_str());
    for (size_t i = 0; i < problems.size() && i < lines_max; ++i)
        std::fprintf(stderr, "wrong: %s\n", problems[i].c_str());
    if (problems.size() > lines_max)
        std::fprintf(stderr, "wrong: and %zu more; --all prints them\n",
                     problems.size() - lines_max);
    if (problems.empty()) std::printf("nothing is wrong with it\n");
    return problems.empty() ? 0 : 2;
}

}  // namespace

int run_inspect(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    const bool all = std::erase(words, "--all") > 0;
    Result<ServeCommand> command = parse_serve_flags(words);
    if (!command.ok()) return fail_command("fathom inspect", command.error().message);
    if (!command.value().text.empty()) {
        std::fputs(kHelp, stdout);
        return 0;
    }
    const ServeFlags& flags = command.value().flags;
    const std::string& folder = flags.model;

    Result<ModelArgs> args = load_model_args(folder);
    if (!args.ok()) return fail_command("fathom inspect", args.error().message);
    print_config(args.value());
    print_cache(args.value());
    Result<Checkpoint> checkpoint = Checkpoint::open(folder);
    std::vector<std::string> problems, notes;
    if (checkpoint.ok()) {
        print_inventory(checkpoint.value(), args.value());
        Verification found = verify(checkpoint.value(), args.value());
        problems = std::move(found.problems);
        notes = std::move(found.notes);
    } else {
        problems.push_back(checkpoint.error().message);
    }
    add_tokenizer_problems(folder, args.value(), &problems);
    if (problems.empty()) print_plan(flags, args.value(), checkpoint.value(), &problems);
    return print_verdict(problems, notes, all ? problems.size() : 30);
}

}  // namespace fathom
