"""Acceptance of the MTP layer's drafts, by the program acceptance_bench."""
import subprocess

import size
from paths import ROOT

PROGRAM = ROOT / "build" / "acceptance_bench"


def row(k):
    return f"acceptance, {k} draft" + ("s" if k > 1 else "")


def rates(checkpoint, lines):
    """lines: [(tokens of the prompt, ids)] -> how often the first 1, 2, .. drafts all hold."""
    text = "".join(" ".join(map(str, [prompt, *ids])) + "\n" for prompt, ids in lines
                   if len(ids) > prompt)
    run = subprocess.run([PROGRAM, checkpoint, str(size.DRAFTS)], input=text, text=True,
                         capture_output=True)
    if run.returncode != 0:
        raise RuntimeError(f"{PROGRAM.name}: {run.stderr[-400:]}")
    return [float(word) for word in run.stdout.split()[:size.DRAFTS]]
