#!/usr/bin/env python3
"""How much faster our tokenizer encodes than Hugging Face's `tokenizers`, one thread each.

    bench_tokenizer.py BUILD/src/text/tokenizer_bench

Needs `pip install tokenizers==0.23.3`. The benchmark writes its text of about 128k tokens to the
folder for temporary files; both encode it several times in turn, and the best time of each counts,
in seconds of the CPU: other programs may be running.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers  # noqa: E402  (reads the environment)

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROUNDS = 5


def ours(bench):
    command = [bench, "--benchmark_filter=encode_mixed", "--benchmark_format=json"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    row = json.loads(out)["benchmarks"][0]
    return row["cpu_time"] / 1000, int(row["tokens"])


def theirs(tokenizer, text, encode):
    begin = time.process_time()
    tokens = encode(tokenizer, text)
    return time.process_time() - begin, tokens


WAYS = {
    "encode": lambda t, text: len(t.encode(text, add_special_tokens=False)),
    "encode_batch_fast": lambda t, text: len(
        t.encode_batch_fast([text], add_special_tokens=False)[0]),
}


def main(bench):
    tokenizer = tokenizers.Tokenizer.from_file(
        str(ROOT / "tests/golden/tokenizer/v3/tokenizer.json"))
    best = {}
    for _ in range(ROUNDS):
        seconds, tokens = ours(bench)
        best["fathom"] = min(best.get("fathom", seconds), seconds)
        path = pathlib.Path(tempfile.gettempdir()) / "fathom_tokenizer_bench.txt"
        text = path.read_bytes().decode()
        for name, encode in WAYS.items():
            seconds, theirs_tokens = theirs(tokenizer, text, encode)
            assert theirs_tokens == tokens, f"{theirs_tokens} tokens, ours has {tokens}"
            best[name] = min(best.get(name, seconds), seconds)
    print(f"text: {path.stat().st_size} bytes, {tokens} tokens; best of {ROUNDS}")
    print(f"fathom {1000 * best['fathom']:.1f} ms")
    for name in WAYS:
        print(f"tokenizers {tokenizers.__version__} {name} {1000 * best[name]:.1f} ms, "
              f"ratio {best[name] / best['fathom']:.1f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
