#include "engine/memory_plan.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

ModelArgs small_args() {
    ModelArgs args;
    args.dim = 256;
    args.inter_dim = 512;
    args.moe_inter_dim = 128;
    args.n_layers = 3;
    args.n_heads = 4;
    args.q_lora_rank = 128;
    args.n_routed_experts = 16;
    args.vocab_size = 512;
    args.max_position = 8192;
    return args;
}

TEST(MemoryPlan, TheCacheHoldsWhatTheSequencesNeed) {
    Result<MemoryPlan> plan =
        plan_memory(small_args(), {.max_model_len = 1000, .max_num_seqs = 4}, kGiB, 16 * kGiB);
    ASSERT_TRUE(plan.ok()) << plan.error().message;
    const MemoryPlan& p = plan.value();
    EXPECT_EQ(p.limits.num_blocks, 4 * 16);
    EXPECT_EQ(p.limits.sequence_tokens_max, 1000);
    EXPECT_EQ(p.lines[1].bytes, 64 * 64 * 3 * 788);
    EXPECT_TRUE(p.notes.empty());
}

// A prompt whose logprobs are wanted advances beside as many decodes as there may be.
TEST(MemoryPlan, RowsOfLogitsForAllSequencesAndAPrompt) {
    const auto rows = [](int sequences, int tokens) {
        return plan_memory(small_args(),
                           {.max_model_len = 100,
                            .max_num_batched_tokens = tokens,
                            .max_num_seqs = sequences},
                           kGiB, 16 * kGiB)
            .value()
            .limits.logits_rows_max;
    };
    EXPECT_EQ(rows(4, 2048), 68);
    EXPECT_EQ(rows(256, 2048), 320);
    EXPECT_EQ(rows(4, 20), 20) << "a step has no more tokens";
}

// Every line of the sum stands in the table, and the last says what they come to.
TEST(MemoryPlan, TheTableAddsUp) {
    const int64_t program = 30 << 20;
    Result<MemoryPlan> plan =
        plan_memory(small_args(), {.max_model_len = 1000, .max_num_seqs = 4, .program = program},
                    3 * kGiB, 16 * kGiB);
    ASSERT_TRUE(plan.ok()) << plan.error().message;
    const MemoryPlan& p = plan.value();
    const std::vector<std::string> table = p.table();
    ASSERT_EQ(table.size(), p.lines.size() + 1);
    int64_t sum = 0;
    for (size_t i = 0; i < p.lines.size(); ++i) {
        EXPECT_NE(table[i].find(p.lines[i].what), std::string::npos);
        EXPECT_GT(p.lines[i].bytes, 0) << p.lines[i].what;
        sum += p.lines[i].bytes;
    }
    EXPECT_EQ(p.total(), sum);
    EXPECT_NE(table[0].find("3,072.0 MiB"), std::string::npos) << table[0];
    EXPECT_NE(table.back().find("of 16,414.0 MiB"), std::string::npos) << table.back();
    EXPECT_EQ(p.lines.back().bytes, program);
}

// What the process holds already is in the sum and not taken from what is free.
TEST(MemoryPlan, WhatIsHeldAlreadyNeedsNoRoom) {
    MemoryRequest request{
        .max_model_len = 1000, .max_num_seqs = 4, .kv_cache_bytes = 64 * 64 * 3 * 788};
    const int64_t needed = plan_memory(small_args(), request, kGiB, 16 * kGiB).value().total();
    EXPECT_TRUE(plan_memory(small_args(), request, kGiB, needed).ok());
    request.program = 30 << 20;
    EXPECT_TRUE(plan_memory(small_args(), request, kGiB, needed).ok());
    EXPECT_FALSE(plan_memory(small_args(), request, kGiB, needed - 1).ok());
}

TEST(MemoryPlan, ASlotFitsItsNumber) {
    Result<MemoryPlan> plan =
        plan_memory(small_args(),
                    {.max_model_len = 1000, .block_tokens = 16, .kv_cache_bytes = int64_t{1} << 44},
                    kGiB, int64_t{1} << 46);
    ASSERT_TRUE(plan.ok()) << plan.error().message;
    const Limits& limits = plan.value().limits;
    EXPECT_GT(limits.num_blocks, 1 << 26);
    EXPECT_LE(int64_t{limits.num_blocks} * limits.block_tokens, (int64_t{1} << 31) - 1);
}

TEST(MemoryPlan, OrFortyPercentOfFreeMemoryAndSaysSo) {
    Result<MemoryPlan> plan = plan_memory(small_args(), {}, kGiB / 2, kGiB);
    ASSERT_TRUE(plan.ok()) << plan.error().message;
    const MemoryPlan& p = plan.value();
    EXPECT_LE(p.lines[1].bytes, 0.4 * kGiB / 2);
    EXPECT_GT(p.lines[1].bytes, 0.39 * kGiB / 2);
    EXPECT_EQ(p.notes.size(), 1u);
    EXPECT_EQ(p.limits.sequence_tokens_max, 8192);
}

TEST(MemoryPlan, ASequenceIsNoLongerThanTheCache) {
    Result<MemoryPlan> plan =
        plan_memory(small_args(), {.kv_cache_bytes = 10 * 64 * 3 * 788}, kGiB, 16 * kGiB);
    ASSERT_TRUE(plan.ok()) << plan.error().message;
    EXPECT_EQ(plan.value().limits.sequence_tokens_max, 640);
    EXPECT_EQ(plan.value().notes.size(), 1u);
}

TEST(MemoryPlan, RefusalsNameTheFlag) {
    const auto refused = [](MemoryRequest request, int64_t available) {
        const Result<MemoryPlan> plan = plan_memory(small_args(), request, kGiB, available);
        EXPECT_FALSE(plan.ok());
        return plan.ok() ? "" : plan.error().message;
    };
    EXPECT_NE(refused({.max_model_len = 9000}, 16 * kGiB).find("--max-model-len 9000"),
              std::string::npos);
    EXPECT_NE(refused({.max_model_len = 8000, .kv_cache_bytes = 1 << 20}, 16 * kGiB)
                  .find("--kv-cache-memory-bytes"),
              std::string::npos);
    EXPECT_NE(refused({}, kGiB).find("the weights need 1,024.0 MiB"), std::string::npos);
    EXPECT_NE(refused({.max_model_len = 64, .kv_cache_bytes = kGiB}, kGiB + (64 << 20))
                  .find("lower --kv-cache-memory-bytes"),
              std::string::npos);
    EXPECT_NE(refused({.max_model_len = 64, .kv_cache_bytes = 1 << 20}, kGiB + (1 << 20))
                  .find("lower --max-num-batched-tokens"),
              std::string::npos);
    EXPECT_NE(refused({.block_tokens = 48}, 16 * kGiB).find("--block-size 48"), std::string::npos);
    EXPECT_NE(refused({.max_num_batched_tokens = 4, .max_num_seqs = 8}, 16 * kGiB)
                  .find("--max-num-seqs 8"),
              std::string::npos);
}

}  // namespace
}  // namespace fathom
