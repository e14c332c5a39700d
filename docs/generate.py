"""Writes docs/reference/ from the source: `make reference`. With `--check` it writes nothing and names what is out of date.

A page that nothing makes any more is removed.
"""

import sys
from pathlib import Path

from archipel_agent.cli import reference as agent
from archipel_contract import reference as contract
from archipel_contract import schema
from archipel_fleet.cli import reference as fleet

REFERENCE = Path(__file__).resolve().parent / "reference"


def wanted() -> dict[Path, str]:
    """Return every file that belongs to the reference, with its text."""
    pages = {
        REFERENCE / name: text
        for name, text in {**contract.pages(), **agent.pages(), **fleet.pages()}.items()
    }
    return pages | {REFERENCE / "schemas" / name: text for name, text in schema.files().items()}


def outdated() -> list[Path]:
    """Return the files that are missing, differ, or should not be there."""
    right = wanted()
    there = {path for path in REFERENCE.rglob("*") if path.is_file()}
    wrong = [
        path for path, text in right.items() if path not in there or path.read_text(encoding="utf-8") != text
    ]
    return sorted([*wrong, *(there - set(right))])


def main() -> int:
    """Write or check; return the exit code."""
    right = wanted()
    wrong = outdated()
    for path in wrong:
        sys.stderr.write(f"out of date: {path.relative_to(REFERENCE.parents[1])}\n")
        if "--check" in sys.argv:
            continue
        if path in right:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(right[path], encoding="utf-8")
        else:
            path.unlink()
    return 1 if wrong and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
