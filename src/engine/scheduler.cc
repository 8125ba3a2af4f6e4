#include "engine/scheduler.h"

#include <algorithm>

namespace fathom {

Scheduler::Scheduler(SchedulerOptions options, BlockPool& pool)
    : options_(std::move(options)), pool_(pool) {
    const Limits& limits = options_.limits;
    CHECK(limits.batch_tokens_max >= limits.batch_sequences_max && limits.batch_sequences_max > 0,
          limits.batch_tokens_max, " tokens a step for ", limits.batch_sequences_max, " sequences");
    CHECK(limits.blocks_for(limits.sequence_tokens_max) <= pool_.num_blocks(), "a sequence of ",
          limits.sequence_tokens_max, " tokens needs more than the ", pool_.num_blocks(),
          " blocks");
}

bool Scheduler::fits(const Request& request) const {
    return !request.prompt.empty() && request.max_tokens >= 1 &&
           std::ssize(request.prompt) + request.max_tokens <= options_.limits.sequence_tokens_max;
}

void Scheduler::add(Request request) {
    CHECK(fits(request), request.prompt.size(), " + ", request.max_tokens, " tokens, at most ",
          options_.limits.sequence_tokens_max);
    waiting_.push_back(std::make_unique<Sequence>(std::move(request)));
}

bool Scheduler::cancel(uint64_t id) {
    const auto has_id = [id](const auto& sequence) { return sequence->request.id == id; };
    if (const auto it = std::find_if(running_.begin(), running_.end(), has_id);
        it != running_.end()) {
        CHECK((*it)->scheduled == 0, "sequence ", id, " is in the batch under way");
        pool_.release((*it)->kv.blocks);
        running_.erase(it);
        return true;
    }
    return std::erase_if(waiting_, has_id) > 0;  // Waiting sequences hold no blocks.
}

std::vector<uint64_t> Scheduler::ids() const {
    std::vector<uint64_t> ids;
    for (const auto& sequence : running_) ids.push_back(sequence->request.id);
    for (const auto& sequence : waiting_) ids.push_back(sequence->request.id);
    return ids;
}

const Batch& Scheduler::step() {
    const Limits& limits = options_.limits;
    batch_.items.clear();
    batch_.num_tokens = 0;
    // Oldest first. Decodes take one token each; only the last sequence can be inside its prompt
    // (see below), so it gets the rest of the step: chunked prefill needs no code of its own.
    bool starved = false;
    for (size_t i = 0; i < running_.size(); ++i) {
        CHECK(running_[i]->decoding() || i + 1 == running_.size(), "prompt in mid-queue");
        starved = !schedule(i);
    }
    // Newcomers, unless somebody older is short of blocks. The first that does not fit the step
    // whole ends it.
    while (!starved && !waiting_.empty() && batch_.num_tokens < limits.batch_tokens_max &&
           running_.size() < static_cast<size_t>(limits.batch_sequences_max)) {
        running_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
        share_prefix(*running_.back());
        starved = !schedule(running_.size() - 1);
    }
    CHECK(!batch_.items.empty() || idle(), "work is waiting and none was scheduled");
    return batch_;
}

// Adds the next tokens of running_[index] to the batch, as many as the step has room for. If blocks
// are short, the youngest sequences give theirs up: only an older one may preempt, so the oldest
// always advances. False if there is none to preempt.
//
// The blocks of all known tokens are taken at once, not those of a chunk: else a prompt that cannot
// be finished is begun, preempted and begun again, and each time a part of it is computed for
// nothing.
bool Scheduler::schedule(size_t index) {
    Sequence& sequence = *running_[index];
    const int room = options_.limits.batch_tokens_max - batch_.num_tokens;
    const int num_tokens = std::min(sequence.pending(), room);
    while (!grow(sequence)) {
        if (index + 1 == running_.size()) return false;
        preempt_youngest();
    }
    sequence.scheduled = num_tokens;
    batch_.items.push_back({&sequence, num_tokens, num_tokens == sequence.pending()});
    batch_.num_tokens += num_tokens;
    return true;
}

bool Scheduler::grow(Sequence& sequence) {
    const int needed = options_.limits.blocks_for(static_cast<int>(std::ssize(sequence.tokens))) -
                       static_cast<int>(std::ssize(sequence.kv.blocks));
    if (needed > pool_.num_free()) return false;
    for (int i = 0; i < needed; ++i) sequence.kv.blocks.push_back(pool_.take());
    return true;
}

// Its keys are lost and computed again when it comes back, as a prompt; what it was given stays.
void Scheduler::preempt_youngest() {
    Sequence& sequence = *running_.back();
    CHECK(sequence.scheduled == 0, "sequence ", sequence.request.id, " is in the batch already");
    pool_.release(sequence.kv.blocks);
    sequence.kv = {};
    ++preemptions_;
    waiting_.push_front(std::move(running_.back()));
    running_.pop_back();
}

std::vector<TokenEvent> Scheduler::commit(const StepResult& result) {
    CHECK(result.size() == batch_.items.size(), result.size(), " for ", batch_.items.size());
    std::vector<TokenEvent> events;
    events.reserve(batch_.items.size());
    bool any_ended = false;
    for (size_t i = 0; i < batch_.items.size(); ++i) {
        Sequence& sequence = *batch_.items[i].sequence;
        CHECK(sequence.scheduled == batch_.items[i].num_tokens, "not the batch of this step");
        sequence.kv.computed += sequence.scheduled;
        sequence.scheduled = 0;
        publish_computed(sequence);
        CHECK(result.of(i).empty() != batch_.items[i].samples, result.of(i).size(),
              " tokens drawn for sequence ", sequence.request.id);
        if (!batch_.items[i].samples) continue;  // The prompt goes on in the next step.
        events.push_back(append(sequence, result.of(i)));
        if (events.back().finish == FinishReason::none) continue;
        pool_.release(sequence.kv.blocks);
        any_ended = sequence.ended = true;
    }
    batch_.items.clear();
    if (any_ended) std::erase_if(running_, [](const auto& sequence) { return sequence->ended; });
    return events;
}

// Takes tokens one by one up to the first that ends the sequence; those after it are dropped.
TokenEvent Scheduler::append(Sequence& sequence, std::span<const Token> tokens) {
    TokenEvent event{.id = sequence.request.id, .cached_tokens = sequence.cached_tokens};
    for (Token token : tokens) {
        sequence.tokens.push_back(token);
        event.tokens.push_back(token);
        finish(sequence, token, event);
        if (event.finish != FinishReason::none) break;
    }
    return event;
}

// vLLM's order: end token, stop token, length.
void Scheduler::finish(const Sequence& sequence, Token token, TokenEvent& event) const {
    const Request& request = sequence.request;
    const auto among = [token](const std::vector<Token>& ids) {
        return std::find(ids.begin(), ids.end(), token) != ids.end();
    };
    const bool may_stop = sequence.generated() >= request.min_tokens;
    if (may_stop && !request.ignore_eos && among(options_.end_tokens)) {
        event.finish = FinishReason::stop;
    } else if (may_stop && among(request.stop_token_ids)) {
        event.finish = FinishReason::stop;
        event.stop_token = token;
    } else if (sequence.generated() >= request.max_tokens) {
        event.finish = FinishReason::length;
    }
}

// Starts a sequence at the end of its longest cached prefix. The last token is always computed: its
// logits are what the request is for. Without prefix caching nothing is published, nothing found.
void Scheduler::share_prefix(Sequence& sequence) {
    const int B = pool_.block_tokens();
    const std::span<const Token> tokens(sequence.tokens);
    while (sequence.kv.computed + B < std::ssize(tokens)) {
        const PrefixHash next =
            pool_.extend(sequence.kv.prefix, tokens.subspan(sequence.kv.computed, B));
        const BlockId block = pool_.find(next);
        if (block < 0) break;
        sequence.kv.blocks.push_back(block);
        sequence.kv.prefix = next;
        sequence.kv.computed += B;
        ++sequence.kv.published;
    }
    if (sequence.cached_tokens < 0) sequence.cached_tokens = sequence.kv.computed;
}

void Scheduler::publish_computed(Sequence& sequence) {
    const int B = pool_.block_tokens();
    const std::span<const Token> tokens(sequence.tokens);
    while (options_.prefix_caching && (sequence.kv.published + 1) * B <= sequence.kv.computed) {
        const int i = sequence.kv.published++;
        sequence.kv.prefix = pool_.extend(sequence.kv.prefix, tokens.subspan(i * B, B));
        pool_.publish(sequence.kv.blocks[i], sequence.kv.prefix);
    }
}

void Scheduler::check_invariants() const {
    std::vector<int> held(pool_.num_blocks());
    for (const auto& sequence : running_) {
        const Sequence::Kv& kv = sequence->kv;
        CHECK(sequence->scheduled == 0 && !sequence->ended, "sequence ", sequence->request.id);
        CHECK(kv.computed < std::ssize(sequence->tokens), kv.computed, " tokens computed");
        CHECK(options_.limits.blocks_for(kv.computed) <= std::ssize(kv.blocks), kv.computed,
              " tokens in ", kv.blocks.size(), " blocks");
        for (BlockId block : kv.blocks) ++held[block];
    }
    for (const auto& sequence : waiting_)
        CHECK(sequence->kv.blocks.empty() && sequence->kv.computed == 0, "sequence ",
              sequence->request.id, " waits and holds blocks");
    for (BlockId block = 0; block < pool_.num_blocks(); ++block)
        CHECK(held[block] == pool_.references(block), "block ", block, " is held by ", held[block],
              ", referenced by ", pool_.references(block));
}

}  // namespace fathom
