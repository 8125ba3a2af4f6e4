#!/usr/bin/env python3
"""Writes a tiny random DeepSeek-V3.2 checkpoint in Hugging Face's layout: bf16, fp8 or w8a8.

Every weight is a formula of (seed, tensor name, index), in integers up to the last step, so the
same bytes come out on every machine and in every language (README.md).
Needs only numpy; --format w8a8 also needs a calibration file (make_goldens.py writes one).
"""

import argparse, json, os, struct, zlib
import numpy as np

TINY = {  # what differs from deepseek-ai/DeepSeek-V3.2's config.json
    "hidden_size": 256,
    "intermediate_size": 512,
    "moe_intermediate_size": 128,
    "num_hidden_layers": 3,
    "first_k_dense_replace": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "q_lora_rank": 128,
    "index_n_heads": 16,
    "index_topk": 64,
    "n_routed_experts": 16,
    "n_group": 4,
    "topk_group": 2,
    "num_experts_per_tok": 4,
    "vocab_size": 512,
}
WIDE = TINY | {  # the head counts CUDA kernels are compiled for; not stored, made when needed
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "index_n_heads": 64,
    "index_topk": 128,
    "n_routed_experts": 32,
    "n_group": 8,
    "topk_group": 4,
    "num_experts_per_tok": 8,
}
PRESETS = {"tiny": {"seed": 20251201, "config": TINY}, "wide": {"seed": 20251202, "config": WIDE}}
V32 = {  # deepseek-ai/DeepSeek-V3.2's config.json without quantization_config
    "architectures": ["DeepseekV32ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "ep_size": 1,
    "first_k_dense_replace": 3,
    "hidden_act": "silu",
    "hidden_size": 7168,
    "index_head_dim": 128,
    "index_n_heads": 64,
    "index_topk": 2048,
    "initializer_range": 0.02,
    "intermediate_size": 18432,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163840,
    "model_type": "deepseek_v32",
    "moe_intermediate_size": 2048,
    "moe_layer_freq": 1,
    "n_group": 8,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "norm_topk_prob": True,
    "num_attention_heads": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 61,
    "num_key_value_heads": 128,
    "num_nextn_predict_layers": 1,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "rms_norm_eps": 1e-06,
    "rope_scaling": {
        "beta_fast": 32,
        "beta_slow": 1,
        "factor": 40,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "original_max_position_embeddings": 4096,
        "type": "yarn",
    },
    "rope_theta": 10000,
    "routed_scaling_factor": 2.5,
    "scoring_func": "sigmoid",
    "tie_word_embeddings": False,
    "topk_group": 4,
    "topk_method": "noaux_tc",
    "torch_dtype": "bfloat16",
    "transformers_version": "4.44.2",
    "use_cache": True,
    "v_head_dim": 128,
    "vocab_size": 129280,
}
FP8 = {
    "activation_scheme": "dynamic",
    "fmt": "e4m3",
    "quant_method": "fp8",
    "scale_fmt": "ue8m0",
    "weight_block_size": [128, 128],
}


# --- random numbers -------------------------------------------------------------------------------
def noise(seed, name, count):
    """Nearly normal, mean 0, variance 1: the sum of the 16-bit fields of SplitMix64(key + i)."""
    i = np.arange(1, count + 1, dtype=np.uint64)
    key = np.uint64((seed << 32 | zlib.crc32(name.encode())) & (2**64 - 1))
    with np.errstate(over="ignore"):
        z = key + i * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    fields = sum(
        ((z >> np.uint64(s)) & np.uint64(0xFFFF)).astype(np.int64) for s in (0, 16, 32, 48)
    )
    return (fields - 131070) / 37837.2  # exact integer over sqrt((2^32 - 1) / 3), rounded


def to_bf16(x):
    """float64 -> the nearest bfloat16, ties to even, as float64."""
    m, e = np.frexp(x)
    return np.ldexp(np.rint(np.ldexp(m, 8)), e - 8)


def to_e4m3(x):
    """float64 -> the nearest e4m3 (fn) value, ties to even, saturating at 448, as float64."""
    _, e = np.frexp(x)
    q = np.maximum(e - 4, -9)  # exponent of the last of 4 significant bits
    return np.clip(np.ldexp(np.rint(np.ldexp(x, -q)), q), -448, 448)


def bf16_bytes(x):
    return (x.astype(np.float32).view(np.uint32) >> 16).astype("<u2").tobytes()


def e4m3_bytes(x):
    a = np.abs(x)
    _, e = np.frexp(a)
    e = np.maximum(e - 1, -6)  # a = mantissa * 2^e, subnormal below 2^-6
    m = np.rint(np.ldexp(a, 3 - e)).astype(np.int64)
    code = np.where(m < 8, m, ((e + 7) << 3) + (m - 8))
    return (code | (np.signbit(x).astype(np.int64) << 7)).astype(np.uint8).tobytes()


# --- safetensors ----------------------------------------------------------------------------------
def write_safetensors(path, tensors, metadata=None):
    """tensors: name -> (dtype string of safetensors, shape, bytes)."""
    header, offset = {"__metadata__": metadata or {"format": "pt"}}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [offset, offset + len(data)],
        }
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            f.write(data)


