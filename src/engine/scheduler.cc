#include "engine/scheduler.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fathom {

Scheduler::Scheduler(SchedulerOptions options, BlockPool& pool)
    : options_(std::move(options)), pool_(pool) {
    const Limits& limits = options_.limits;
    CHECK(limits.batch_tokens_max >= limits.batch_sequences_max && limits.batch_sequences_max > 0,
          limits.batch_tokens_max, " tokens a step for ", limits.batch_sequences_max, " sequences");
    CHECK(limits.logits_rows_max >= limits.batch_sequences_max, limits.logits_rows_max,
          " rows of logits for ", limits.batch_sequences_max, " sequences");
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
    const PrefixHash root = pool_.root(request.cache_salt);
    auto sequence = std::make_unique<Sequence>(std::move(request), root);
    const auto behind = std::upper_bound(
        waiting_.begin(), waiting_.end(), priority_of(*sequence),
        [this](int priority, const auto& other) { return priority < priority_of(*other); });
    waiting_.insert(behind, std::move(sequence));
}

int Scheduler::priority_of(const Sequence& sequence) const {
    return options_.priority_scheduling ? sequence.request.priority : 0;
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

std::vector<TokenEvent> Scheduler::end_all(FinishReason reason) {
    std::vector<TokenEvent> events;
    for (uint64_t id : ids()) events.push_back({.id = id, .finish = reason});
    for (const auto& sequence : running_) pool_.release(sequence->kv.blocks);
    running_.clear();
    waiting_.clear();
    batch_.items.clear();
    return events;
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
    batch_.num_tokens = batch_.num_logits = 0;
    const size_t ready = reserve();
    // Decodes take one token and one row of logits each; what is left goes to prompts, of which
    // several may be under way when rows are scarce: chunked prefill needs no code of its own.
    for (size_t i = 0; i < ready; ++i)
        if (running_[i]->decoding()) hand_out(*running_[i]);
    for (size_t i = 0; i < ready; ++i)
        if (running_[i]->scheduled == 0) hand_out(*running_[i]);
    // Newcomers, unless somebody before them is short of blocks. The first of which no token fits
    // the step ends it.
    bool starved = ready < running_.size();
    while (!starved && !waiting_.empty() && chunk(*waiting_.front()) > 0 &&
           running_.size() < static_cast<size_t>(limits.batch_sequences_max)) {
        Sequence& sequence = begin_first_waiting();
        starved = !grow(sequence);
        if (!starved) hand_out(sequence);
    }
    CHECK(!batch_.items.empty() || idle(), "work is waiting and none was scheduled");
    return batch_;
}

// Takes the blocks that the running sequences need, by rank, before any of them is in the batch. If
// blocks are short, the last in rank give theirs up: only one before them may preempt, so the first
// always advances. Returns how many have their blocks: all, or all but the last.
//
// The blocks of all known tokens are taken at once, not those of a chunk: else a prompt that cannot
// be finished is begun, preempted and begun again, and each time a part of it is computed for
// nothing.
size_t Scheduler::reserve() {
    for (size_t i = 0; i < running_.size(); ++i)
        while (!grow(*running_[i])) {
            if (i + 1 == running_.size()) return i;
            preempt_last();
        }
    return running_.size();
}

bool Scheduler::grow(Sequence& sequence) {
    const int needed = options_.limits.blocks_for(static_cast<int>(std::ssize(sequence.tokens))) -
                       static_cast<int>(std::ssize(sequence.kv.blocks));
    if (needed > pool_.num_free()) return false;
    for (int i = 0; i < needed; ++i) sequence.kv.blocks.push_back(pool_.take());
    return true;
}

// Its keys are lost and computed again when it comes back, as a prompt; what it was given stays.
void Scheduler::preempt_last() {
    Sequence& sequence = *running_.back();
    CHECK(sequence.scheduled == 0, "sequence ", sequence.request.id, " is in the batch already");
    pool_.release(sequence.kv.blocks);
    sequence.forget_kv();
    ++counts_.preemptions;
    const auto before = std::lower_bound(
        waiting_.begin(), waiting_.end(), priority_of(sequence),
        [this](const auto& other, int priority) { return priority_of(*other) < priority; });
    waiting_.insert(before, std::move(running_.back()));
    running_.pop_back();
}

// How many tokens of the sequence fit what is left of the step's tokens and rows of logits.
int Scheduler::chunk(const Sequence& sequence) const {
    const int tokens = options_.limits.batch_tokens_max - batch_.num_tokens;
    const int rows = options_.limits.logits_rows_max - batch_.num_logits;
    const int without_rows = sequence.logits_from() - sequence.kv.computed;
    return std::min({sequence.pending(), tokens, without_rows + rows});
}

// Adds the next tokens of a sequence that has its blocks to the batch; none if the step is full.
void Scheduler::hand_out(Sequence& sequence) {
    const int num_tokens = chunk(sequence);
    if (num_tokens == 0) return;
    const int end = sequence.kv.computed + num_tokens;
    const int num_logits = std::max(0, end - sequence.logits_from());
    sequence.scheduled = num_tokens;
    batch_.items.push_back({&sequence, num_tokens, num_tokens == sequence.pending(), num_logits});
    batch_.num_tokens += num_tokens;
    batch_.num_logits += num_logits;
}

Sequence& Scheduler::begin_first_waiting() {
    std::unique_ptr<Sequence> sequence = std::move(waiting_.front());
    waiting_.pop_front();
    share_prefix(*sequence);
    const auto behind = std::upper_bound(
        running_.begin(), running_.end(), priority_of(*sequence),
        [this](int priority, const auto& other) { return priority < priority_of(*other); });
    return **running_.insert(behind, std::move(sequence));
}

std::vector<TokenEvent> Scheduler::commit(StepResult& result) {
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
        std::vector<TokenLogprobs>& rows = result.prompt_logprobs(i);
        CHECK(std::ssize(rows) == batch_.items[i].num_logits - batch_.items[i].samples, rows.size(),
              " prompt logprobs of sequence ", sequence.request.id);
        std::ranges::move(rows, std::back_inserter(sequence.prompt_logprobs));
        if (!batch_.items[i].samples) continue;  // The prompt goes on in the next step.
        events.push_back(append(sequence, result.of(i), std::move(result.logprobs(i))));
        if (events.back().finish == FinishReason::none) continue;
        pool_.release(sequence.kv.blocks);
        any_ended = sequence.ended = true;
    }
    batch_.items.clear();
    if (any_ended) std::erase_if(running_, [](const auto& sequence) { return sequence->ended; });
    return events;
}

