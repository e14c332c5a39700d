"""Disks of hosts: sparse ext4 images in files, and the power cut.

Used by `image.py` (which fills one) and `ground.py` (which mounts them). Mounting happens in the ground's
own mount namespace, never in this machine's.
"""

import fcntl
import os
from pathlib import Path

from tests.hosts import shell

SIZE_BYTES = 16 * 1024**3
# _IOR('X', 125, __u32) of fs/ext4/ext4.h; the flag is EXT4_GOING_FLAGS_NOLOGFLUSH: neither data nor journal
# is written.
_EXT4_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2
# Without it the kernel fills the inode tables in the background and the sparse file grows by hundreds of
# megabytes.
MOUNT_OPTIONS = "loop,noinit_itable"


def make(path: Path, size: int = SIZE_BYTES) -> None:
    """Write an empty ext4 file system of `size` bytes into the sparse file `path`."""
    with open(path, "wb") as file:
        file.truncate(size)
    options = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    shell.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-J", "size=64", "-E", options, str(path)]).ok()


def copy(source: Path, target: Path) -> None:
    """Copy an image, holes and all."""
    shell.run(["cp", "--sparse=auto", "--reflink=auto", str(source), str(target)], timeout=300).ok()


def cut(mounted: Path) -> None:
    """Stop the ext4 file system mounted at `mounted` as if its power had gone: nothing more reaches the
    disk.

    What was not synced is lost, unless the kernel had written it of its own accord; afterwards every access
    fails until the file system is mounted anew, which replays its journal.
    """
    fd = os.open(mounted, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(fd, _EXT4_SHUTDOWN, _NO_LOG_FLUSH.to_bytes(4, "little"))
    finally:
        os.close(fd)
