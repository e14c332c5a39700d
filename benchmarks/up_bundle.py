"""How much longer `archipel up --bundle` takes than copying the same from the stick and starting k3s by hand."""

import re
import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.figure import Figure, Skipped, differences, up_bound
from benchmarks.ground import IMAGES, NAME, Ground, fresh_host, in_guest, missing, tell
from benchmarks.parts import archipel
from benchmarks.up_time import FILES, PREPARE, Steps, spread
from tests.hosts import requirements

PAIRS, QUICK_PAIRS = 5, 1
STICK, BUNDLE, KEYS = "/media/stick", "edge.archipel-bundle", "/etc/archipel/bundle-keys"
PROGRAM = re.compile(r"^ExecStart=\S*?(/\S+)", re.MULTILINE)


def by_up(bundle: Path, files: dict[str, bytes], steps: Steps) -> float:
    """Return the seconds on a host without k3s and with the stick; keep the files it wrote, and what each step took."""
    with fresh_host(product=True, has_k3s=False) as host:
        host.put(bundle, f"{STICK}/{BUNDLE}")
        host.put(bundle.with_name("maker.pub"), f"{KEYS}/maker.pub")
        host.run(["sync"]).ok()
        seen = in_guest(host, "up", "--bundle", STICK)
        before = 0.0
        for title, at in seen["steps"]:
            steps.setdefault(title.partition("  ")[0], []).append(at - before)
            before = at
        files.update({path: host.get(path) for path in FILES})
    return float(seen["seconds"])


def by_hand(files: dict[str, bytes]) -> float:
    """Return the seconds on a host with everything but Archipel, and with k3s and its images on the stick."""
    unit = files["/etc/systemd/system/k3s.service"].decode()
    found = PROGRAM.search(unit)
    if found is None:
        raise RuntimeError(f"the unit names no program: {unit}")
    with fresh_host(product=False, has_k3s=False) as host:
        host.offer_k3s(f"{STICK}/k3s")
        host.offer_images(f"{STICK}/images")
        for path, mode in FILES.items():
            host.put(files[path], path, mode)
        host.run(["sh", "-c", PREPARE]).ok()
        copies = [f"{STICK}/k3s", found[1], f"{STICK}/images", IMAGES]
        return float(in_guest(host, "by_hand", NAME, *copies)["seconds"])


def measure(ground: Ground) -> Figure:
    """Take the pairs, one of each in turn; raise Skipped."""
    if why_not := missing():
        raise Skipped(why_not)
    pairs: list[tuple[float, float]] = []
    files: dict[str, bytes] = {}
    steps: Steps = {}
    with tempfile.TemporaryDirectory(prefix="bundle-", dir="/var/tmp") as place:
        bundle = _bundle(Path(place))
        for number in range(QUICK_PAIRS if ground.quick else PAIRS):
            pair = by_up(bundle, files, steps), by_hand(files)
            tell(f"up --bundle {pair[0]:.2f} s, by hand {pair[1]:.2f} s (pair {number + 1})")
            pairs.append(pair)
        size = bundle.stat().st_size
    up = [first for first, _ in pairs]
    hand = [second for _, second in pairs]
    shares = [f"{title} {statistics.median(values):.2f}" for title, values in steps.items()]
    return Figure(
        name="up-bundle",
        title="`archipel up --bundle` beyond copying and starting by hand, until the node is Ready",
        unit="s",
        values=differences(pairs),
        bound=up_bound(statistics.median(hand)),
        method=(
            f"as `up-time`, on hosts without k3s and with a stick (a directory of the same disk). `up`: a signed bundle of "
            f"{size / 1e6:.0f} MB is verified, imported and started. By hand: the same k3s and image archives are copied to "
            "where `up` had put them and flushed, nothing is verified, then k3s is started. The bound is 2 s or 5 %."
        ),
        details=(
            f"up      {spread(up)}",
            f"by hand {spread(hand)}",
            f"steps of up, median s: {', '.join(shares)}",
        ),
    )


def _bundle(place: Path) -> Path:
    """Make a key and a bundle of this machine's k3s and images, by the product's commands."""
    k3s, archives = requirements.k3s_binary(), requirements.k3s_images()
    if k3s is None or archives is None:
        raise Skipped(requirements.missing_for_k3s() or "there is no k3s")
    images = [word for path in sorted(archives.glob("*.tar*")) for word in ("--k3s-images", str(path))]
    key, made = place / "maker", place / BUNDLE
    words = ["--k3s", str(k3s), *images, "--key", str(key), "-o", str(made)]
    for argv in (["key", "new", str(key)], ["build", *words]):
        subprocess.run([archipel(), "bundle", *argv], check=True, capture_output=True)
    return made
