#!/usr/bin/env python3
"""Writes what fathom is tested against, from oracle.py and the tiny checkpoints. See README.md.

make_goldens.py calibrate CHECKPOINT_BF16 calibration.json
make_goldens.py models FOLDER_OF_CHECKPOINTS OUT [--brief]
make_goldens.py noise FOLDER_OF_CHECKPOINTS noise.json
make_goldens.py ops OUT
"""

import argparse, json, os
from dataclasses import replace
import numpy as np
import torch
from safetensors.torch import save_file
from make_tiny import STATIC, noise
from oracle import *
import oracle

ROUNDED = replace(EXACT, indexer="plain", latent="plain")
VARIANTS = {  # name -> (checkpoint, numerics)
    "bf16-plain": ("bf16", PLAIN),
    "bf16-rounded": ("bf16", ROUNDED),
    "bf16-exact": ("bf16", EXACT),
    "fp8-exact": ("fp8", EXACT),
    "w8a8-exact": ("w8a8", EXACT),
    "w8a8-rounded": ("w8a8", ROUNDED),
}
LENGTHS = (1, 2, 5, 63, 64, 65, 130, 300)
NEW_TOKENS = 32
PROBES = {
    # the same meaning computed in other legitimate ways: how far implementations may lie apart
    "float32": None,
    "gemm-f32-reversed": {"accumulate": "f32-reversed"},
    "probabilities-bf16": {"round_probs": True},
    "mha": {"attention": "mha"},
}


def prompt(length, vocab, salt):
    """Fixed ids in [3, vocab): ids 0..2 are begin, end and pad."""
    z = noise(salt, f"prompt-{length}", length)
    return [3 + int(abs(v) * 1e6) % (vocab - 3) for v in z]


def calibrate(folder, path):
    """Input ranges of the statically quantized linears, by msmodelslim's min-max calibration."""
    model, seen = Model(folder, ROUNDED), {}

    def observe(name, x):
        if name.split(".")[-1] in STATIC:
            low, high = seen.get(name, (0.0, 0.0))
            seen[name] = (min(low, float(x.min())), max(high, float(x.max())))

    model.observe = observe
    for salt in (101, 102):
        ids, cache = prompt(256, model.config["vocab_size"], salt), model.new_cache()
        hidden = model.hidden(ids, cache)
        model.mtp(ids[1:], hidden[:-1], list(range(255)), cache)
    out = {}
    for name, (low, high) in seen.items():
        scale = float(np.float32((high - low) / 255))
        out[name] = {
            "input_scale": scale,
            "input_offset": float(np.clip(np.rint(-low / scale) - 128, -128, 127)),
        }
    json.dump(out, open(path, "w"), indent=1)


# --- whole models -------------------------------------------------------------------------------
def f32(x):
    return x.to(torch.float32).contiguous()


def i32(x):
    return torch.as_tensor(x).to(torch.int32).contiguous()


def chosen_positions(length):
    return sorted(
        {p for p in (0, 1, 4, 62, 63, 64, 65, 66, 99, 128, 129, 200, 255, 298, 299) if p < length}
        | {length - 1}
    )


def stack_padded(masks, k):
    """Boolean masks -> ascending indices, padded with -1 to k."""
    return torch.stack(
        [
            torch.nn.functional.pad(i32(torch.where(m)[0]), (0, k - int(m.sum())), value=-1)
            for m in masks
        ]
    )


