"""What the test ground needs of a machine, and in plain words what is missing.

Used as skip reasons by `fixtures.py` and printed by `python -m tests.hosts requirements`. Each function
returns None where all is there, else one sentence; it changes nothing.
"""

import os
import shutil
from functools import cache
from pathlib import Path

from tests.hosts import image, shell

_SYS_RESOURCE = 24


def k3s_binary() -> Path | None:
    """The k3s to test with: `ARCHIPEL_K3S`, else the one on PATH, with links resolved; None where there is
    none."""
    named = os.environ.get("ARCHIPEL_K3S") or shutil.which("k3s")
    return Path(named).resolve() if named and Path(named).is_file() else None


def k3s_images() -> Path | None:
    """The directory with image archives: `ARCHIPEL_K3S_IMAGES`, else `share/k3s/images` beside the binary's
    `bin`."""
    named = os.environ.get("ARCHIPEL_K3S_IMAGES")
    if named:
        return Path(named) if Path(named).is_dir() else None
    found = os.environ.get("ARCHIPEL_K3S") or shutil.which("k3s")
    if not found:
        return None
    for binary in (Path(found), Path(found).resolve()):
        path = binary.parent.parent / "share" / "k3s" / "images"
        if path.is_dir() and any(path.iterdir()):
            return path
    return None


@cache
def missing_for_plain() -> str | None:
    """Why no plain host can be made here."""
    if os.geteuid() != 0:
        return "not root: namespaces, mounts and cables need it"
    absent = [tool for tool in ("unshare", "nsenter", "ip", "mke2fs", "mount") if not shutil.which(tool)]
    if absent:
        return f"missing on PATH: {', '.join(absent)}"
    if not Path("/dev/loop-control").exists():
        return "no loop devices: a host needs a disk of its own"
    spaces = ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup", "true"]
    tried = shell.run(spaces, timeout=10)
    if tried.rc != 0:
        return f"no namespaces: {tried.stderr.strip()}"
    link = [
        "unshare",
        "--net",
        "sh",
        "-ec",
        "ip link add br0 type bridge; ip link add v0 type veth peer name v1",
    ]
    tried = shell.run(link, timeout=10)
    return f"no bridge or veth: {tried.stderr.strip()}" if tried.rc != 0 else None


@cache
def missing_for_booted() -> str | None:
    """Why no booted host can be made here."""
    if missing_for_plain():
        return missing_for_plain()
    absent = [tool for tool in ("systemd-nspawn", "script") if not shutil.which(tool)]
    if absent:
        return f"missing on PATH: {', '.join(absent)}"
    if not image.path().exists() and not shutil.which("mmdebstrap"):
        return "mmdebstrap missing and no image in the cache"
    return None


def missing_for_k3s() -> str | None:
    """Why no real k3s can be run in a host, given that the host can be made."""
    if k3s_binary() is None:
        return "no k3s on PATH and none named by ARCHIPEL_K3S"
    if k3s_images() is None:
        return "no k3s image archives: ARCHIPEL_K3S_IMAGES, or share/k3s/images beside the binary's directory"
    return None


def may_raise_oom_score() -> bool:
    """Whether this machine lets a process lower its own oom_score_adj (CAP_SYS_RESOURCE in the bounding
    set)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> _SYS_RESOURCE & 1)
    return False


def report() -> list[tuple[str, str | None]]:
    """Every capability with what is missing for it."""
    return [
        ("plain host", missing_for_plain()),
        ("booted host", missing_for_booted()),
        ("real k3s", missing_for_k3s()),
    ]
