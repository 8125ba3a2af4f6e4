"""Every block of docs/clients.md is run, against a server as `make serve` starts it."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

from server import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", PAGE, re.M | re.S)


def name_of(block):
    words = re.search(r"\b(curl \S*/v1/\S+|lm_eval|vllm_bench|ais_bench|anthropic|langchain\w*|"
                      r"litellm|openai)", block)
    return words[1].replace("http://127.0.0.1:8000", "") if words else block[:20]


def there(server, text):
    """The block with the port of the server that the test has."""
    assert "8000" in text, text
    return text.replace("8000", str(server.port))


@pytest.mark.parametrize("kind,block", BLOCKS, ids=[name_of(block) for _, block in BLOCKS])
def test_block(bare, kind, block):
    if "ais_bench" in block:
        return asks_as_configured(there(bare, block))
    bin = str(pathlib.Path(sys.executable).parent)  # lm_eval and python3 of this environment.
    environment = {**os.environ, "PATH": bin + os.pathsep + os.environ["PATH"],
                   "HF_HOME": str(ROOT / "build" / "clients" / "hf")}
    command = [sys.executable, "-c"] if kind == "python" else ["bash", "-euc"]
    done = subprocess.run([*command, there(bare, block)], cwd=ROOT, timeout=240,
                          env=environment, capture_output=True, text=True, check=False)
    told = done.stdout[-600:] + done.stderr[-1200:]
    assert done.returncode == 0, told
    assert done.stdout.strip(), f"it said nothing: {told}"
    assert '"error"' not in done.stdout and '"detail"' not in done.stdout, told


def asks_as_configured(block):
    """AISBench reads such a file itself; its model is made from it and asked once."""
    import asyncio

    import aisbench_models
    source = block.replace("ais_bench.benchmark.models", "aisbench_models")
    names = {}
    exec(compile(source, "docs/clients.md", "exec"), names)  # The page's own words.
    (config,) = names["models"]
    kind = config.pop("type")
    config.pop("abbr")
    output = aisbench_models.RequestOutput(perf_mode=True)
    asyncio.run(kind(**config).generate("Hi", config["max_out_len"], output))
    assert output.success and output.output_tokens, output.error_info