def model_golden(model, ids, brief):
    c, n, length = model.config, model.layers, len(ids)
    out, cache = {"ids": i32(ids)}, model.new_cache()
    model.dump = dump = {}
    hidden = model.hidden(ids, cache)
    logits = hidden @ model.t("lm_head.weight").T
    model.dump = None
    rows = (
        list(range(length))
        if length <= 5 and not brief
        else list(range(max(0, length - 8), length))
    )
    out["logits_positions"], out["logits"] = i32(rows), f32(logits[rows])
    tokens, steps = model.greedy(ids, NEW_TOKENS)
    top = torch.sort(steps, dim=-1, descending=True, stable=True)
    out |= {
        "greedy_tokens": i32(tokens),
        "greedy_margin": f32(top.values[:, 0] - top.values[:, 1]),
        "greedy_top_ids": i32(top.indices[:, :8]),
        "greedy_top_logits": f32(top.values[:, :8]),
    }
    # MTP: first pass over the whole prompt, second pass over one token
    positions = list(range(length))
    first, next_hidden = model.mtp(ids[1:] + tokens[:1], hidden, positions, cache)
    draft1 = int(topk(first[-1], 1)[0])
    second, _ = model.mtp([draft1], next_hidden[-1:], [length], cache)
    nonzero, _ = model.with_numerics(replace(model.n, mtp_zero_first=False)).mtp(
        ids[1:] + tokens[:1], hidden, positions, model.new_cache()
    )
    out |= {
        "mtp_draft1_logits": f32(first[rows]),
        "mtp_draft2_logits": f32(second[0]),
        "mtp_drafts": i32([draft1, int(topk(second[0], 1)[0])]),
        "mtp_draft1_logits_nonzero": f32(nonzero[-1]),
    }
    if brief:
        return out
    at = chosen_positions(length)
    k = c["index_topk"]
    scores = torch.stack([s[at] for s in dump["index_scores"]])
    out |= {
        "index_positions": i32(at),
        "index_scores": f32(scores),
        "index_gap": f32(gap(scores, k)),
        "index_topk": torch.stack([stack_padded(m[at], k) for m in dump["chosen"]]),
        "router_experts": i32(torch.stack(dump["experts"])),
        "router_weights": f32(torch.stack(dump["expert_weights"])),
        "router_margin": f32(torch.stack(dump["expert_margin"])),
    }
    if length in (5, 130):
        keep = (lambda x: x.to(torch.bfloat16)) if model.n.round else f32
        out["final_norm"] = keep(hidden)
        out["embedding"] = keep(dump["embedding"][0])
        for i in range(n):
            out[f"block{i}.hidden"] = f32(dump["hidden"][i])
            out[f"block{i}.attention"] = keep(dump["attention"][i])
    return out


def spread(model, ids):
    """Per probe: distances of logits and hidden states to the oracle's, relative, by position."""

    def run(numerics, dtype=torch.float64):
        oracle.F64 = dtype  # float32: the whole model as a CPU implementation would compute it
        m = model.with_numerics(numerics)
        m.dump = {}
        logits = m.forward(ids, m.new_cache())
        oracle.F64 = torch.float64
        return (
            logits.double(),
            [h.double() for h in m.dump["hidden"]],
            m.dump["chosen"],
            m.dump.get("experts", []),
        )

    def distance(a, b):
        d = (a - b).pow(2).mean(-1).sqrt() / b.pow(2).mean(-1).sqrt()
        return {
            q: float(f"{d.quantile(v):.3g}")
            for q, v in (("median", 0.5), ("p90", 0.9), ("max", 1.0))
        }

    base, result = run(model.n), {}
    for name, change in (
        PROBES | ({"unrounded": {"round": False}} if model.n.round else {})
    ).items():
        got = run(replace(model.n, **change)) if change else run(model.n, torch.float32)
        result[name] = {
            "logits": distance(got[0], base[0]),
            **{f"hidden{i}": distance(a, b) for i, (a, b) in enumerate(zip(got[1], base[1]))},
            "rows with another top-k": [
                round((a != b).any(-1).double().mean().item(), 3) for a, b in zip(got[2], base[2])
            ],
            "rows with other experts": [
                round((a.sort(-1)[0] != b.sort(-1)[0]).any(-1).double().mean().item(), 3)
                for a, b in zip(got[3], base[3])
            ],
            "rows with another argmax": round(
                (got[0].argmax(-1) != base[0].argmax(-1)).double().mean().item(), 3
            ),
        }
    return result


