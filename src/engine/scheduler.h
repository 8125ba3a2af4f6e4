#pragma once

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "config/limits.h"
#include "engine/sequence.h"
#include "engine/step_result.h"

namespace fathom {

struct SchedulerOptions {
    Limits limits;
    bool prefix_caching = true;
    // Request::priority acts (--scheduling-policy priority); else first come, first served.
    bool priority_scheduling = false;
    std::vector<Token> end_tokens;  // End a sequence unless it ignores them.
};

struct Batch {
    struct Item {
        Sequence* sequence;
        int num_tokens;  // Computes tokens [computed, computed + num_tokens).
        bool samples;    // All known tokens are computed then: a new one is drawn.
        // Of the last so many tokens the logits are wanted: to draw the new one, and for the
        // logprobs of the prompt tokens behind the others.
        int num_logits;
    };
    std::vector<Item> items;
    int num_tokens = 0;
    int num_logits = 0;
};

// What a scheduler has done since it was made.
struct SchedulerCounts {
    int64_t preemptions = 0;
    int64_t prompt_tokens = 0;     // Of prompts that were computed to their end.
    int64_t generated_tokens = 0;  // That were drawn and kept.
    // Tokens of prompts that the prefix cache was searched for, and those it had; each request
    // counts when it is begun for the first time.
    int64_t prefix_queries = 0, prefix_hits = 0;
};

// Decides which tokens are computed next. Owns the sequences and their blocks; knows no device, no
// clock and no model, so that a simulation can run it through days of traffic in a second.
//
// Sequences have a rank: by priority, lower numbers first, and then by the order in which they were
// begun. The step is handed out in that order, first to those that decode; blocks are taken from
// the last in rank. Those that wait are begun in the order of priority and arrival, preempted ones
// before newcomers of their priority. Without priority_scheduling all have the same.
class Scheduler {
public:
    Scheduler(SchedulerOptions options, BlockPool& pool);

    // REQUIRES: fits(request).
    void add(Request request);
    // Whether the cache and the longest allowed sequence hold the request to its last token.
    bool fits(const Request& request) const;
    // Drops the sequence and frees its blocks now. False if there is none of that id. Not between
    // step() and commit().
    bool cancel(uint64_t id);

    bool idle() const { return running_.empty() && waiting_.empty(); }
    int running() const { return static_cast<int>(running_.size()); }
    int waiting() const { return static_cast<int>(waiting_.size()); }
    const SchedulerCounts& counts() const { return counts_; }

    // The next batch; empty only when idle.
    const Batch& step();
    // Takes the results of the batch of step(), logprobs out of them. Sequences that end here are
    // gone afterwards.
    std::vector<TokenEvent> commit(StepResult& result);
    // Drops all sequences, also between step() and commit(), with a last event for each.
    std::vector<TokenEvent> end_all(FinishReason reason);

    // Ids of all sequences: the running ones by rank, then those that wait, in their order.
    std::vector<uint64_t> ids() const;

    // Every block is referenced as often as it is held. For tests, between commit() and step().
    void check_invariants() const;

private:
    int priority_of(const Sequence& sequence) const;
    size_t reserve();
    bool grow(Sequence& sequence);
    void preempt_last();
    int chunk(const Sequence& sequence) const;
    void hand_out(Sequence& sequence);
    Sequence& begin_first_waiting();
    void share_prefix(Sequence& sequence);
    void publish_computed(Sequence& sequence);
    TokenEvent append(Sequence& sequence, std::span<const Token> tokens,
                      std::vector<TokenLogprobs> logprobs);
    void finish(const Sequence& sequence, Token token, TokenEvent& event) const;

    const SchedulerOptions options_;
    BlockPool& pool_;
    Batch batch_;
    std::vector<std::unique_ptr<Sequence>> running_;  // By rank.
    std::deque<std::unique_ptr<Sequence>> waiting_;   // By priority; the next to begin is first.
    SchedulerCounts counts_;
};

}  // namespace fathom
