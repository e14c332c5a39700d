"""What is mounted on this machine, where a boot partition should be, and marks of files, for whoever looks for answer files.

The kernel says when the table of mounts has changed (proc_pid_mounts(5): poll), so that reading it costs nothing at rest.
Reads /proc, /sys and /etc/fstab only, and mounts nothing.
"""

import contextlib
import os
import re
import select
from pathlib import Path

from archipel_agent.paths import Paths, boot_places
from archipel_agent.ports import Mark, MissingBoot, Mount

MOUNTS = Path("/proc/self/mountinfo")
MODEL = Path("/proc/device-tree/model")
PI = "Raspberry Pi"
OCTAL = re.compile(r"\\([0-7]{3})")


class SystemMedia:
    """Implements the Media port."""

    def __init__(self, paths: Paths, rehearsed: bool = False) -> None:
        """Without a look at the real machine's mounts where this one is rehearsed, or has its root elsewhere."""
        self._paths = paths
        self._is_apart = rehearsed or paths.root != Path("/")
        self._mounts: tuple[Mount, ...] = ()
        self._missing: MissingBoot | None = None
        self._descriptor = -1
        self._poll = select.poll()
        if not self._is_apart:
            with contextlib.suppress(OSError):
                self._descriptor = os.open(MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
                self._poll.register(self._descriptor, select.POLLPRI)
            self._read()

    def mounts(self) -> tuple[Mount, ...]:
        """See Media."""
        self._see()
        return self._mounts

    def missing_boot(self) -> MissingBoot | None:
        """See Media."""
        self._see()
        return self._missing

    def mark(self, path: Path) -> Mark | None:
        """See Media."""
        try:
            seen = os.stat(path)
        except (OSError, ValueError):
            return None
        return (seen.st_size, seen.st_mtime_ns, seen.st_ino, seen.st_dev)

    def close(self) -> None:
        """Look no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _see(self) -> None:
        if self._descriptor >= 0 and self._poll.poll(0):
            self._read()

    def _read(self) -> None:
        self._mounts = tuple(_mount(line) for line in _lines(MOUNTS))
        self._missing = missing(self._paths, self._mounts, _lines(self._paths.at("etc/fstab")), _model())


def missing(
    paths: Paths, mounts: tuple[Mount, ...], fstab: tuple[str, ...], model: str
) -> MissingBoot | None:
    """Return the boot partition that fstab names, or that such a board must have, and that is not mounted. Pure."""
    mounted = {one.point for one in mounts}
    for line in fstab:
        words = line.split()
        if len(words) < 4 or words[0].startswith("#"):
            continue
        point = Path(_plain(words[1]))
        wanted = point in boot_places(paths) and "noauto" not in words[3].split(",")
        if wanted and point not in mounted:
            return MissingBoot(place=point, says="/etc/fstab")
    if PI in model and not mounted & set(boot_places(paths)):
        return MissingBoot(place=boot_places(paths)[0], says=model)
    return None


def _mount(line: str) -> Mount:
    """Return a line of mountinfo; see proc_pid_mountinfo(5)."""
    before, _, after = line.partition(" - ")
    words, kind = before.split(), after.split()
    filesystem, device = kind[0], kind[1] if len(kind) > 1 else ""
    return Mount(
        point=Path(_plain(words[4])), filesystem=filesystem, is_removable=_is_removable(words[2], device)
    )


def _is_removable(number: str, device: str) -> bool:
    """Whether a device can be pulled: it says so, or it hangs on USB. Its partition's parent is asked."""
    if not device.startswith("/dev/"):
        return False
    with contextlib.suppress(OSError):
        place = Path(f"/sys/dev/block/{number}").resolve(strict=True)
        if "/usb" in str(place):
            return True
        for one in (place, place.parent):
            with contextlib.suppress(OSError):
                if (one / "removable").read_text().strip() == "1":
                    return True
    return False


def _plain(word: str) -> str:
    return OCTAL.sub(lambda found: chr(int(found[1], 8)), word)


def _lines(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(errors="replace").splitlines())
    except OSError:
        return ()


def _model() -> str:
    try:
        return MODEL.read_text(errors="replace").strip("\0 \n")
    except OSError:
        return ""