def noise_report(folder, path, salt, prefix):
    report = {}
    for variant, (fmt, numerics) in VARIANTS.items():
        model = Model(f"{folder}/{prefix}-{fmt}", numerics)
        for length in (65, 300):
            report.setdefault(variant, {})[f"len-{length:04d}"] = spread(
                model, prompt(length, model.config["vocab_size"], salt)
            )
        print(variant, flush=True)
    json.dump(report, open(path, "w"), indent=1)


def models(folder, out, brief, salt, prefix, lengths):
    for variant, (fmt, numerics) in VARIANTS.items():
        if not os.path.isdir(f"{folder}/{prefix}-{fmt}"):
            continue
        model = Model(f"{folder}/{prefix}-{fmt}", numerics)
        os.makedirs(f"{out}/{variant}", exist_ok=True)
        for length in lengths:
            ids = prompt(length, model.config["vocab_size"], salt)
            g = model_golden(model, ids, brief)
            save_file(
                g,
                f"{out}/{variant}/len-{length:04d}.safetensors",
                {"checkpoint": f"{prefix}-{fmt}", "numerics": json.dumps(numerics.__dict__)},
            )
        print(variant, "done", flush=True)


# --- single operations --------------------------------------------------------------------------
def rand(name, *shape, std=1.0):
    return to_bf16(torch.from_numpy(noise(7, name, int(np.prod(shape))).reshape(shape) * std))


def codes8(values):
    """e4m3 values -> their codes."""
    c = values.float().to(torch.float8_e4m3fn)
    assert (c.to(values.dtype) == values).all()
    return c


def op_e4m3():
    table = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float()
    positive = table[:127].double()
    middle = (positive[1:] + positive[:-1]) / 2
    near = lambda x, to: torch.nextafter(x.float(), torch.tensor(to))
    x = torch.cat(
        [
            positive.float(),
            middle.float(),
            near(middle, float("inf")),
            near(middle, 0.0),
            torch.tensor(
                [
                    448.0,
                    449.0,
                    463.9,
                    464.0,
                    465.0,
                    480.0,
                    1e4,
                    3e38,
                    2**-10,
                    2**-10 + 2**-30,
                    2**-11,
                    1e-30,
                    1e-45,
                ]
            ),
        ]
    )
    x = torch.cat([x, -x])
    return {"decode": table, "values": x, "codes": codes8(to_e4m3(x.double())).view(torch.uint8)}


def op_act_quant():
    rows = {
        "zeros": torch.zeros(128),
        "negative zeros": -torch.zeros(128),
        "ones": torch.ones(128),
        "amax 448 = scale 1": torch.linspace(-448, 448, 128),
        "amax just above 448": torch.linspace(-450, 450, 128),
        "amax 224": torch.linspace(-224, 224, 128),
        "amax 1e-4": torch.full((128,), 1e-4),
        "amax below 1e-4": torch.linspace(-9e-5, 9e-5, 128),
        "amax 3e-6": torch.linspace(0, 3e-6, 128),
        "bf16 subnormals": torch.full((128,), 1e-39),
        "one huge": torch.cat([torch.full((1,), 3e38), torch.ones(127)]),
        "one large, rest underflow": torch.cat([torch.full((1,), 1e4), torch.full((127,), 1e-3)]),
        "subnormal results": torch.cat([torch.full((1,), 448.0), torch.arange(127) * 2.0**-11]),
    }
    for k in range(-20, 21, 4):
        rows[f"amax 448 * 2^{k}"] = torch.linspace(-1, 1, 128) * 448 * 2.0**k
        rows[f"amax 1.7578125 * 2^{k + 8}"] = torch.linspace(-1, 1, 128) * 450 * 2.0**k
    for i in range(16):
        rows[f"random {i}"] = rand(f"act_quant{i}", 128, std=2.0 ** (i - 8)).float()
    x = torch.stack([v.to(torch.bfloat16) for v in rows.values()])
    q, s = act_quant(x.double())
    x2 = rand("act_quant_wide", 3, 384).double()
    q2, s2 = act_quant(x2)
    return {
        "x": x,
        "codes": codes8(q),
        "scale": f32(s),
        "x_wide": x2.to(torch.bfloat16),
        "codes_wide": codes8(q2),
        "scale_wide": f32(s2),
    }, {"rows": json.dumps(list(rows))}


