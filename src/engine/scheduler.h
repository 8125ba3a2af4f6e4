#pragma once

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "config/limits.h"
#include "engine/sequence.h"

namespace fathom {

struct SchedulerOptions {
    Limits limits;
    bool prefix_caching = true;
    std::vector<Token> end_tokens;  // End a sequence unless it ignores them.
};

struct Batch {
    struct Item {
        Sequence* sequence;
        int num_tokens;  // Computes tokens [computed, computed + num_tokens).
        bool samples;    // All known tokens are computed then: a new one is drawn.
    };
    std::vector<Item> items;
    int num_tokens = 0;
};

// What a step drew: of(i) continues items[i] of its batch; empty where nothing was drawn. More than
// one token where drafts were accepted.
class StepResult {
public:
    void clear() { tokens_.clear(), ends_.clear(); }
    void add(std::span<const Token> tokens) {
        tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
        ends_.push_back(tokens_.size());
    }
    size_t size() const { return ends_.size(); }
    std::span<const Token> of(size_t item) const {
        const size_t begin = item == 0 ? 0 : ends_[item - 1];
        return std::span(tokens_).subspan(begin, ends_[item] - begin);
    }

private:
    std::vector<Token> tokens_;
    std::vector<size_t> ends_;
};

// Decides which tokens are computed next. Owns the sequences and their blocks; knows no device, no
// clock and no model, so that a simulation can run it through days of traffic in a second.
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
    int64_t preemptions() const { return preemptions_; }

    // The next batch; empty only when idle.
    const Batch& step();
    // Takes the results of the batch of step(). Sequences that end here are gone afterwards.
    std::vector<TokenEvent> commit(const StepResult& result);

    // Ids of all sequences, oldest first: those that are left when the engine stops.
    std::vector<uint64_t> ids() const;

    // Every block is referenced as often as it is held. For tests, between commit() and step().
    void check_invariants() const;

private:
    bool schedule(size_t index);
    bool grow(Sequence& sequence);
    void preempt_youngest();
    void share_prefix(Sequence& sequence);
    void publish_computed(Sequence& sequence);
    TokenEvent append(Sequence& sequence, std::span<const Token> tokens);
    void finish(const Sequence& sequence, Token token, TokenEvent& event) const;

    const SchedulerOptions options_;
    BlockPool& pool_;
    Batch batch_;
    std::vector<std::unique_ptr<Sequence>> running_;  // Oldest first.
    std::deque<std::unique_ptr<Sequence>> waiting_;
    int64_t preemptions_ = 0;
};

}  // namespace fathom
