"""How fast a bundle is imported, beside a plain copy of the same file on the same disk, and whether memory stays flat.

Run as a program (`python -m benchmarks.bundle_import FILE KEY ROOT`) it imports once and prints what that took as JSON.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from archipel_agent.bundles import importing, keys, opening
from archipel_agent.bundles.building import Ingredient, Recipe, build
from archipel_agent.bundles.store import BundleStore
from archipel_agent.host.disk import SystemDisk
from archipel_agent.paths import Paths
from archipel_contract.bundle.format import SUFFIX, Kind
from archipel_contract.trust import minisign
from benchmarks.figure import Figure, Skipped
from benchmarks.ground import Ground

MEGABYTE = 1_000_000
LARGE, QUICK_LARGE, SMALL = 2000 * MEGABYTE, 300 * MEGABYTE, 16 * MEGABYTE
PARTS = 4
RUNS, QUICK_RUNS = 5, 2
LEAST_SHARE = 0.7
MOST_GROWTH_MIB = 4.0


def rate(ground: Ground) -> Figure:
    """Measure imports and copies in turn."""
    runs = QUICK_RUNS if ground.quick else RUNS
    shares, details = [], []
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=_disk()) as text:
        place = Path(text)
        made = _bundle(place, QUICK_LARGE if ground.quick else LARGE)
        size = made.stat().st_size
        for _ in range(runs):
            copied = _copied(made, place / "copy")
            imported = float(_imported(made, place)["seconds"])
            shares.append(copied / imported)
            details.append(f"copy {size / copied / 1e6:.0f} MB/s, import {size / imported / 1e6:.0f} MB/s")
    return Figure(
        name="bundle-import",
        title="import of a bundle, as a share of the disk's plain copy rate",
        unit="x",
        values=tuple(shares),
        bound=LEAST_SHARE,
        is_least=True,
        method=(
            f"{size / MEGABYTE:.0f} MB in {PARTS} contents; in turn, {runs} times: the file copied and fsynced by the "
            "agent's door to the disk, then imported in a process of its own (signature, digests, each content fsynced)."
        ),
        details=tuple(details),
    )


def memory(ground: Ground) -> Figure:
    """Compare the peak memory of importing a large bundle with that of a small one."""
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=_disk()) as text:
        place = Path(text)
        small = _imported(_bundle(place, SMALL), place)["peak_kib"] / 1024
        large = _imported(_bundle(place, QUICK_LARGE if ground.quick else LARGE), place)["peak_kib"] / 1024
    return Figure(
        name="bundle-memory",
        title="more memory for a large bundle than for a small one",
        unit="MiB",
        values=(max(0.0, large - small),),
        bound=MOST_GROWTH_MIB,
        method="peak resident memory of the importing process (VmHWM), its interpreter and libraries in it",
        details=(f"peak with 16 MB: {small:.1f} MiB, with the large one: {large:.1f} MiB",),
    )


def _disk() -> Path:
    """Return a directory on a real disk with room for the file, its copy and its import; raise Skipped."""
    place = Path(os.environ.get("BENCHMARK_DISK", "/var/tmp"))
    if shutil.disk_usage(place).free < 4 * LARGE:
        raise Skipped(f"{place} has no room for 8 GB; set BENCHMARK_DISK")
    return place


def _bundle(place: Path, size: int) -> Path:
    """Write a bundle of random contents, and its key beside it."""
    disk, signer = SystemDisk(), minisign.new_signer(os.urandom(40))
    parts = []
    for number in range(PARTS):
        path = place / f"part{number}.tar"
        disk.pour(path, _random(size // PARTS), 0o600)
        parts.append(Ingredient(path=path, kind=Kind.IMAGES))
    target = place / f"made{SUFFIX}"
    recipe = Recipe(
        architecture=os.uname().machine, created=datetime.now(UTC), sequence=1, ingredients=tuple(parts)
    )
    build(disk, target, recipe, signer)
    disk.write(place / "key.pub", minisign.public_text(signer.public))
    for one in parts:
        disk.remove(one.path)
    return target


def _random(size: int) -> Iterator[bytes]:
    for offset in range(0, size, MEGABYTE):
        yield os.urandom(min(MEGABYTE, size - offset))


def _copied(source: Path, target: Path) -> float:
    os.sync()
    began = time.perf_counter()
    SystemDisk().copy(source, target, 0o600)
    took = time.perf_counter() - began
    SystemDisk().remove(target)
    return took


def _imported(bundle: Path, place: Path) -> dict[str, float]:
    os.sync()
    words = [
        sys.executable,
        "-m",
        "benchmarks.bundle_import",
        str(bundle),
        str(place / "key.pub"),
        str(place / "root"),
    ]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    SystemDisk().remove_tree(place / "root")
    said: dict[str, float] = json.loads(done.stdout)
    return said


def main(bundle: Path, key: Path, root: Path) -> dict[str, float]:
    """Import once; return seconds and peak memory in KiB."""
    disk = SystemDisk()
    store = BundleStore(disk, Paths(root))
    began = time.perf_counter()
    found = opening.open_file(disk, bundle, keys.of_files(disk, (key,)).verify)
    importing.bring(store, found, lambda one: None, 0, lambda done, total: None)
    store.hold(found.manifest.id, found.opened.body, found.opened.signature)
    took = time.perf_counter() - began
    return {"seconds": took, "peak_kib": _peak_kib()}


def _peak_kib() -> float:
    """Return the peak of this program alone; getrusage would count the process that started it (execve(2) keeps it)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


if __name__ == "__main__":
    print(json.dumps(main(*map(Path, sys.argv[1:4]))))