// Takes tokens one by one up to the first that ends the sequence; those after it are dropped.
TokenEvent Scheduler::append(Sequence& sequence, std::span<const Token> tokens,
                             std::vector<TokenLogprobs> logprobs) {
    const Request& request = sequence.request;
    TokenEvent event{.id = request.id, .cached_tokens = sequence.cached_tokens};
    event.prompt_logprobs = std::exchange(sequence.prompt_logprobs, {});
    event.scheduled = sequence.begun;
    if (sequence.generated() == 0) counts_.prompt_tokens += sequence.prompt_tokens;
    for (Token token : tokens) {
        sequence.tokens.push_back(token);
        event.tokens.push_back(token);
        if (request.constraint) request.constraint->accept(token);
        finish(sequence, token, event);
        if (event.finish != FinishReason::none) break;
    }
    counts_.generated_tokens += std::ssize(event.tokens);
    CHECK(logprobs.size() == (request.logprobs ? tokens.size() : 0), logprobs.size(),
          " logprobs of ", tokens.size(), " tokens of sequence ", request.id);
    logprobs.resize(std::min(logprobs.size(), event.tokens.size()));
    event.logprobs = std::move(logprobs);
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

// Starts a sequence at the end of its longest cached prefix, but before the first logits that it
// wants: at least the last token is always computed. Without prefix caching nothing is published,
// nothing found.
void Scheduler::share_prefix(Sequence& sequence) {
    const int B = pool_.block_tokens();
    const std::span<const Token> tokens(sequence.tokens);
    while (sequence.kv.computed + B <= sequence.logits_from()) {
        const PrefixHash next =
            pool_.extend(sequence.kv.prefix, tokens.subspan(sequence.kv.computed, B));
        const BlockId block = pool_.find(next);
        if (block < 0) break;
        sequence.kv.blocks.push_back(block);
        sequence.kv.prefix = next;
        sequence.kv.computed += B;
        ++sequence.kv.published;
    }
    if (sequence.cached_tokens >= 0) return;
    sequence.cached_tokens = sequence.kv.computed;
    if (!options_.prefix_caching || sequence.request.prompt_logprobs) return;
    counts_.prefix_queries += sequence.prompt_tokens;
    counts_.prefix_hits += sequence.cached_tokens;
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
    const auto by_priority = [this](const auto& a, const auto& b) {
        return priority_of(*a) < priority_of(*b);
    };
    CHECK(std::ranges::is_sorted(running_, by_priority) &&
              std::ranges::is_sorted(waiting_, by_priority),
          "sequences of a lower priority come first");
    for (const auto& sequence : waiting_)
        CHECK(sequence->kv.blocks.empty() && sequence->kv.computed == 0, "sequence ",
              sequence->request.id, " waits and holds blocks");
    for (BlockId block = 0; block < pool_.num_blocks(); ++block)
        CHECK(held[block] == pool_.references(block), "block ", block, " is held by ", held[block],
              ", referenced by ", pool_.references(block));
}

}  // namespace fathom