def op_gemm_fp8():
    a, b = rand("gemm_a", 5, 384), rand("gemm_b", 320, 384, std=0.05)
    qa, sa = act_quant(a)
    from make_tiny import quantize_fp8

    out = {"a": a.to(torch.bfloat16), "a_codes": codes8(qa), "a_scale": f32(sa)}
    for name, pow2 in (("", True), ("_any", False)):
        qb, sb = (torch.from_numpy(t) for t in quantize_fp8(b.numpy(), pow2))
        w = qb * sb.repeat_interleave(128, 0).repeat_interleave(128, 1)[:320, :384]
        y = act_dequant(qa, sa) @ w.T
        out |= {
            f"b_codes{name}": codes8(qb),
            f"b_scale{name}": f32(sb),
            f"y{name}": y,
            f"y_bf16{name}": y.to(torch.float32).to(torch.bfloat16),
        }
    return out


def op_gemm_i8():
    x, w = rand("i8_x", 6, 256), rand("i8_w", 192, 256, std=0.06)
    x[3] = 0
    s_w = (w.abs().amax(1) / 127).float()
    w_q = torch.round(w / s_w.double()[:, None])
    q, s = quant_int8_dynamic(x)
    low, high = float(x.min()), float(x.max())
    s_x = torch.tensor((high - low) / 255 * 0.8, dtype=torch.float32)  # 0.8: some values saturate
    o = torch.tensor(7.0)
    qs = quant_int8_static(x, s_x, o)
    bias = torch.round(-o.double() * w_q.sum(1))
    deq = s_x * s_w
    return {
        "x": x.to(torch.bfloat16),
        "weight": w_q.to(torch.int8),
        "weight_scale": s_w[:, None].contiguous(),
        "dynamic_codes": q.to(torch.int8),
        "dynamic_scale": f32(s),
        "dynamic_acc": i32(q @ w_q.T),
        "dynamic_y": (q @ w_q.T) * s * s_w.double(),
        "input_scale": s_x[None],
        "input_offset": o[None],
        "quant_bias": i32(bias),
        "deq_scale": deq,
        "static_codes": qs.to(torch.int8),
        "static_acc": i32(qs @ w_q.T),
        "static_y": (qs @ w_q.T + bias) * deq.double(),
    }


def op_rope(config):
    positions = [0, 1, 2, 63, 4095, 4096, 65535, 131071, 163839]
    cos, sin = rope_table(config, positions)
    freqs = rope_frequencies(config)
    x = rand("rope_x", len(positions), 3, 64)
    out = {
        "positions": i32(positions),
        "inv_freq": freqs,
        "angle": torch.tensor(positions, dtype=torch.float32)[:, None] * freqs,
        "cos": cos,
        "sin": sin,
        "x": x.to(torch.bfloat16),
    }
    for layout in ("interleaved", "half"):
        out[f"y_{layout}"] = rotate(x, cos, sin, layout)
    return out


def op_hadamard():
    x = torch.cat([rand("hadamard", 6, 128), torch.eye(128, dtype=F64)[[0, 1, 127]]])
    return {
        "x": x.to(torch.bfloat16),
        "y": hadamard(x),
        "y_bf16": f32(to_bf16(hadamard(x))).to(torch.bfloat16),
    }


