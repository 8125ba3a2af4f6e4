"""What is made from the checkpoint under test, each in a folder under build/eval."""
import json
import re
import shutil
import struct
import subprocess

import numpy as np

import size
from paths import FATHOM, OUT

INDEXER = re.compile(r"\.self_attn\.indexer\.(wq_b|wk|weights_proj)\.weight$")
SEED = 990000
NOT_BF16 = "it can only be made of a checkpoint in bf16"


def fresh(name):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def is_bf16(checkpoint):
    return "quantization_config" not in json.loads((checkpoint / "config.json").read_text())


def why_not_quantized(checkpoint):
    """Why there can be no quantized columns; None if there can."""
    told = subprocess.run([FATHOM, "--help"], capture_output=True, text=True, check=True).stdout
    if "fathom quantize" not in told:
        return "the program has no command `quantize`"
    return None if is_bf16(checkpoint) else NOT_BF16


def quantized(checkpoint, form):
    folder = fresh(form)
    subprocess.run([FATHOM, "quantize", checkpoint, folder, "--format", form], check=True,
                   stdout=subprocess.DEVNULL)
    return folder


def linked(checkpoint, name, but=()):
    """A folder with links to all files whose suffixes are others."""
    folder = fresh(name)
    folder.mkdir()
    for file in checkpoint.iterdir():
        if file.is_file() and file.suffix not in but:
            (folder / file.name).symlink_to(file.resolve())
    return folder


def dense(checkpoint):
    """index_topk covers the context: attention to all positions."""
    folder = linked(checkpoint, "dense")
    config = folder / "config.json"
    changed = {**json.loads(config.read_text()), "index_topk": size.CONTEXT}
    config.unlink()
    config.write_text(json.dumps(changed, indent=2))
    return folder


def to_float(words):
    return (words.astype(np.uint32) << 16).view(np.float32)


def to_bf16(numbers):
    words = numbers.astype(np.float32).view(np.uint32)
    return ((words + 0x7FFF + ((words >> 16) & 1)) >> 16).astype(np.uint16)


def randomize(file, rng):
    """Writes random numbers of the same deviation over the indexer's projections."""
    with open(file, "r+b") as data:
        start = 8 + struct.unpack("<Q", data.read(8))[0]
        header = json.loads(data.read(start - 8))
        for name in sorted(filter(INDEXER.search, header)):
            assert header[name]["dtype"] == "BF16", f"{name} is {header[name]['dtype']}"
            begin, end = header[name]["data_offsets"]
            data.seek(start + begin)
            old = to_float(np.frombuffer(data.read(end - begin), np.uint16))
            data.seek(start + begin)
            data.write(to_bf16(rng.normal(0, old.std(), old.size)).tobytes())


def random_indexer(checkpoint):
    folder = linked(checkpoint, "random-indexer", {".safetensors"})
    rng = np.random.default_rng(SEED)
    for file in sorted(checkpoint.glob("*.safetensors")):
        copy = folder / file.name
        shutil.copyfile(file, copy)
        randomize(copy, rng)
    return folder
