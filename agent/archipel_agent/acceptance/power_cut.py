"""The power-cut loop: marks are written and shown as acknowledged until the plug is pulled; afterwards each must be there.

The operator is the witness: a disk that forgets what it has promised forgets its own record of it too, so that only the last
number seen on the screen tells what was promised. Without it a round is never good. Marks go round in SLOTS files, so that a
gap shows as well and the card is not filled. All of it is kept by the Disk port and goes on after any cut.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from archipel_agent.acceptance.figures import Round, Verdict
from archipel_agent.paths import Paths
from archipel_agent.ports import Disk, Files
from archipel_contract import wire

SLOTS = 32
PAUSE_SECONDS = (
    0.05  # between two marks: twenty a second are read by no eye, but the last one stays on the screen
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """How the loop stands; kept before anything of a round is done."""

    wanted: int
    rounds: tuple[Round, ...] = ()
    boot_id: str = ""  # of the start in which the present round was begun; empty between two rounds
    first: int = 0  # the highest mark before the present round

    @property
    def is_over(self) -> bool:
        """Whether every round is done."""
        return len(self.rounds) >= self.wanted

    @property
    def number(self) -> int:
        """The round that is under way, or next."""
        return len(self.rounds) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What was found after a cut."""

    highest: int
    missing: tuple[int, ...]  # numbers that should be there by the order of the slots
    damaged: tuple[str, ...]  # files that do not hold what was written


def place(paths: Paths) -> Path:
    """Return the directory of the loop's state and marks, beside the agent's own state."""
    return paths.state / "acceptance"


def load(disk: Files, paths: Paths) -> Loop | None:
    """Return how the loop stands, None where none was begun. Raises WireError for a state that is damaged."""
    path = place(paths) / "loop.json"
    return wire.from_json(Loop, disk.read(path)) if disk.exists(path) else None


def keep(disk: Disk, paths: Paths, loop: Loop) -> None:
    """Keep how the loop stands."""
    disk.write(place(paths) / "loop.json", wire.to_json(loop), 0o600)


def forget(disk: Disk, paths: Paths) -> None:
    """Remove state and marks."""
    disk.remove_tree(place(paths))


def begin_round(disk: Disk, paths: Paths, loop: Loop, boot_id: str) -> Loop:
    """Return the loop with a round under way."""
    begun = replace(loop, boot_id=boot_id, first=look(disk, paths).highest)
    keep(disk, paths, begun)
    return begun


def write_marks(disk: Disk, paths: Paths, first: int) -> Iterator[int]:
    """Write marks without end, and yield the number of each once the disk has promised to keep it."""
    number = first
    while True:
        number += 1
        disk.write(place(paths) / f"mark-{number % SLOTS:02}", _mark(number), 0o600)
        yield number


def _mark(number: int) -> bytes:
    text = str(number)
    return json.dumps({"number": number, "proof": hashlib.sha256(text.encode()).hexdigest()}).encode()


def look(disk: Files, paths: Paths) -> Marks:
    """Return which marks are there: the highest, those missing of the last turn through the slots, and damaged ones."""
    found: set[int] = set()
    damaged: list[str] = []
    for name in disk.names(place(paths)):
        if not name.startswith("mark-"):
            continue
        number = _read(disk.read(place(paths) / name))
        if number is None or name != f"mark-{number % SLOTS:02}":
            damaged.append(name)
        else:
            found.add(number)
    highest = max(found, default=0)
    expected = range(max(1, highest - SLOTS + 1), highest + 1)
    # The slot being written may already hold the next number; the one after the highest is nobody's promise.
    return Marks(
        highest=highest,
        missing=tuple(one for one in expected if one not in found),
        damaged=tuple(sorted(damaged)),
    )


def _read(data: bytes) -> int | None:
    try:
        number = json.loads(data)["number"]
    except (ValueError, LookupError, TypeError):
        return None
    return number if isinstance(number, int) and data == _mark(number) else None


def end_round(
    loop: Loop, marks: Marks, seen: int | None, seconds_to_ready: float | None, empty: tuple[str, ...]
) -> Loop:
    """Return the loop with the round judged. `seen` is the last number the operator saw, `empty` files of k3s without
    content, `seconds_to_ready` None where k3s did not come up."""
    problems = _problems(marks, seen, seconds_to_ready, empty)
    if problems:
        verdict, said = Verdict.FAIL, "; ".join(problems)
    elif seen is None:
        said = "nobody said which number was seen last: what is lost at the end does not show"
        verdict = Verdict.NOT_MEASURABLE
    elif marks.highest <= loop.first:
        verdict, said = Verdict.NOT_MEASURABLE, "no mark was written before the cut"
    else:
        verdict, said = Verdict.PASS, f"all {seen - loop.first} acknowledged writes are there"
    done = Round(
        number=loop.number,
        written=marks.highest,
        seen=seen,
        seconds_to_ready=seconds_to_ready,
        verdict=verdict,
        said=said,
    )
    return replace(loop, rounds=(*loop.rounds, done), boot_id="", first=marks.highest)


def _problems(
    marks: Marks, seen: int | None, seconds_to_ready: float | None, empty: tuple[str, ...]
) -> tuple[str, ...]:
    found: list[str] = []
    if seen is not None and marks.highest < seen:
        lost = seen - marks.highest
        found.append(f"{lost} acknowledged writes are lost: {seen} was seen, {marks.highest} is there")
    if marks.missing:
        found.append(f"writes are missing in between: {', '.join(map(str, marks.missing[:5]))}")
    if marks.damaged:
        found.append(f"files are damaged: {', '.join(marks.damaged[:5])}")
    if empty:
        found.append(f"files of k3s are empty: {', '.join(empty[:3])}")
    if seconds_to_ready is None:
        found.append("k3s did not become ready")
    return tuple(found)
