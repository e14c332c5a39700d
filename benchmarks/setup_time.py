"""How long `make setup` takes in a clean clone."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure, Skipped
from benchmarks.ground import Ground

CHECKOUT = Path(__file__).resolve().parents[1]
RUNS, QUICK_RUNS = 3, 1


def measure(ground: Ground) -> Figure:
    """Clone and set up several times; raise Skipped."""
    for tool in ("git", "make"):
        if shutil.which(tool) is None:
            raise Skipped(f"no {tool} on PATH")
    if not (CHECKOUT / ".git").exists():
        raise Skipped("this is no clone of the repository")
    with tempfile.TemporaryDirectory(prefix="archipel-bench-") as place:
        seconds = [
            one_run(Path(place) / str(number)) for number in range(QUICK_RUNS if ground.quick else RUNS)
        ]
    return Figure(
        name="setup-time",
        title="`make setup` in a clean clone with a warm package cache",
        unit="s",
        values=tuple(seconds),
        bound=180.0,
        is_strict=True,
        method=(
            "git clone of HEAD into an empty directory, then `make setup`; the packages are in the cache of uv, as this "
            "checkout has been set up before. System packages that are there already are not counted."
        ),
    )


def one_run(place: Path) -> float:
    """Return the seconds of `make setup`; raise CalledProcessError with its output."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(CHECKOUT), str(place)], check=True)
    began = time.monotonic()
    subprocess.run(["make", "setup"], cwd=place, check=True, capture_output=True)
    return time.monotonic() - began
