"""Held-out stories: how well they are foreseen, and how the model goes on with them."""
import json
import math

import drafts
import items

LOSS, PERPLEXITY = "narrative, nats per token", "narrative, perplexity"
GREEDY = 160  # tokens after an opening, greedily
TOLD = 300  # at most, where people read them


def loss(entries):
    """-> (sum of -log p, tokens) of the prompt_logprobs of an answer."""
    chosen = [next(iter(entry.values()))["logprob"] for entry in entries[1:]]
    return -sum(chosen), len(chosen)


def measure_loss(asked, report, count):
    read = lambda text: loss(asked.complete(text, max_tokens=1, prompt_logprobs=0)
                             ["prompt_logprobs"])
    losses, tokens = zip(*asked.each(read, items.narratives(count)))
    mean = sum(losses) / sum(tokens)
    report.put(LOSS, mean)
    report.put(PERPLEXITY, math.exp(mean))


def continuation(asked, text, end):
    """-> (tokens of the prompt, all ids without the end token)."""
    reply = asked.complete(text, max_tokens=GREEDY, temperature=0, return_token_ids=True)
    prompt, made = reply["prompt_token_ids"], reply["token_ids"]
    return len(prompt), prompt + made[:made.index(end) if end in made else None]


def measure_acceptance(asked, report, count, checkpoint):
    end = json.loads((checkpoint / "config.json").read_text())["eos_token_id"]
    made = asked.each(lambda text: continuation(asked, text, end), items.openings(count))
    for k, rate in enumerate(drafts.rates(checkpoint, made), 1):
        report.put(drafts.row(k), rate)


def tell(asked, count):
    """Continuations of held-out openings, at the temperature that people use."""
    opened = list(enumerate(items.openings(count)))
    replies = asked.each(lambda item: asked.complete(
        item[1], max_tokens=TOLD, temperature=0.6, seed=item[0])["text"], opened)
    for (seed, opening), text in zip(opened, replies):
        print(f"Story {seed}: {opening.removeprefix(items.BOS)} [...]{text}\n")
