"""That every one of the 70 checks has a test; they are in the other files of this folder."""
import pathlib
import re

HERE = pathlib.Path(__file__).parent


def test_all_70_are_there():
    names = re.findall(r"^(?:async )?def test_(\d\d)_", "".join(
        path.read_text() for path in sorted(HERE.glob("test_*.py"))), re.M)
    assert {int(name) for name in names} == set(range(1, 71))
