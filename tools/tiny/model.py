"""DeepSeek-V3.2 for training: MLA in its multi-head form, lightning indexer, sparse attention by
masks, a mixture of experts computed as one wide masked MLP, one multi-token prediction layer.

Parameters carry the names of Hugging Face's checkpoint where they are one tensor there; experts are
stacked and taken apart by export.py. tools/reference/oracle.py says what the numbers are.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Config:
    vocab_size: int = 2560
    hidden_size: int = 256
    intermediate_size: int = 512
    moe_intermediate_size: int = 128
    num_hidden_layers: int = 6
    first_k_dense_replace: int = 2
    num_attention_heads: int = 4
    q_lora_rank: int = 128
    kv_lora_rank: int = 512
    qk_nope_head_dim: int = 128
    qk_rope_head_dim: int = 64
    v_head_dim: int = 128
    index_n_heads: int = 8
    index_head_dim: int = 128
    index_topk: int = 256
    n_routed_experts: int = 16
    n_group: int = 4
    topk_group: int = 2
    num_experts_per_tok: int = 4
    routed_scaling_factor: float = 2.5
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    rope_factor: float = 4.0
    rope_original: int = 4096
    rope_beta_fast: float = 32.0
    rope_beta_slow: float = 1.0

    @property
    def softmax_scale(self):
        mscale = 0.1 * math.log(self.rope_factor) + 1
        return (self.qk_nope_head_dim + self.qk_rope_head_dim) ** -0.5 * mscale**2


# --- rotary embedding -----------------------------------------------------------------------------
def rope_frequencies(c):
    """[rope / 2] float32, with YaRN's ramp between extrapolation and interpolation."""
    dim = c.qk_rope_head_dim
    freqs = 1.0 / (c.rope_theta ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))

    def turns(n):
        return dim * math.log(c.rope_original / (n * 2 * math.pi)) / (2 * math.log(c.rope_theta))

    low = max(math.floor(turns(c.rope_beta_fast)), 0)
    high = min(math.ceil(turns(c.rope_beta_slow)), dim - 1)
    ramp = torch.clamp((torch.arange(dim // 2).float() - low) / (high - low), 0, 1)
    return freqs / c.rope_factor * ramp + freqs * (1 - ramp)


def rotate_interleaved(x, cos, sin):
    """x [B, T, .., rope], pairs (0, 1), (2, 3), ..; cos and sin [B, T, rope / 2]."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = fit(cos, a), fit(sin, a)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(x.dtype)


def rotate_half(x, cos, sin):
    """As above with pairs (0, n / 2), (1, n / 2 + 1), ..: the layout of the indexer."""
    a, b = x.float().chunk(2, -1)
    cos, sin = fit(cos, a), fit(sin, a)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1).to(x.dtype)


def fit(table, x):
    return table.unsqueeze(2) if x.dim() == 4 else table


# --- layers ---------------------------------------------------------------------------------------
class RMSNorm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x):
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)
        return (self.weight * y).to(x.dtype)


def linear(n_in, n_out):
    return nn.Linear(n_in, n_out, bias=False)


class Indexer(nn.Module):
    """Scores every earlier position for every query; trained by KL only: inputs are detached."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.wq_b = linear(c.q_lora_rank, c.index_n_heads * c.index_head_dim)
        self.wk = linear(c.hidden_size, c.index_head_dim)
        self.k_norm = nn.LayerNorm(c.index_head_dim, eps=1e-6)
        self.weights_proj = linear(c.hidden_size, c.index_n_heads)

    def project(self, x, qr, cos, sin):
        """-> q [B, T, H, D], k [B, T, D], w [B, T, H]."""
        c, x, qr = self.c, x.detach(), qr.detach()
        q = self.wq_b(qr).unflatten(-1, (c.index_n_heads, c.index_head_dim))
        k = self.k_norm(self.wk(x))
        turn = lambda v: torch.cat((rotate_half(v[..., :rope], cos, sin), v[..., rope:]), -1)
        rope = c.qk_rope_head_dim
        w = self.weights_proj(x).float() * (c.index_n_heads * c.index_head_dim) ** -0.5
        return turn(q), turn(k).to(q.dtype), w


def index_scores(q, k, w):
    """q [B, T, H, D], k [B, S, D], w [B, T, H] -> [B, T, S] in w's type, not masked."""
    total = 0
    for h in range(q.shape[2]):
        total = total + torch.relu(q[:, :, h] @ k.mT) * w[:, :, h, None]
    return total


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        heads, nope, rope = c.num_attention_heads, c.qk_nope_head_dim, c.qk_rope_head_dim
        self.q_a_proj = linear(c.hidden_size, c.q_lora_rank)
        self.q_a_layernorm = RMSNorm(c.q_lora_rank, c.rms_norm_eps)
        self.q_b_proj = linear(c.q_lora_rank, heads * (nope + rope))
        self.kv_a_proj_with_mqa = linear(c.hidden_size, c.kv_lora_rank + rope)
        self.kv_a_layernorm = RMSNorm(c.kv_lora_rank, c.rms_norm_eps)
        self.kv_b_proj = linear(c.kv_lora_rank, heads * (nope + c.v_head_dim))
        self.o_proj = linear(heads * c.v_head_dim, c.hidden_size)
        self.indexer = Indexer(c)

    def project(self, x, cos, sin):
        """-> q, k [B, T, H, nope + rope], v [B, T, H, v], the normalized query latent."""
        c = self.c
        heads, nope, rope = c.num_attention_heads, c.qk_nope_head_dim, c.qk_rope_head_dim
        qr = self.q_a_layernorm(self.q_a_proj(x))
        q = self.q_b_proj(qr).unflatten(-1, (heads, nope + rope))
        q = torch.cat((q[..., :nope], rotate_interleaved(q[..., nope:], cos, sin)), -1)
        latent, k_pe = self.kv_a_proj_with_mqa(x).split([c.kv_lora_rank, rope], -1)
        k_pe = rotate_interleaved(k_pe, cos, sin)
        kv = self.kv_b_proj(self.kv_a_layernorm(latent)).unflatten(-1, (heads, -1))
        k = torch.cat((kv[..., :nope], k_pe.unsqueeze(2).expand(-1, -1, heads, -1)), -1)
        return q, k, kv[..., nope:], qr

    def attend(self, q, k, v, allowed):
        """allowed [B, T, S] bool, or None for plain causal attention of whole sequences."""
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        scale = self.c.softmax_scale
        if allowed is None:
            v_wide = F.pad(v, (0, q.shape[-1] - v.shape[-1]))  # flash attention wants equal widths
            out = F.scaled_dot_product_attention(q, k, v_wide, is_causal=True, scale=scale)
            out = out[..., : v.shape[-1]]
        else:
            mask = allowed.unsqueeze(1)
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
        return self.o_proj(out.transpose(1, 2).flatten(-2))

    def forward(self, x, cos, sin, mode, rows=None):
        """mode "dense" or "sparse"; rows [R]: query positions the indexer learns from, or None.

        -> (output, mean KL of the indexer over rows or 0)
        """
        q, k, v, qr = self.project(x, cos, sin)
        if mode == "dense" and rows is None:
            return self.attend(q, k, v, None), x.new_zeros(())
        index = self.indexer.project(x, qr, cos, sin)
        allowed = None
        if mode == "sparse":
            with torch.no_grad():
                allowed = choose(index_scores(*index), self.c.index_topk)
        loss = self.indexer_loss(index, q, k, allowed, rows) if rows is not None else 0.0
        return self.attend(q, k, v, allowed), loss

    def indexer_loss(self, index, q, k, allowed, rows):
        """KL(attention summed over heads || softmax of index scores) at some rows."""
        qi, ki, w = index
        positions = torch.arange(k.shape[1], device=k.device)
        visible = (positions <= rows[:, None]).expand(k.shape[0], -1, -1)
        if allowed is not None:
            visible = allowed[:, rows]
        scores = index_scores(qi[:, rows], ki, w[:, rows]).float()
        log_index = scores.masked_fill(~visible, -1e30).log_softmax(-1)
        with torch.no_grad():
            target = 0
            for h in range(q.shape[2]):
                s = (q[:, rows, h] @ k[:, :, h].mT).float() * self.c.softmax_scale
                target = target + s.masked_fill(~visible, -1e30).softmax(-1)
            target = target / q.shape[2]
            entropy = torch.special.xlogy(target, target).sum(-1)
        return (entropy - (target * log_index.masked_fill(~visible, 0)).sum(-1)).mean()


def choose(scores, k, limit=None):
    """scores [B, T, S] -> bool: the k best of the visible positions of each query.

    limit [B, T]: the last visible position; default: query t sees 0..t.
    """
    positions = torch.arange(scores.shape[2], device=scores.device)
    if limit is None:
        limit = torch.arange(scores.shape[1], device=scores.device).expand(scores.shape[0], -1)
    visible = positions <= limit[..., None]
    if scores.shape[2] <= k:
        return visible
    scores = scores.masked_fill(~visible, -math.inf)
    border = scores.topk(k, dim=-1).values[..., -1:]
    return (scores >= border) & visible


class MLP(nn.Module):
    def __init__(self, c, inter):
        super().__init__()
        self.gate_proj = linear(c.hidden_size, inter)
        self.up_proj = linear(c.hidden_size, inter)
        self.down_proj = linear(inter, c.hidden_size)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class MoE(nn.Module):
    """All experts are computed for all tokens and weighted, mostly by zero: at this size one wide
    product is faster than gathering."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        shape = (c.n_routed_experts, c.moe_intermediate_size, c.hidden_size)
        self.gate = linear(c.hidden_size, c.n_routed_experts)
        self.register_buffer("bias", torch.zeros(c.n_routed_experts))
        self.register_buffer("load", torch.zeros(c.n_routed_experts))
        self.experts_gate = nn.Parameter(torch.empty(shape))
        self.experts_up = nn.Parameter(torch.empty(shape))
        self.experts_down = nn.Parameter(torch.empty(shape[0], shape[2], shape[1]))
        self.shared_experts = MLP(c, c.moe_intermediate_size)

    def route(self, x):
        """-> weights [N, E], zero for experts that were not chosen."""
        c = self.c
        with torch.autocast(x.device.type, enabled=False):
            scores = torch.sigmoid(x.float() @ self.gate.weight.float().T)
        with torch.no_grad():
            groups = (scores + self.bias).unflatten(-1, (c.n_group, -1))
            group_scores = groups.topk(2, -1).values.sum(-1)
            best = group_scores.topk(c.topk_group, -1).indices
            allowed = torch.zeros_like(group_scores).scatter_(-1, best, 1.0) > 0
            masked = groups.masked_fill(~allowed[..., None], -math.inf).flatten(-2)
            chosen = masked.topk(c.num_experts_per_tok, -1).indices
            mask = torch.zeros_like(scores).scatter_(-1, chosen, 1.0)
        weights = scores * mask
        return weights / weights.sum(-1, keepdim=True) * c.routed_scaling_factor, mask

    def forward(self, x):
        flat = x.flatten(0, -2)
        weights, mask = self.route(flat)
        if self.training:
            self.load.add_(mask.sum(0))
        hidden = F.silu(flat @ self.experts_gate.flatten(0, 1).T)
        hidden = hidden * (flat @ self.experts_up.flatten(0, 1).T)
        hidden = hidden.unflatten(-1, (self.c.n_routed_experts, -1)) * weights[..., None]
        down = self.experts_down.transpose(0, 1).flatten(1)
        routed = hidden.to(flat.dtype).flatten(-2) @ down.T
        return routed.view_as(x) + self.shared_experts(x)

    @torch.no_grad()
    def balance(self, speed):
        """Aux-loss-free balancing: experts below the mean load become a little more likely."""
        self.bias += speed * torch.sign(self.load.mean() - self.load)
        self.load.zero_()


class Block(nn.Module):
    def __init__(self, c, n):
        super().__init__()
        self.input_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.mlp = MLP(c, c.intermediate_size) if n < c.first_k_dense_replace else MoE(c)

    def forward(self, x, cos, sin, mode="dense", rows=None):
        y, loss = self.self_attn(self.input_layernorm(x), cos, sin, mode, rows)
        x = x + y
        return x + self.mlp(self.post_attention_layernorm(x)), loss


class MTP(Block):
    """Predicts the token after the next from the hidden state and the next token."""

    def __init__(self, c):
        super().__init__(c, c.num_hidden_layers)
        self.enorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.hnorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.eh_proj = linear(2 * c.hidden_size, c.hidden_size)
        self.shared_head_norm = RMSNorm(c.hidden_size, c.rms_norm_eps)

    def join(self, embedded, hidden):
        return self.eh_proj(torch.cat((self.enorm(embedded), self.hnorm(hidden)), -1)).float()


class Model(nn.Module):
    def __init__(self, c, max_positions=16384):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Block(c, n) for n in range(c.num_hidden_layers))
        self.mtp = MTP(c)
        self.norm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.lm_head = linear(c.hidden_size, c.vocab_size)
        angle = torch.arange(max_positions, dtype=torch.float32)[:, None] * rope_frequencies(c)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        self.reset()

    @torch.no_grad()
    def reset(self):
        deep = (2 * (self.c.num_hidden_layers + 1)) ** -0.5
        for name, p in self.named_parameters():
            if p.dim() < 2:
                continue
            gain = deep if any(s in name for s in ("o_proj", "down")) else 1.0
            std = 0.02 if "embed" in name else p.shape[-1] ** -0.5 * gain
            nn.init.normal_(p, std=0.5 * std if name == "lm_head.weight" else std)

    def tables(self, ids):
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        return cos.expand(ids.shape[0], -1, -1), sin.expand(ids.shape[0], -1, -1)

    def hidden(self, ids, mode="dense", rows=None):
        """-> (normalized final hidden states [B, T, D], sum of the indexers' losses)."""
        cos, sin = self.tables(ids)
        x, loss = self.embed_tokens(ids), 0.0
        for block in self.layers:
            x, kl = block(x, cos, sin, mode, rows)
            loss = loss + kl
        return self.norm(x), loss

    def draft(self, next_ids, hidden, mode="dense", rows=None):
        """-> (normalized hidden states for the shared head, state for a second pass, KL)."""
        cos, sin = self.tables(next_ids)
        embedded = self.embed_tokens(next_ids)
        keep = (torch.arange(next_ids.shape[1], device=next_ids.device) != 0)[:, None]
        out, kl = self.mtp(self.mtp.join(embedded * keep, hidden), cos, sin, mode, rows)
        return self.mtp.shared_head_norm(out), out, kl

    def moes(self):
        return [m for m in self.modules() if isinstance(m, MoE)]
