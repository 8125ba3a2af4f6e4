"""Batched greedy decoding with a cache, for the evaluation inside the training script."""

import torch

from model import choose, index_scores


class Cache:
    def __init__(self, c, batch, length, device, dtype):
        heads, width = c.num_attention_heads, c.qk_nope_head_dim + c.qk_rope_head_dim
        zeros = lambda *shape: torch.zeros(batch, length, *shape, device=device, dtype=dtype)
        self.k, self.v = zeros(heads, width), zeros(heads, c.v_head_dim)
        self.index = zeros(c.index_head_dim)


class Runner:
    """selection: "sparse" by the indexer, "dense" all positions, "random" in its place."""

    def __init__(self, model, batch, length, selection="sparse", dtype=torch.bfloat16):
        self.model, self.selection, self.dtype = model, selection, dtype
        self.device = model.lm_head.weight.device
        layers = len(model.layers) + 1
        self.caches = [Cache(model.c, batch, length, self.device, dtype) for _ in range(layers)]

    def attention(self, attn, x, positions, cache):
        model, c = self.model, self.model.c
        cos, sin = model.cos[positions], model.sin[positions]
        q, k, v, qr = attn.project(x, cos, sin)
        rows = torch.arange(x.shape[0], device=x.device)[:, None]
        qi, ki, w = attn.indexer.project(x, qr, cos, sin)
        cache.k[rows, positions] = k.to(self.dtype)
        cache.v[rows, positions] = v.to(self.dtype)
        cache.index[rows, positions] = ki.to(self.dtype)
        end = int(positions.max()) + 1
        topk = c.index_topk if self.selection != "dense" else end
        if self.selection == "sparse" and end > topk:
            scores = index_scores(qi.to(self.dtype), cache.index[:, :end], w)
        elif self.selection == "random":
            scores = torch.rand(*x.shape[:2], end, device=x.device)
        else:
            scores = torch.zeros(*x.shape[:2], end, device=x.device)
        allowed = choose(scores, topk, positions)
        return attn.attend(q.to(self.dtype), cache.k[:, :end], cache.v[:, :end], allowed)

    def block(self, block, x, positions, cache):
        x = x + self.attention(block.self_attn, block.input_layernorm(x), positions, cache)
        return x + block.mlp(block.post_attention_layernorm(x))

    def hidden(self, ids, positions):
        x = self.model.embed_tokens(ids)
        for block, cache in zip(self.model.layers, self.caches):
            x = self.block(block, x, positions, cache)
        return self.model.norm(x)

    def draft(self, next_ids, hidden, positions):
        """-> (draft ids, state for the next pass)."""
        mtp = self.model.mtp
        embedded = self.model.embed_tokens(next_ids) * (positions != 0)[..., None]
        out = self.block(mtp, mtp.join(embedded, hidden), positions, self.caches[-1])
        return self.model.lm_head(mtp.shared_head_norm(out)).argmax(-1), out

    def logits(self, hidden):
        return self.model.lm_head(hidden).float()


def precision(device):
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def pad(prompts, device):
    """-> ids [B, longest], lengths [B]; the padding is behind, where causality hides it."""
    lengths = torch.tensor([len(p) for p in prompts], device=device)
    ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.long, device=device)
    for i, p in enumerate(prompts):
        ids[i, : len(p)] = torch.tensor(p, device=device)
    return ids, lengths


@torch.no_grad()
def generate(model, prompts, count, eos=1, selection="sparse"):
    """Greedy continuations of token lists, each up to its end token."""
    device = model.lm_head.weight.device
    ids, lengths = pad(prompts, device)
    runner = Runner(model, len(prompts), ids.shape[1] + count, selection, precision(device))
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        positions = torch.arange(ids.shape[1], device=device).expand(len(prompts), -1)
        rows = torch.arange(len(prompts), device=device)
        hidden = runner.hidden(ids, positions)[rows, lengths - 1]
        out, done = [], torch.zeros(len(prompts), dtype=torch.bool, device=device)
        for step in range(count):
            token = runner.logits(hidden).argmax(-1)
            out.append(token)
            done |= token == eos
            if bool(done.all()):
                break
            hidden = runner.hidden(token[:, None], (lengths + step)[:, None])[:, 0]
    made = torch.stack(out, 1).tolist()
    return [row[: row.index(eos)] if eos in row else row for row in made]


@torch.no_grad()
def acceptance(model, texts, start, drafts=3):
    """Along token lists of one length: how often the first k drafts are all what stands there.

    -> [drafts] rates; every position from start on is a round of drafting, with the draft layer's
    cache holding first-pass entries before it, as a server has it.
    """
    device = model.lm_head.weight.device
    ids = torch.tensor(texts, device=device)
    batch, length = ids.shape
    runner = Runner(model, batch, length, dtype=precision(device))
    hits, rounds = torch.zeros(drafts, device=device), 0
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        positions = torch.arange(length, device=device).expand(batch, -1)
        hidden = runner.hidden(ids, positions)
        for p in range(start, length - drafts - 1):
            first = 0 if p == start else p
            span = positions[:, first : p + 1]
            draft, state = runner.draft(ids[:, first + 1 : p + 2], hidden[:, first : p + 1], span)
            good = torch.ones(batch, dtype=torch.bool, device=device)
            for k in range(drafts):
                good &= draft[:, -1] == ids[:, p + 2 + k]
                hits[k] += good.sum()
                if k + 1 < drafts:
                    draft, state = runner.draft(
                        draft[:, -1:], state[:, -1:], positions[:, p + k + 1 : p + k + 2]
                    )
            rounds += batch
    return (hits / rounds).tolist()
