"""Checkpoint parts between calls, and the export in Hugging Face's layout."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

PART = 15_500_000  # bytes of one file
SHARD = 12_400_000  # the same of the exported checkpoint


def split(tensors, limit=PART):
    parts, size = [{}], 0
    for name, tensor in tensors.items():
        n = tensor.numel() * tensor.element_size()
        if size + n > limit and parts[-1]:
            parts, size = parts + [{}], 0
        parts[-1][name], size = tensor, size + n
    return parts


def half(name, tensor):
    keep = tensor.dtype != torch.float32 or "k_norm" in name or "bias" in name
    return tensor.detach().cpu().to(tensor.dtype if keep else torch.bfloat16).contiguous()


def save(model, folder):
    """The training state's names, bf16, in files of at most 16 MB."""
    state = {k: half(k, v) for k, v in model.state_dict().items() if not k.endswith(".load")}
    for i, part in enumerate(split(state)):
        save_file(part, f"{folder}/part-{i}.safetensors")
    Path(folder, "model.json").write_text(json.dumps(asdict(model.c), indent=1))


def load(model, folder):
    state = {}
    for path in sorted(Path(folder).glob("part-*.safetensors")):
        state |= load_file(path)
    missing, unknown = model.load_state_dict(state, strict=False)
    assert not unknown and all(m.endswith(".load") for m in missing), (missing, unknown)


def exported_name(name, c):
    """The name in Hugging Face's layout of what is one tensor there."""
    last = f"model.layers.{c.num_hidden_layers}"
    if name == "lm_head.weight":
        return name
    if name.startswith("mtp."):
        name = name[4:].replace("shared_head_norm", "shared_head.norm")
        return f"{last}.{name}".replace("gate.bias", "")
    return f"model.{name}"


def export_tensors(model):
    c, out = model.c, {}
    last = f"model.layers.{c.num_hidden_layers}"
    for name, tensor in model.state_dict().items():
        tensor, stem = half(name, tensor), exported_name(name, c)
        head, _, tail = stem.rpartition(".")
        if tail == "load":
            continue
        if tail.startswith("experts_"):
            for e in range(c.n_routed_experts):
                out[f"{head}.experts.{e}.{tail[8:]}_proj.weight"] = tensor[e].clone()
        elif tail == "bias" and head.endswith("mlp"):
            out[f"{head}.gate.e_score_correction_bias"] = tensor
        else:
            out[stem] = tensor
    out[f"{last}.embed_tokens.weight"] = out["model.embed_tokens.weight"].clone()
    out[f"{last}.shared_head.head.weight"] = out["lm_head.weight"].clone()
    return out


def config(c, positions):
    own = {k: v for k, v in asdict(c).items() if not k.startswith("rope_")}
    return own | {
        "architectures": ["DeepseekV32ForCausalLM"], "attention_bias": False,
        "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 1, "ep_size": 1,
        "hidden_act": "silu", "initializer_range": 0.02, "max_position_embeddings": positions,
        "model_type": "deepseek_v32", "moe_layer_freq": 1, "n_shared_experts": 1,
        "norm_topk_prob": True, "num_key_value_heads": c.num_attention_heads,
        "num_nextn_predict_layers": 1, "rope_scaling": {
            "beta_fast": int(c.rope_beta_fast), "beta_slow": int(c.rope_beta_slow),
            "factor": c.rope_factor, "mscale": 1.0, "mscale_all_dim": 1.0,
            "original_max_position_embeddings": c.rope_original, "type": "yarn"},
        "rope_theta": int(c.rope_theta), "scoring_func": "sigmoid", "tie_word_embeddings": False,
        "topk_method": "noaux_tc", "torch_dtype": "bfloat16", "transformers_version": "4.44.2",
        "use_cache": True}


def export(model, folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = export_tensors(model)
    parts, where = split(tensors, SHARD), {}
    for i, part in enumerate(parts):
        file = f"model-{i + 1:05d}-of-{len(parts):05d}.safetensors"
        save_file(part, folder / file, metadata={"format": "pt"})
        where |= {name: file for name in part}
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": where}
    positions = int(model.c.rope_factor * model.c.rope_original)
    for name, value in {
        "model.safetensors.index.json": index, "config.json": config(model.c, positions),
        "generation_config.json": {"_from_model_config": True, "bos_token_id": 0,
                                   "eos_token_id": 1, "do_sample": True, "temperature": 0.6,
                                   "top_p": 0.95, "transformers_version": "4.46.3"},
    }.items():
        (folder / name).write_text(json.dumps(value, indent=2) + "\n")
    return total
