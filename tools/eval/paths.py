"""Where things are; imported first. What tools/tiny and tests/clients hold comes behind the
packages that are installed: one of these is called `evaluate`, too."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "eval"
FATHOM = ROOT / "build" / "fathom"
sys.path += [str(ROOT / "tools" / "tiny"), str(ROOT / "tests" / "clients")]
