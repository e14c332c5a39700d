"""The disk image of a booted host: a small Debian 12 with systemd, made once by mmdebstrap and kept in the
cache.

Used by `booted.py` (each host gets a copy), `python -m tests.hosts image` and `tests.emulated.image`. The hash
of the recipe names the image, so that a changed recipe makes a new one. What makes a container resemble a machine (`guest/`)
is not in it: each host gets that when it is made.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from tests.hosts import disk, shell
from tests.hosts.places import Lock, cache

SUITE = "bookworm"
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "python3-venv",
    "iproute2",
    "iptables",
    "nftables",
    "kmod",
    "procps",
    "util-linux",
    "ca-certificates",
)
# What a container cannot do and a machine would: they fail there and only hide real failures.
MASKED = (
    "console-getty.service",
    "getty@tty1.service",
    "systemd-remount-fs.service",
    "systemd-networkd-wait-online.service",
    "e2scrub_reap.service",
    "e2scrub_all.timer",
    "fstrim.timer",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
)
ENABLED = ("systemd-networkd.service",)
# Raised when _BUILD makes something else of the same words.
_VERSION = "2"

_BUILD = """
mount -o "$OPTIONS" "$IMAGE" "$ROOT"
mmdebstrap --quiet --mode=root --variant=minbase --format=directory --include="$INCLUDE" \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$SUITE" "$ROOT" $MIRROR
systemctl --quiet --root="$ROOT" mask $MASKED
systemctl --quiet --root="$ROOT" enable $ENABLED
rm -rf "$ROOT"/var/cache/apt/* "$ROOT"/var/lib/apt/lists/* "$ROOT/etc/machine-id" "$ROOT/etc/hostname"
mkdir -p "$ROOT/var/log/journal"
# Give back to the file what was freed again: every host copies it.
fstrim "$ROOT"
umount "$ROOT"
"""


def recipe() -> str:
    """The hash that names the image."""
    words = repr((_VERSION, SUITE, PACKAGES, MASKED, ENABLED, disk.SIZE_BYTES))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def path() -> Path:
    """Where the image of today's recipe lies, or would."""
    return cache() / f"debian-{SUITE}-{recipe()}.ext4"


def ensure() -> Path:
    """The image, built where the cache has none: about a minute and 100 MB of packages, then never again."""
    return kept(
        path(),
        _BUILD,
        {"INCLUDE": ",".join(PACKAGES), "MASKED": " ".join(MASKED), "ENABLED": " ".join(ENABLED)},
    )


def kept(image: Path, script: str, settings: Mapping[str, str], base: Path | None = None) -> Path:
    """An image of the cache, made where it is missing by a shell script that is given `settings`, `SUITE` and `MIRROR`,
    and mounts `IMAGE` with `OPTIONS` at `ROOT`. `IMAGE` is an empty disk, or a copy of `base`.
    """
    if image.exists():
        return image
    lock = Lock(cache() / "image.lock")
    lock.take(wait=True)
    try:
        if not image.exists():
            _build(image, script, settings, base)
    finally:
        lock.close()
    return image


def _build(image: Path, script: str, settings: Mapping[str, str], base: Path | None) -> None:
    root = cache() / "image.root"
    root.mkdir(exist_ok=True)
    half = image.with_suffix(".half")
    if base is None:
        disk.make(half)
    else:
        disk.copy(base, half)
    env = {
        **os.environ,
        "OPTIONS": disk.MOUNT_OPTIONS,
        "IMAGE": str(half),
        "ROOT": str(root),
        "SUITE": SUITE,
        "MIRROR": os.environ.get("ARCHIPEL_DEBIAN_MIRROR", ""),
        **settings,
    }
    try:
        # A mount namespace of its own: an interrupted build leaves no mount behind.
        argv = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script]
        shell.run(argv, timeout=900, env=env).ok()
        half.rename(image)
    finally:
        half.unlink(missing_ok=True)
        root.rmdir()
