"""A stick: an image with a real FAT or exFAT, made by the stock tools and served by a driver in user space.

The kernel of a machine that runs tests seldom has a driver for FAT, and a directory has none of its limits. Differs from
the kernel's driver in this: FAT tells capitals from small letters, does not tell its room, and says EPERM when it is full.
"""

import contextlib
import os
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

MEGABYTE = 1 << 20
SIZES = {"fat16": 24 * MEGABYTE, "fat32": 40 * MEGABYTE, "exfat": 24 * MEGABYTE}
TOOLS = {
    "fat16": ("fusefat", "mkfs.vfat", "fsck.vfat", "mcopy"),
    "fat32": ("fusefat", "mkfs.vfat", "fsck.vfat", "mcopy"),
    "exfat": ("mount.exfat-fuse", "mkfs.exfat", "fsck.exfat", "losetup"),
}
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
PATIENCE = 10.0
DRIVERS_PATIENCE = 3.0


@cache
def missing(kind: str) -> str | None:
    """Why no stick of this kind can be made here, None where one can."""
    if os.geteuid() != 0:
        return "not root: a stick is mounted"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "no /dev/fuse: file systems cannot be served by a program here"
    absent = [tool for tool in TOOLS[kind] if shutil.which(tool, path=PATH) is None]
    if absent:
        return f"missing on PATH: {', '.join(absent)}"
    if kind == "exfat" and not Path("/dev/loop-control").exists():
        return "no loop devices: the driver of exFAT wants a device"
    return None


class Stick:
    """One stick. It is out until `plug`."""

    def __init__(self, kind: str, image: Path, place: Path) -> None:
        """Format `image`; the stick will be mounted at `place`."""
        self.kind, self.image, self.place = kind, image, place
        self._driver: subprocess.Popen[bytes] | None = None
        self._device = ""
        with image.open("wb") as file:
            file.truncate(SIZES[kind])
        if kind == "exfat":
            self.run("mkfs.exfat", str(image))
        else:
            self.run("mkfs.vfat", "-F", kind.removeprefix("fat"), "-s", "1", str(image))

    def plug(self, read_only: bool = False) -> None:
        """Plug it in."""
        self.place.mkdir(parents=True, exist_ok=True)
        if self.kind == "exfat":
            self._device = self.run("losetup", "--find", "--show", str(self.image)).strip()
            # `-d`: stay in the foreground, as our child.
            argv = ["mount.exfat-fuse", "-d", *(["-o", "ro"] if read_only else []), self._device]
            argv.append(str(self.place))
        else:
            # `rw+`: write, and do not ask whether that is wise. `-s`: with threads it does not always find its end.
            argv = [
                "fusefat",
                "-f",
                "-s",
                str(self.image),
                str(self.place),
                "-o",
                "ro" if read_only else "rw+",
            ]
        self._driver = subprocess.Popen(
            argv, env={**os.environ, "PATH": PATH}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while not self.is_in:
            assert time.monotonic() < deadline, f"{self.place} was not mounted"
            time.sleep(0.01)

    @property
    def is_in(self) -> bool:
        """Whether it is mounted."""
        return any(line.split()[4] == str(self.place) for line in _mounts())

    def pull(self) -> None:
        """Pull it. FAT: its driver dies, stays mounted, and whatever is asked of it fails. exFAT: it is unmounted at once,
        as automounters do; what is open goes on, and the directory is the machine's own.
        """
        if self.kind == "exfat":
            self.run("umount", "--lazy", str(self.place))
        elif self._driver is not None:
            self._driver.kill()
            self._driver.wait(PATIENCE)

    def eject(self) -> None:
        """Take it out in order, or clear away what pulling left."""
        while self.is_in:
            lazily = ["--lazy"] if self._driver is not None and self._driver.poll() is not None else []
            self.run("umount", *lazily, str(self.place))
        if self._driver is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._driver.wait(DRIVERS_PATIENCE)
            self._driver.kill()  # once in a while that of FAT has written everything and does not find its end
            self._driver.wait(PATIENCE)
            self._driver = None
        if self._device:
            self.run("losetup", "--detach", self._device)
            self._device = ""

    def check(self, repairs: bool = False) -> None:
        """Have the stock tool look at it while it is out; it must be whole, or become so."""
        tool = "fsck.exfat" if self.kind == "exfat" else "fsck.vfat"
        argv = [tool, "-y" if self.kind == "exfat" else "-a"] if repairs else [tool, "-n"]
        done = self._run(*argv, str(self.image))
        # A driver that had to be killed after everything was written leaves the dirty mark, and nothing else to be told.
        only_dirty = b"Dirty bit" in done.stdout and done.stdout.count(b"\n") <= 6
        assert done.returncode == 0 or (done.returncode == 1 and (repairs or only_dirty)), done.stdout

    def lay(self, name: str, data: bytes) -> None:
        """Put a file onto it at another machine, by a program that is not the driver."""
        self._run("mcopy", "-o", "-i", str(self.image), "-", f"::{name}", stdin=data).check_returncode()

    def at(self, name: str) -> bytes:
        """Read a file at another machine."""
        done = self._run("mtype", "-i", str(self.image), f"::{name}")
        done.check_returncode()
        return done.stdout

    def run(self, *argv: str) -> str:
        """Run a tool that must succeed."""
        done = self._run(*argv)
        assert done.returncode == 0, f"{argv}: {done.stdout!r}"
        return done.stdout.decode()

    def _run(self, *argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            argv,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # The driver leaves the first bytes of a FAT16 other than mtools wants to see them; fsck.vfat takes them.
            env={**os.environ, "PATH": PATH, "MTOOLS_SKIP_CHECK": "1"},
            timeout=PATIENCE,
            check=False,
        )


def _mounts() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()
