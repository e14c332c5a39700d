"""How much longer `archipel up --bundle` takes than copying the same from the stick and starting k3s by hand."""

import re
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.figure import Figure, Skipped
from benchmarks.ground import IMAGES, NAME, Ground, fresh_host, in_guest, missing
from benchmarks.parts import archipel
from benchmarks.up_pairs import Pairs
from tests.hosts import requirements

STICK, BUNDLE, KEYS = "/media/stick", "edge.archipel-bundle", "/etc/archipel/bundle-keys"
PROGRAM = re.compile(r"^ExecStart=\S*?(/\S+)", re.MULTILINE)


def by_up(bundle: Path, pairs: Pairs) -> float:
    """Return the seconds on a host without k3s and with the stick; `pairs` keeps what it showed."""
    with fresh_host(product=True, has_k3s=False) as host:
        host.put(bundle, f"{STICK}/{BUNDLE}")
        host.put(bundle.with_name("maker.pub"), f"{KEYS}/maker.pub")
        host.run(["sync"]).ok()
        return pairs.keep(host, in_guest(host, "up", "--bundle", STICK))


def by_hand(pairs: Pairs) -> float:
    """Return the seconds on a host with everything but Archipel, and with k3s and its images on the stick."""
    unit = pairs.files["/etc/systemd/system/k3s.service"].decode()
    found = PROGRAM.search(unit)
    if found is None:
        raise RuntimeError(f"the unit names no program: {unit}")
    with fresh_host(product=False, has_k3s=False) as host:
        host.offer_k3s(f"{STICK}/k3s")
        host.offer_images(f"{STICK}/images")
        pairs.lay_out(host)
        copies = [f"{STICK}/k3s", found[1], f"{STICK}/images", IMAGES]
        return float(in_guest(host, "by_hand", NAME, *copies)["seconds"])


def measure(ground: Ground) -> Figure:
    """Take the pairs, one of each in turn; raise Skipped."""
    if why_not := missing():
        raise Skipped(why_not)
    pairs = Pairs()
    with tempfile.TemporaryDirectory(prefix="bundle-", dir="/var/tmp") as place:
        bundle = _bundle(Path(place))
        pairs.take(ground, "up --bundle", partial(by_up, bundle, pairs), partial(by_hand, pairs))
        size = bundle.stat().st_size
    return Figure(
        name="up-bundle",
        title="`archipel up --bundle` beyond copying and starting by hand, until the node is Ready",
        unit="s",
        values=pairs.values(),
        bound=pairs.bound(),
        method=(
            f"as `up-time`, on hosts without k3s and with a stick (a directory of the same disk). `up`: a signed bundle of "
            f"{size / 1e6:.0f} MB is verified, imported and started. By hand: the same k3s and image archives are copied to "
            "where `up` had put them and flushed, nothing is verified, then k3s is started. The bound is 2 s or 5 %."
        ),
        details=pairs.details(),
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