def op_norms():
    x, res, w, b = (
        rand("norm_x", 5, 256),
        rand("norm_r", 5, 256, std=3.0),
        1 + rand("norm_w", 256, std=0.1),
        rand("norm_b", 256, std=0.1),
    )
    x[4] = 0
    w = to_bf16(w)
    rms = lambda v: w * v * torch.rsqrt((v * v).mean(-1, keepdim=True) + 1e-6)
    k = x - x.mean(-1, keepdim=True)
    layer = w * k * torch.rsqrt((k * k).mean(-1, keepdim=True) + 1e-6) + b
    bf = lambda v: v.to(torch.bfloat16)
    return {
        "x": bf(x),
        "residual": bf(res),
        "weight": bf(w),
        "bias": bf(b),
        "rms_norm": rms(x),
        "layer_norm": layer,
        "add_rms_norm": rms(x + res),
        "add_residual": f32(to_bf16(x + res)).to(torch.bfloat16),
        "silu_mul": torch.nn.functional.silu(x) * res,
    }


def op_gate():
    out = {}

    def case(name, scores, bias, groups, topk_group, k):
        c = {
            "n_group": groups,
            "topk_group": topk_group,
            "num_experts_per_tok": k,
            "routed_scaling_factor": 2.5,
        }
        scores = scores.float().double()
        w, e, m = gate(scores, torch.eye(scores.shape[1], dtype=F64), bias.float().double(), c)
        out.update(
            {
                f"{name}.logits": f32(scores),
                f"{name}.bias": f32(bias),
                f"{name}.experts": i32(e),
                f"{name}.weights": w,
                f"{name}.margin": m,
                f"{name}.sizes": i32([groups, topk_group, k]),
            }
        )

    case("v32", rand("gate", 64, 256, std=1.5), rand("gate_bias", 256, std=0.1), 8, 4, 8)
    case("tiny", rand("gate_tiny", 64, 16, std=1.5), rand("gate_bias_tiny", 16, std=0.1), 4, 2, 4)
    steps = torch.round(rand("gate_ties", 64, 256) * 2) / 2  # few distinct values: ties everywhere
    case("ties", steps, torch.zeros(256, dtype=F64), 8, 4, 8)
    case("equal", torch.zeros(2, 256, dtype=F64), torch.zeros(256, dtype=F64), 8, 4, 8)
    lone = torch.full((1, 32), -3.0, dtype=F64)
    lone[0, 31] = 4.0  # best expert in a group that loses
    lone[0, [0, 1, 8, 9]] = 1.0
    case("best expert left out", lone, torch.zeros(32, dtype=F64), 4, 2, 4)
    negative = torch.full((1, 32), 1.0, dtype=F64)
    case("negative bias", negative, torch.linspace(-3, -0.5, 32, dtype=F64), 4, 2, 4)
    case("one group", rand("gate_one", 8, 8), rand("gate_one_b", 8, std=0.1), 1, 1, 2)
    return out


def op_topk():
    k, length = 64, 300
    inf = float("inf")
    rows = {
        "random": rand("topk", length),
        "ties": torch.round(rand("topk_ties", length) * 2),
        "constant": torch.ones(length),
        "ascending": torch.arange(length),
        "descending": -torch.arange(length),
        "zeros of both signs": torch.where(torch.arange(length) % 2 == 0, 0.0, -0.0),
        "one coarse bin": 1 + torch.arange(length) * 2.0**-20,
        "tail of -inf": torch.cat([rand("topk_tail", 40).float(), torch.full((260,), -inf)]),
        "exactly k finite": torch.cat([torch.full((236,), -inf), rand("topk_k", 64).float()]),
        "all negative": -rand("topk_neg", length).abs() - 1,
        "large and small": rand("topk_big", length)
        * torch.pow(10.0, torch.arange(length) % 60 - 30),
        "tie at the border": torch.cat([torch.full((60,), 2.0), torch.ones(240)]),
        "subnormals": torch.arange(length) * 1e-42,
    }
    x = torch.stack([v.to(torch.float32) for v in rows.values()])
    mask = torch.zeros_like(x, dtype=torch.bool).scatter_(-1, topk(x.double(), k), True) & (
        x > -inf
    )
    return {"scores": x, "indices": stack_padded(mask, k)}, {
        "rows": json.dumps(list(rows)),
        "k": str(k),
    }


