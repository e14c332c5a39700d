"""What others wrote and the pages ship: unchanged since it was decided on, and with its licence."""

import hashlib
from pathlib import Path

from archipel_fleet.web.rendering import STATIC

DECISION = Path(__file__).resolve().parents[3] / "docs/decisions/0013-htmx-4-with-its-own-event-stream.md"


def test_every_script_of_others_is_the_one_the_decision_names() -> None:
    said = DECISION.read_text(encoding="utf-8")
    scripts = sorted((STATIC / "vendor").glob("*.js"))
    assert len(scripts) == 2
    for script in scripts:
        data = script.read_bytes()
        assert f"| `{script.name}` | {len(data):,} | `{hashlib.sha256(data).hexdigest()}` |" in said


def test_its_licence_lies_beside_it() -> None:
    assert (STATIC / "vendor/LICENSE-htmx.txt").read_text(encoding="utf-8").startswith("Zero-Clause BSD")
