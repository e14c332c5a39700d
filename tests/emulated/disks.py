"""The disk of one machine: a copy of the image with what is this machine's own, and a layer above it that loses what a
power cut loses.

Used by `machine.py`. Why a layer in the format qcow2: with the cache mode `writeback` QEMU acknowledges a write at once and
keeps the table that says where it lies in its own memory until the machine flushes its disk (docs/interop/qcow2.txt, "L2
tables"). Killed, it takes with it everything new that was not flushed, as a real disk loses its write cache; with a raw file
all of that would be safe in the page cache of the machine below, and `none` would change nothing about it. With `unsafe`
flushes would be ignored, and what the machine was promised would be lost too, which no honest disk does.
"""

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.emulated import image
from tests.hosts import disk, shell

CACHE = "writeback"
KERNEL, INITRD = "kernel", "initrd"

_NETWORK = """\
[Match]
Name=en*

[Link]
RequiredForOnline=no

[Network]
Address={address}/24
Gateway={gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
ConfigureWithoutCarrier=yes
IgnoreCarrierLoss=yes
"""
ADDRESS, GATEWAY = "10.198.0.7", "10.198.0.1"

_PUT = 'mount -o "$OPTIONS" "$0" "$1"; cp -rT "$2" "$1"; umount "$1"'


def make(directory: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Make the disk of the machine `name` in `directory`; `files` are its own, by their path. Returns the layer."""
    below, layer = directory / "below.ext4", directory / "disk.qcow2"
    disk.copy(image.with_product(), below)
    # Its own, because a later run may make another image.
    shutil.copyfile(image.kernel(), directory / KERNEL)
    shutil.copyfile(image.initrd(), directory / INITRD)
    own = {
        "/etc/hostname": f"{name}\n".encode(),
        "/etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost\n".encode(),
        "/etc/machine-id": f"{uuid.uuid4().hex}\n".encode(),
        "/etc/systemd/network/10-card.network": _NETWORK.format(address=ADDRESS, gateway=GATEWAY).encode(),
        **files,
    }
    tree, root = directory / "own", directory / "root"
    root.mkdir()
    for path, content in own.items():
        place = tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    argv = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-euc",
        _PUT,
        str(below),
        str(root),
        str(tree),
    ]
    shell.run(argv, env={**os.environ, "OPTIONS": disk.MOUNT_OPTIONS}).ok()
    shell.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(below), "-F", "raw", str(layer)]).ok()
    return layer