def op_index_logits():
    t, s, h = 3, 200, 64
    q, k, w = rand("idx_q", t, h, 128), rand("idx_k", s, 128), rand("idx_w", t, h)
    (qq, qs), (kq, ks) = act_quant(q), act_quant(k)
    w = f32(w * h**-0.5 * 128**-0.5 * qs[..., 0]).double()
    dots = torch.einsum("thd,sd->ths", qq, kq)
    y = torch.einsum("ths,th->ts", torch.relu(dots), w) * ks[:, 0]
    return {
        "q_codes": codes8(qq),
        "q_scale": f32(qs[..., 0]),
        "k_codes": codes8(kq),
        "k_scale": f32(ks[:, 0]),
        "weights": f32(w),
        "scores": y,
    }


def op_sparse_attention():
    t, h, s, k = 3, 16, 200, 64
    kv, k_pe = rand("att_kv", s, 512), rand("att_pe", s, 64)
    q, q_pe = rand("att_q", t, h, 512), rand("att_qpe", t, h, 64)
    codes, scale = act_quant(kv)
    kv = act_dequant(codes, scale)
    idx = torch.full((t, k), -1)
    for i, n in enumerate((64, 17, 1)):
        idx[i, :n] = topk(rand(f"att_idx{i}", s), n).sort().values
    softmax_scale = 192**-0.5 * (0.1 * math.log(40) + 1) ** 2
    out, lse = [], []
    for i in range(t):
        at = idx[i][idx[i] >= 0]
        a = (q[i] @ kv[at].T + q_pe[i] @ k_pe[at].T) * softmax_scale
        out.append(a.softmax(-1) @ kv[at])
        lse.append(a.logsumexp(-1))
    latent = torch.cat(
        [
            codes8(codes).view(torch.uint8),
            f32(scale).view(torch.uint8),
            k_pe.to(torch.bfloat16).view(torch.uint8),
        ],
        1,
    )
    assert latent.shape[1] == 656
    return {
        "q_latent": q.to(torch.bfloat16),
        "q_pe": q_pe.to(torch.bfloat16),
        "latent_656": latent,
        "indices": i32(idx),
        "kv_codes": codes8(codes),
        "kv_scale": f32(scale),
        "k_pe": k_pe.to(torch.bfloat16),
        "out": torch.stack(out),
        "lse": torch.stack(lse),
    }


