"""DeepSeek-V3.2 in plain torch, written to be read: what every number of fathom has to be.

One sequence, no batch. All arithmetic is float64 unless Numerics says otherwise; where
Numerics.round is on, values are rounded to bfloat16 at the places where DeepSeek's
inference/model.py stores bfloat16. Results do not depend on how a prompt is cut into calls of
forward(): the cache holds the same values.

    model = Model("tiny-fp8", EXACT)
    logits = model.forward([3, 1, 4], model.new_cache())   # [3, vocab]
"""

import glob, json, math
from dataclasses import dataclass, replace
import torch
from safetensors import safe_open

F64 = torch.float64


@dataclass(frozen=True)
class Numerics:
    round: bool = True  # bf16 activations at DeepSeek's rounding points; False: never rounded
    indexer: str = "fp8"  # "fp8": Hadamard, e4m3 with ue8m0 scales; "plain": neither
    latent: str = (
        "fp8"  # KV latent stored as e4m3 with ue8m0 scales per 128; "plain": not quantized
    )
    attention: str = (
        "absorbed"  # "absorbed": kv_b folded into query and output; "mha": keys and values made
    )
    accumulate: str = (
        "f64"  # "f32", "f32-reversed": sums in another precision and order (noise probes)
    )
    round_probs: bool = False  # attention probabilities rounded to bf16 before PV (noise probe)
    sparse: bool = True  # False: attend to all positions (what top-k selection changes)
    index_rope: str = "half"  # "interleaved" is the well-known bug, for negative tests
    mtp_zero_first: bool = True  # position 0 of the MTP layer sees a zero embedding, as vLLM does


PLAIN = Numerics(round=False, indexer="plain", latent="plain")
IDEAL = Numerics(round=False)  # quantized cache and indexer, no bf16 rounding
EXACT = Numerics()


# --- rounding and quantization ------------------------------------------------------------------
def to_bf16(x):
    """Nearest bfloat16, ties to even, kept in x's dtype."""
    m, e = torch.frexp(x)
    return torch.ldexp(torch.round(m * 256), e - 8)


def to_e4m3(x):
    """Nearest e4m3 value, ties to even, saturating at 448, kept in x's dtype."""
    _, e = torch.frexp(x)
    step = torch.ldexp(torch.ones_like(x), torch.clamp(e - 4, min=-9))
    return (torch.round(x / step) * step).clamp(-448, 448)


def ue8m0_scale(amax):
    """The power of two at or above amax / 448, computed in float32 as DeepSeek's kernel does."""
    s = amax.float().clamp(min=1e-4) * torch.tensor(1 / 448, dtype=torch.float32)
    m, e = torch.frexp(s)
    return torch.ldexp(torch.ones_like(s), torch.where(m == 0.5, e - 1, e)).to(amax.dtype)


def act_quant(x):
    """[.., K] -> (e4m3 values [.., K], scales [.., K / 128]); x is about values * scale."""
    g = x.unflatten(-1, (-1, 128))
    scale = ue8m0_scale(g.abs().amax(-1))
    return to_e4m3((g / scale[..., None]).clamp(-448, 448)).flatten(-2), scale


def act_dequant(values, scale):
    return (values.unflatten(-1, (-1, 128)) * scale[..., None]).flatten(-2)


def quant_int8_static(x, scale, offset):
    """float32: clamp(round(x / scale + offset)), ties to even."""
    return torch.round(x.float() / scale + offset).clamp(-128, 127).to(x.dtype)


def quant_int8_dynamic(x):
    """float32, per token: scale = max|x| / 127; a row of zeros gives scale 0 and values 0."""
    f = x.float()
    scale = f.abs().amax(-1, keepdim=True) / 127
    q = torch.round(f / torch.where(scale == 0, torch.ones_like(scale), scale))
    return q.to(x.dtype), scale.to(x.dtype)


def hadamard(x):
    """Sylvester's Hadamard transform of the last dim, times n^-0.5."""
    n, step = x.shape[-1], 1
    while step < n:
        v = x.unflatten(-1, (-1, 2, step))
        x = torch.stack((v[..., 0, :] + v[..., 1, :], v[..., 0, :] - v[..., 1, :]), -2).flatten(-3)
        step *= 2
    return x * n**-0.5