# --- the weights ----------------------------------------------------------------------------------
def shapes(c):
    """Yields (name, shape, kind, std) of every tensor of the checkpoint in the order of the file.

    kind: "norm" (1 + 0.1 z), "linear" (quantized in fp8), "plain" (always bf16), "f32",
    "copy:<name>". std keeps attention scores at a deviation near 1.9, router logits 1, final
    logits 2.5; layers add little to the residual stream (gains below 1), so that one flipped
    expert or index does not drown everything after it.
    """
    dim, heads, rank = c["hidden_size"], c["num_attention_heads"], c["kv_lora_rank"]
    nope, rope, v = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    fan = lambda n, gain=1.0: gain / n**0.5
    yield "model.embed_tokens.weight", (c["vocab_size"], dim), "plain", 1.0

    def mlp(prefix, inter):
        yield f"{prefix}.gate_proj.weight", (inter, dim), "linear", fan(dim, 1.5)
        yield f"{prefix}.up_proj.weight", (inter, dim), "linear", fan(dim)
        yield f"{prefix}.down_proj.weight", (dim, inter), "linear", fan(inter, 0.35)

    for n in range(c["num_hidden_layers"] + c["num_nextn_predict_layers"]):
        p, last = f"model.layers.{n}", n >= c["num_hidden_layers"]
        if last:
            yield f"{p}.embed_tokens.weight", (
                c["vocab_size"],
                dim,
            ), "copy:model.embed_tokens.weight", 0
            yield f"{p}.enorm.weight", (dim,), "norm", 0.1
            yield f"{p}.hnorm.weight", (dim,), "norm", 0.1
            yield f"{p}.eh_proj.weight", (dim, 2 * dim), "plain", fan(2 * dim)
        a = f"{p}.self_attn"
        yield f"{p}.input_layernorm.weight", (dim,), "norm", 0.1
        yield f"{a}.q_a_proj.weight", (c["q_lora_rank"], dim), "linear", fan(dim)
        yield f"{a}.q_a_layernorm.weight", (c["q_lora_rank"],), "norm", 0.1
        yield f"{a}.q_b_proj.weight", (heads * (nope + rope), c["q_lora_rank"]), "linear", fan(
            c["q_lora_rank"]
        )
        yield f"{a}.kv_a_proj_with_mqa.weight", (rank + rope, dim), "linear", fan(dim)
        yield f"{a}.kv_a_layernorm.weight", (rank,), "norm", 0.1
        yield f"{a}.kv_b_proj.weight", (heads * (nope + v), rank), "linear", fan(rank)
        yield f"{a}.o_proj.weight", (dim, heads * v), "linear", fan(heads * v, 0.5)
        i = f"{a}.indexer"
        yield f"{i}.wq_b.weight", (
            c["index_n_heads"] * c["index_head_dim"],
            c["q_lora_rank"],
        ), "linear", fan(c["q_lora_rank"])
        yield f"{i}.wk.weight", (c["index_head_dim"], dim), "linear", fan(dim)
        yield f"{i}.k_norm.weight", (c["index_head_dim"],), "f32norm", 0.1
        yield f"{i}.k_norm.bias", (c["index_head_dim"],), "f32", 0.1
        yield f"{i}.weights_proj.weight", (c["index_n_heads"], dim), "plain", fan(dim)
        yield f"{p}.post_attention_layernorm.weight", (dim,), "norm", 0.1
        if n < c["first_k_dense_replace"]:
            yield from mlp(f"{p}.mlp", c["intermediate_size"])
        else:
            yield f"{p}.mlp.gate.weight", (c["n_routed_experts"], dim), "plain", fan(dim)
            yield f"{p}.mlp.gate.e_score_correction_bias", (c["n_routed_experts"],), "f32", 0.1
            for e in range(c["n_routed_experts"]):
                yield from mlp(f"{p}.mlp.experts.{e}", c["moe_intermediate_size"])
            yield from mlp(
                f"{p}.mlp.shared_experts", c["moe_intermediate_size"] * c["n_shared_experts"]
            )
        if last:
            yield f"{p}.shared_head.norm.weight", (dim,), "norm", 0.1
            yield f"{p}.shared_head.head.weight", (c["vocab_size"], dim), "copy:lm_head.weight", 0
    yield "model.norm.weight", (dim,), "norm", 0.1
    yield "lm_head.weight", (c["vocab_size"], dim), "plain", fan(dim, 2.5)


