"""What is done at a desk before a box goes out: a stick with a bundle and an answer file. Used by `cabinet.py`."""

from pathlib import Path

from tests.e2e.maker import make_bundle
from tests.emulated.stick import Stick

ANSWERS = "archipel.toml"


def prepared_stick(desk: Path, answers: str) -> Stick:
    """Make a key in `desk`, a bundle signed with it, and a stick with the bundle and these answers."""
    bundle = make_bundle(desk, ("pause", "coredns"))
    (desk / ANSWERS).write_text(answers)
    stick = Stick(desk / "stick.img")
    stick.put(bundle, desk / ANSWERS)
    return stick