def sampling():
    """Logits -> distribution, in the order of vLLM: penalties, temperature, min_p, top_k, top_p."""
    base = [float(v) for v in f32(rand("sampling", 16, std=2.0))]
    tied = [float(round(v)) for v in base]
    cases = []

    def case(
        name,
        logits,
        prompt=(),
        output=(),
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        min_p=0.0,
        repetition=1.0,
        presence=0.0,
        frequency=0.0,
    ):
        x = torch.tensor(logits, dtype=F64)
        for i in set(prompt) | set(output):
            x[i] = x[i] / repetition if x[i] > 0 else x[i] * repetition
        for i in output:
            x[i] -= frequency
        for i in set(output):
            x[i] -= presence
        adjusted = x.tolist()
        if temperature > 0:
            x = x / temperature
            p = x.softmax(-1)
            x = x.masked_fill(p < min_p * p.max(), -math.inf)
            if top_k:
                x = x.masked_fill(
                    x < x.sort(descending=True).values[min(top_k, 16) - 1], -math.inf
                )  # ties stay
            order = torch.sort(x, descending=True, stable=True)
            p = order.values.softmax(-1)
            before = p.cumsum(-1) - p  # kept while the mass before it is below top_p
            x[order.indices[(before >= top_p)]] = -math.inf
            probs = x.softmax(-1)
        else:
            probs = torch.zeros(16, dtype=F64)
            probs[topk(x, 1)] = 1
        cases.append(
            {
                "name": name,
                "logits": logits,
                "prompt": list(prompt),
                "output": list(output),
                "temperature": temperature,
                "top_k": top_k,
                "top_p": top_p,
                "min_p": min_p,
                "repetition_penalty": repetition,
                "presence_penalty": presence,
                "frequency_penalty": frequency,
                "logits_after_penalties": adjusted,
                "probabilities": probs.tolist(),
            }
        )

    for logits, tag in ((base, ""), (tied, " tied")):
        case("plain" + tag, logits)
        case("greedy" + tag, logits, temperature=0.0)
        for t in (0.3, 0.7, 1.5):
            case(f"temperature {t}" + tag, logits, temperature=t)
        for k in (1, 2, 5, 16, 100):
            case(f"top_k {k}" + tag, logits, top_k=k)
        for p in (1e-6, 0.1, 0.5, 0.9, 0.999, 1.0):
            case(f"top_p {p}" + tag, logits, top_p=p)
        for p in (0.05, 0.3, 1.0):
            case(f"min_p {p}" + tag, logits, min_p=p)
        case("all" + tag, logits, temperature=0.6, top_k=8, top_p=0.8, min_p=0.02)
        case("repetition" + tag, logits, prompt=[0, 1, 2], output=[2, 3, 3, 3], repetition=1.3)
        case("presence" + tag, logits, prompt=[0, 1], output=[3, 3, 5], presence=1.5)
        case("frequency" + tag, logits, prompt=[0, 1], output=[3, 3, 5], frequency=0.7)
        case("negative penalties" + tag, logits, output=[3, 3, 5], presence=-2.0, frequency=-0.5)
        case(
            "everything" + tag,
            logits,
            prompt=[0, 4],
            output=[3, 3, 5, 9],
            temperature=0.8,
            top_k=10,
            top_p=0.9,
            min_p=0.01,
            repetition=1.1,
            presence=0.4,
            frequency=0.2,
        )
        case(
            "greedy with penalties" + tag,
            logits,
            prompt=[0, 4],
            output=[3, 3, 5, 9],
            temperature=0.0,
            repetition=1.5,
            presence=1.0,
            frequency=1.0,
        )
    return cases


def ops(out):
    from make_tiny import V32

    os.makedirs(out, exist_ok=True)
    for name in (
        "e4m3",
        "act_quant",
        "gemm_fp8",
        "gemm_i8",
        "hadamard",
        "norms",
        "gate",
        "topk",
        "index_logits",
        "sparse_attention",
    ):
        made = globals()[f"op_{name}"]()
        tensors, meta = made if isinstance(made, tuple) else (made, {})
        save_file(
            {k: v.contiguous() for k, v in tensors.items()}, f"{out}/{name}.safetensors", meta
        )
    save_file({k: v.contiguous() for k, v in op_rope(V32).items()}, f"{out}/rope.safetensors")
    json.dump(sampling(), open(f"{out}/sampling.json", "w"), indent=0)


if __name__ == "__main__":
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("what", choices=["calibrate", "models", "noise", "ops"])
    p.add_argument("paths", nargs="+")
    p.add_argument("--brief", action="store_true", help="only logits, greedy tokens and drafts")
    p.add_argument("--salt", type=int, default=11, help="of the prompts")
    p.add_argument("--prefix", default="tiny", help="of the checkpoint folders")
    p.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    a = p.parse_args()
    if a.what == "calibrate":
        calibrate(*a.paths)
    elif a.what == "models":
        models(*a.paths, a.brief, a.salt, a.prefix, a.lengths)
    elif a.what == "noise":
        noise_report(*a.paths, a.salt, a.prefix)
    else:
        ops(*a.paths)
