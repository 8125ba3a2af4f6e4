#include "model/fill_input.h"

#include <algorithm>

namespace fathom {
namespace {

void fill_tokens(ForwardInput& in, const SequencePart& part, int sequence, int first) {
    const int B = in.block_tokens;
    for (int i = 0; i < part.num_tokens; ++i) {
        const int position = part.computed + i, t = first + i;
        // The MTP layer sees a zero embedding at position 0, as in vLLM's deepseek_mtp.
        const bool next_known = position > 0 && position + 1 < std::ssize(part.tokens);
        in.tokens.as<int32_t>()[t] = part.tokens[position];
        in.next_tokens.as<int32_t>()[t] = next_known ? part.tokens[position + 1] : -1;
        in.positions.as<int32_t>()[t] = position;
        in.sequences.as<int32_t>()[t] = sequence;
        in.slots.as<int32_t>()[t] = part.blocks[position / B] * B + position % B;
    }
}

// Those to draw from come first, so that they are one matrix.
int fill_logits_rows(ForwardInput& in, std::span<const SequencePart> parts) {
    auto* const rows = in.logits_rows.as<int32_t>();
    int wanted = 0, end = 0, count = 0;
    for (const SequencePart& part : parts) {
        CHECK(part.more_logits >= 0 && part.wants_logits + part.more_logits <= part.num_tokens,
              part.more_logits, " more rows of logits of ", part.num_tokens, " tokens");
        wanted += part.wants_logits + part.more_logits;
    }
    CHECK(wanted <= in.logits_rows.dim(0), wanted, " rows of logits in the step, at most ",
          in.logits_rows.dim(0));
    for (const SequencePart& part : parts) {
        end += part.num_tokens;
        if (part.wants_logits) rows[count++] = end - 1;
    }
    end = 0;
    for (const SequencePart& part : parts) {
        end += part.num_tokens;
        const int first = end - part.wants_logits - part.more_logits;
        for (int i = 0; i < part.more_logits; ++i) rows[count++] = first + i;
    }
    return count;
}

}  // namespace

void fill_input(ForwardInput& in, std::span<const SequencePart> parts) {
    CHECK(std::ssize(parts) <= in.block_tables.dim(0), parts.size(), " sequences, at most ",
          in.block_tables.dim(0));
    int tokens = 0, sequences = 0, longest = 0;
    for (const SequencePart& part : parts) {
        const int length = part.computed + part.num_tokens;
        const int blocks = (length + in.block_tokens - 1) / in.block_tokens;
        CHECK(part.num_tokens >= 1 && length <= std::ssize(part.tokens), part.computed, " + ",
              part.num_tokens, " of ", part.tokens.size(), " tokens");
        CHECK(blocks <= std::ssize(part.blocks) && blocks <= in.block_tables.dim(1), blocks,
              " blocks needed, the sequence has ", part.blocks.size());
        CHECK(tokens + part.num_tokens <= in.tokens.dim(0), tokens + part.num_tokens,
              " tokens in the step, at most ", in.tokens.dim(0));
        fill_tokens(in, part, sequences, tokens);
        std::copy_n(part.blocks.begin(), blocks,
                    in.block_tables.as<int32_t>() + sequences * in.block_tables.row_stride());
        tokens += part.num_tokens;
        longest = std::max(longest, length);
        ++sequences;
    }
    const int32_t counts[] = {tokens, sequences, fill_logits_rows(in, parts), longest};
    std::copy(counts, counts + 4, in.counts.as<int32_t>());
}

}  // namespace fathom