def weight(seed, name, shape, kind, std):
    if kind.startswith("copy:"):
        name, std = (
            kind[5:],
            {"model.embed_tokens.weight": 1.0, "lm_head.weight": 2.5 / shape[1] ** 0.5}[kind[5:]],
        )
    x = noise(seed, name, int(np.prod(shape))).reshape(shape) * std
    if kind in ("norm", "f32norm"):
        x = 1 + x
    return x.astype(np.float32).astype(np.float64) if kind.startswith("f32") else to_bf16(x)


def pad_blocks(x):
    n, k = (-(-s // 128) * 128 for s in x.shape)
    padded = np.zeros((n, k))
    padded[: x.shape[0], : x.shape[1]] = x
    return padded.reshape(n // 128, 128, k // 128, 128)


def quantize_fp8(x, power_of_two=True):
    """-> (e4m3 values, scales [ceil(N/128), ceil(K/128)]) as float64; weight = values * scale."""
    blocks = pad_blocks(x)
    scale = np.abs(blocks).max(axis=(1, 3)) / 448
    if power_of_two:
        m, e = np.frexp(scale)
        scale = np.ldexp(1.0, np.where(m == 0.5, e - 1, e))
    scale = scale.astype(np.float32).astype(np.float64)
    full = np.repeat(np.repeat(scale, 128, 0), 128, 1)[: x.shape[0], : x.shape[1]]
    return to_e4m3(x / full), scale


STATIC = ("q_a_proj", "kv_a_proj_with_mqa", "q_b_proj", "o_proj")
DYNAMIC = ("gate_proj", "up_proj", "down_proj")


def w8a8_type(name):
    module = name.split(".")[-2]
    if name.endswith(".weight") and module in DYNAMIC:
        return "W8A8_DYNAMIC"
    return "W8A8" if name.endswith(".weight") and module in STATIC else "FLOAT"


def quantize_w8a8(name, x, calibration, int64_scales):
    """Yields (name, dtype, array) of what msmodelslim (ascendv1) stores for one weight."""
    base = name[: -len(".weight")]
    scale = (np.abs(x).max(axis=1, keepdims=True) / 127).astype(np.float32)
    q = np.clip(np.rint(x / scale.astype(np.float64)), -127, 127)
    yield name, "I8", q.astype(np.int8)
    if w8a8_type(name) == "W8A8_DYNAMIC":
        yield base + ".weight_scale", "F32", scale
        yield base + ".weight_offset", "F32", np.zeros_like(scale)
        return
    input_scale, offset = (
        np.float32(calibration[base]["input_scale"]),
        calibration[base]["input_offset"],
    )
    deq = (input_scale * scale[:, 0]).astype(np.float32)
    yield base + ".quant_bias", "I32", np.rint(-offset * q.sum(axis=1)).astype(np.int32)
    yield base + ".input_scale", "F32", np.array([input_scale], np.float32)
    yield base + ".input_offset", "F32", np.array([offset], np.float32)
    yield (base + ".deq_scale",) + (
        ("I64", deq.view(np.int32).astype(np.int64)) if int64_scales else ("F32", deq)
    )


def make(recipe, fmt, folder, calibration=None):
    config, seed = V32 | recipe["config"], recipe["seed"]
    tensors, types = {}, {}
    for name, shape, kind, std in shapes(config):
        x = weight(seed, name, shape, kind, std)
        if kind.startswith("f32"):
            tensors[name] = ("F32", shape, x.astype("<f4").tobytes())
        elif fmt == "fp8" and kind == "linear":
            q, scale = quantize_fp8(x, recipe.get("power_of_two_scales", True))
            tensors[name] = ("F8_E4M3", shape, e4m3_bytes(q))
            tensors[name + "_scale_inv"] = ("F32", scale.shape, scale.astype("<f4").tobytes())
        elif fmt == "w8a8" and w8a8_type(name) != "FLOAT":
            for part, dtype, data in quantize_w8a8(
                name, x, calibration, recipe.get("int64_deq_scale", False)
            ):
                tensors[part] = (dtype, data.shape, np.ascontiguousarray(data).tobytes())
                types[part] = w8a8_type(name)
            continue
        else:
            tensors[name] = ("BF16", shape, bf16_bytes(x))
        types[name] = "FLOAT"
    os.makedirs(folder, exist_ok=True)
    if fmt == "fp8":
        config |= {"quantization_config": FP8}
    json.dump(config, open(f"{folder}/config.json", "w"), indent=2)
    stem = "quant_model_weights" if fmt == "w8a8" else "model"
    parts = split(tensors, recipe.get("files", 2))
    where, total = {}, sum(len(t[2]) for t in tensors.values())
    for i, part in enumerate(parts):
        file = f"{stem}-{i + 1:05d}-of-{len(parts):05d}.safetensors"
        write_safetensors(f"{folder}/{file}", part)
        where |= {name: file for name in part}
    json.dump(
        {"metadata": {"total_size": total}, "weight_map": where},
        open(f"{folder}/{stem}.safetensors.index.json", "w"),
        indent=1,
    )
    if fmt == "w8a8":
        meta = {"version": "1.0.0", "model_quant_type": "W8A8", "metadata": {}, "group_size": 0}
        json.dump(meta | types, open(f"{folder}/quant_model_description.json", "w"), indent=1)


def split(tensors, count):
    """Cuts the dict into files of about equal size, at any tensor, be it a weight or a scale."""
    total, parts, size = sum(len(t[2]) for t in tensors.values()), [{}], 0
    for name, tensor in tensors.items():
        if size >= total / count and len(parts) < count:
            parts, size = parts + [{}], 0
        parts[-1][name] = tensor
        size += len(tensor[2])
    return parts


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--preset", choices=PRESETS, default="tiny")
    p.add_argument("--recipe", help='JSON file {"seed": .., "config": {..}} instead of a preset')
    p.add_argument("--format", choices=["bf16", "fp8", "w8a8"], required=True)
    p.add_argument("--calibration", help="JSON of input scales, for w8a8")
    p.add_argument("folder")
    a = p.parse_args()
    make(
        json.load(open(a.recipe)) if a.recipe else PRESETS[a.preset],
        a.format,
        a.folder,
        json.load(open(a.calibration)) if a.calibration else None,
    )