# --- RoPE ---------------------------------------------------------------------------------------
def rope_frequencies(config):
    """[rope / 2] float32, YaRN; each step in float32 as DeepSeek's precompute_freqs_cis."""
    dim, base, y = config["qk_rope_head_dim"], config["rope_theta"], config["rope_scaling"]
    freqs = 1.0 / (base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))
    turns = (
        lambda n: dim
        * math.log(y["original_max_position_embeddings"] / (n * 2 * math.pi))
        / (2 * math.log(base))
    )
    low = max(math.floor(turns(y["beta_fast"])), 0)
    high = min(math.ceil(turns(y["beta_slow"])), dim - 1)
    ramp = torch.clamp((torch.arange(dim // 2, dtype=torch.float32) - low) / (high - low), 0, 1)
    smooth = 1 - ramp
    return freqs / y["factor"] * (1 - smooth) + freqs * smooth


def rope_table(config, positions):
    """-> cos, sin [T, rope / 2]; the angle position * frequency is rounded to float32."""
    angle = (torch.tensor(positions, dtype=torch.float32)[:, None] * rope_frequencies(config)).to(
        F64
    )
    return angle.cos(), angle.sin()


def rotate(x, cos, sin, layout):
    """x [T, .., rope]. "interleaved": pairs (0,1), (2,3), ..; "half": (0, n/2), (1, n/2 + 1), .."""
    cos, sin = (t.view(t.shape[0], *[1] * (x.dim() - 2), -1) for t in (cos, sin))
    a, b = (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else x.chunk(2, -1)
    y = a * cos - b * sin, a * sin + b * cos
    return torch.stack(y, -1).flatten(-2) if layout == "interleaved" else torch.cat(y, -1)


# --- choosing -----------------------------------------------------------------------------------
def topk(scores, k):
    """Indices of the k largest of the last dim; equal values: the lower index first."""
    return torch.sort(scores, dim=-1, descending=True, stable=True).indices[..., :k]


def gate(x, weight, bias, c):
    """x [T, dim] -> (weights [T, k], experts [T, k] best first, margin [T]).

    margin: how far the choice is from another one, in units of the score (inf without another).
    """
    scores = torch.sigmoid(x @ weight.T)
    biased = scores + bias
    groups = biased.unflatten(-1, (c["n_group"], -1))
    group_scores = groups.sort(-1, descending=True).values[..., :2].sum(-1)
    chosen = topk(group_scores, c["topk_group"])
    allowed = torch.zeros_like(group_scores, dtype=torch.bool).scatter_(-1, chosen, True)
    masked = groups.masked_fill(~allowed[..., None], -math.inf).flatten(-2)
    experts = topk(masked, c["num_experts_per_tok"])
    weights = scores.gather(-1, experts)
    weights = weights / weights.sum(-1, keepdim=True) * c["routed_scaling_factor"]
    return (
        weights,
        experts,
        torch.minimum(gap(group_scores, c["topk_group"]), gap(masked, c["num_experts_per_tok"])),
    )


def gap(scores, k):
    """Distance between the k-th and the next of the last dim; inf if there is no next."""
    if k >= scores.shape[-1]:
        return torch.full(scores.shape[:-1], math.inf, dtype=scores.dtype)
    v = scores.sort(-1, descending=True).values
    return v[..., k - 1] - v[..., k]


# --- linear layers ------------------------------------------------------------------------------
def matmul(x, w, accumulate):
    """x [.., K] times w [N, K] transposed."""
    if accumulate == "f64":
        return x @ w.T
    x, w = x.float(), w.float()
    if accumulate == "f32-reversed":
        x, w = x.flip(-1), w.flip(-1)
    parts = [a @ b.T for a, b in zip(x.split(64, -1), w.split(64, -1))]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total.to(F64)


class Linear:
    """A weight as the checkpoint stores it; the kind decides how the input is quantized."""

    def __init__(self, tensors, name, kind, numerics):
        get = lambda suffix: tensors[f"{name}.{suffix}"]
        self.kind, self.n = kind, numerics
        self.w = get("weight").to(F64)  # e4m3 and int8 values are kept as such
        if kind == "FP8":
            self.scale = get("weight_scale_inv").to(F64)
        elif kind == "W8A8":
            deq = get("deq_scale")
            self.deq = (
                deq.to(torch.int32).view(torch.float32) if deq.dtype == torch.int64 else deq
            ).to(F64)
            self.bias = get("quant_bias").to(F64)
            self.input_scale, self.input_offset = (
                get("input_scale").float(),
                get("input_offset").float(),
            )  # [1]
        elif kind == "W8A8_DYNAMIC":
            self.scale = get("weight_scale").to(F64)[:, 0]

    def dequantized(self):
        if self.kind != "FP8":
            assert self.kind == "FLOAT"
            return self.w
        s = self.scale.repeat_interleave(128, 0).repeat_interleave(128, 1)[
            : self.w.shape[0], : self.w.shape[1]
        ]
        return self.w * s

    def __call__(self, x, f32_out=False):
        if self.kind == "FLOAT":
            y = matmul(x, self.w, self.n.accumulate)
        elif self.kind == "FP8":
            y = matmul(act_dequant(*act_quant(x)), self.dequantized(), self.n.accumulate)
        elif self.kind == "W8A8":
            q = quant_int8_static(x, self.input_scale, self.input_offset)
            y = (q @ self.w.T + self.bias) * self.deq  # integers: exact in any order
        else:
            q, s = quant_int8_dynamic(x)
            y = (q @ self.w.T) * s * self.scale
        return to_bf16(y) if self.n.round and not f32_out else y


# --- the model ----------------------------------------------------------------------------------
class Model:
    def __init__(self, folder, numerics=EXACT):
        self.config = json.load(open(f"{folder}/config.json"))
        self.n = numerics
        self.tensors = {}
        for path in sorted(glob.glob(f"{folder}/*.safetensors")):
            with safe_open(path, "pt") as f:
                self.tensors |= {k: f.get_tensor(k) for k in f.keys()}
        described = glob.glob(f"{folder}/quant_model_description.json")
        self.types = json.load(open(described[0])) if described else {}
        self.linears, self.dump, self.observe = {}, None, None
        c = self.config
        self.layers = c["num_hidden_layers"]
        y = c["rope_scaling"]
        mscale = 0.1 * y["mscale_all_dim"] * math.log(y["factor"]) + 1
        self.softmax_scale = (c["qk_nope_head_dim"] + c["qk_rope_head_dim"]) ** -0.5 * mscale**2

    def with_numerics(self, numerics):
        other = object.__new__(Model)
        other.__dict__ = self.__dict__ | {"n": numerics, "linears": {}}
        return other

    def new_cache(self):
        return [{} for _ in range(self.layers + self.config["num_nextn_predict_layers"])]

    # small helpers: rounding, weights, records
    def r(self, x):
        return to_bf16(x) if self.n.round else x

    def t(self, name):
        return self.tensors[name].to(F64)

    def linear(self, name):
        if name not in self.linears:
            kind = self.types.get(f"{name}.weight", "FLOAT")
            if f"{name}.weight_scale_inv" in self.tensors:
                kind = "FP8"
            self.linears[name] = Linear(self.tensors, name, kind, self.n)
        return self.linears[name]

    def apply(self, name, x, **kw):
        if self.observe:
            self.observe(name, x)
        return self.linear(name)(x, **kw)

    def record(self, name, value):
        if self.dump is not None:
            self.dump.setdefault(name, []).append(value)

    def rms_norm(self, x, name):
        scale = torch.rsqrt((x * x).mean(-1, keepdim=True) + self.config["rms_norm_eps"])
        return self.r(self.t(f"{name}.weight") * (x * scale))

    # the parts, in the order of model.py
    def indexer(self, p, x, qr, cos, sin, cache):
        """-> index scores [T, S], causal (-inf beyond the own position)."""
        c, n = self.config, self.n
        heads, dim, rope = c["index_n_heads"], c["index_head_dim"], c["qk_rope_head_dim"]
        turn = lambda v: self.r(
            torch.cat((rotate(v[..., :rope], cos, sin, n.index_rope), v[..., rope:]), -1)
        )
        q = turn(self.apply(f"{p}.wq_b", qr).unflatten(-1, (heads, dim)))
        k = self.apply(f"{p}.wk", x)
        k = k - k.mean(-1, keepdim=True)
        k = k * torch.rsqrt((k * k).mean(-1, keepdim=True) + 1e-6)
        k = turn(self.r(k * self.t(f"{p}.k_norm.weight") + self.t(f"{p}.k_norm.bias")))
        w = self.apply(f"{p}.weights_proj", x, f32_out=True) * heads**-0.5 * dim**-0.5
        if n.indexer == "fp8":
            q, q_scale = act_quant(self.r(hadamard(q)))
            k, k_scale = act_quant(self.r(hadamard(k)))
            w, k = (
                w * q_scale[..., 0],
                k * k_scale,
            )  # relu(a * s) = relu(a) * s: the scale is positive
        keys = cache["index"] = torch.cat((cache["index"], k)) if "index" in cache else k
        scores = torch.einsum("ths,th->ts", torch.relu(torch.einsum("thd,sd->ths", q, keys)), w)
        first = keys.shape[0] - x.shape[0]
        visible = torch.arange(keys.shape[0]) <= first + torch.arange(x.shape[0])[:, None]
        return scores.masked_fill(~visible, -math.inf)

    def attention(self, p, x, positions, cache):
        c, n = self.config, self.n
        heads, nope, rope, rank, v_dim = (
            c["num_attention_heads"],
            c["qk_nope_head_dim"],
            c["qk_rope_head_dim"],
            c["kv_lora_rank"],
            c["v_head_dim"],
        )
        cos, sin = rope_table(c, positions)
        qr = self.rms_norm(self.apply(f"{p}.q_a_proj", x), f"{p}.q_a_layernorm")
        q = self.apply(f"{p}.q_b_proj", qr).unflatten(-1, (heads, nope + rope))
        q_nope, q_pe = q[..., :nope], self.r(rotate(q[..., nope:], cos, sin, "interleaved"))
        kv, k_pe = self.apply(f"{p}.kv_a_proj_with_mqa", x).split([rank, rope], -1)
        kv = self.rms_norm(kv, f"{p}.kv_a_layernorm")
        k_pe = self.r(rotate(k_pe, cos, sin, "interleaved"))
        if n.latent == "fp8":
            kv = act_dequant(*act_quant(kv))  # exact in bf16: 4 bits times a power of two
        for key, value in (("kv", kv), ("k_pe", k_pe)):
            cache[key] = torch.cat((cache[key], value)) if key in cache else value
        kv, k_pe = cache["kv"], cache["k_pe"]

        index_scores = self.indexer(f"{p}.indexer", x, qr, cos, sin, cache)
        k = min(c["index_topk"], index_scores.shape[-1]) if n.sparse else index_scores.shape[-1]
        chosen = torch.zeros_like(index_scores, dtype=torch.bool).scatter_(
            -1, topk(index_scores, k), True
        )
        chosen &= index_scores > -math.inf
        self.record("index_scores", index_scores)
        self.record("chosen", chosen)

        if n.attention == "absorbed":
            w = self.r(self.linear(f"{p}.kv_b_proj").dequantized()).unflatten(
                0, (heads, nope + v_dim)
            )
            q_latent = self.r(torch.einsum("thd,hdc->thc", q_nope, w[:, :nope]))
            scores = torch.einsum("thc,sc->ths", q_latent, kv) + torch.einsum(
                "thr,sr->ths", q_pe, k_pe
            )
        else:
            k_nope, v = (
                self.apply(f"{p}.kv_b_proj", kv)
                .unflatten(-1, (heads, nope + v_dim))
                .split([nope, v_dim], -1)
            )
            scores = torch.einsum("thd,shd->ths", q_nope, k_nope) + torch.einsum(
                "thr,sr->ths", q_pe, k_pe
            )
        weights = (scores * self.softmax_scale).masked_fill(~chosen[:, None], -math.inf).softmax(-1)
        if n.round_probs:
            weights = to_bf16(weights)
        if n.attention == "absorbed":
            out = self.r(torch.einsum("ths,sc->thc", weights, kv))
            out = self.r(torch.einsum("thc,hdc->thd", out, w[:, nope:]))
        else:
            out = self.r(torch.einsum("ths,shd->thd", weights, v))
        self.record("attention_heads", out)
        return self.apply(f"{p}.o_proj", out.flatten(-2))

    def mlp(self, p, x):
        hidden = torch.nn.functional.silu(self.apply(f"{p}.gate_proj", x)) * self.apply(
            f"{p}.up_proj", x
        )
        return self.apply(f"{p}.down_proj", self.r(hidden))

    def moe(self, p, x):
        weights, experts, margin = gate(
            x, self.t(f"{p}.gate.weight"), self.t(f"{p}.gate.e_score_correction_bias"), self.config
        )
        self.record("experts", experts)
        self.record("expert_weights", weights)
        self.record("expert_margin", margin)
        y = torch.zeros_like(x)
        for e in range(self.config["n_routed_experts"]):  # ascending: the order of the float32 sum
            token, place = torch.where(experts == e)
            if len(token):
                y[token] += self.mlp(f"{p}.experts.{e}", x[token]) * weights[token, place, None]
        return self.r(y + self.mlp(f"{p}.shared_experts", x))

    def block(self, n, x, residual, positions, cache):
        """-> (x, residual); the hidden state is their sum. The norm sees the sum unrounded."""
        p = f"model.layers.{n}"
        total = x if residual is None else x + residual
        x = self.attention(
            f"{p}.self_attn", self.rms_norm(total, f"{p}.input_layernorm"), positions, cache
        )
        self.record("attention", x)
        total = x + self.r(total)
        y = self.rms_norm(total, f"{p}.post_attention_layernorm")
        dense = f"{p}.mlp.gate_proj.weight" in self.tensors
        x, residual = (self.mlp if dense else self.moe)(f"{p}.mlp", y), self.r(total)
        self.record("hidden", x + residual)
        return x, residual

    def hidden(self, ids, cache):
        """-> the normalized final hidden states of the new tokens [T, dim]."""
        start = cache[0]["kv"].shape[0] if "kv" in cache[0] else 0
        positions = list(range(start, start + len(ids)))
        x, residual = self.t("model.embed_tokens.weight")[ids], None
        self.record("embedding", x)
        for n in range(self.layers):
            x, residual = self.block(n, x, residual, positions, cache[n])
        return self.rms_norm(x + residual, "model.norm")

    def forward(self, ids, cache):
        return self.hidden(ids, cache) @ self.t("lm_head.weight").T

    def mtp(self, next_ids, hidden, positions, cache):
        """One pass of the draft layer over positions p: next_ids are the tokens at p + 1, hidden
        the main model's hidden() at p (first draft) or the previous pass's second result (later).

        -> (logits for position p + 2, hidden for the next pass)
        """
        p = f"model.layers.{self.layers}"
        e = self.t(f"{p}.embed_tokens.weight")[next_ids]
        if self.n.mtp_zero_first:
            e = e * (torch.tensor(positions) != 0)[:, None]
        pair = torch.cat((self.rms_norm(e, f"{p}.enorm"), self.rms_norm(hidden, f"{p}.hnorm")), -1)
        x, residual = self.block(
            self.layers, self.apply(f"{p}.eh_proj", pair), None, positions, cache[self.layers]
        )
        out = self.r(x + residual)
        return (
            self.rms_norm(out, f"{p}.shared_head.norm") @ self.t(f"{p}.shared_head.head.weight").T,
            out,
        )

    def greedy(self, ids, count):
        """-> (tokens [count], logits [count, vocab] each was the argmax of; ties: lower id)."""
        cache, tokens, rows, step = self.new_cache(), [], [], ids
        for _ in range(count):
            row = self.forward(step, cache)[-1]
            tokens.append(int(topk(row, 1)[0]))
            rows.append(row)
            step = tokens[-1:]
        return tokens, torch.stack(rows)
