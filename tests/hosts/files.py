"""Files of a host: bringing, fetching, and a disk that is full.

Mixed into `host.Host`. Files travel through the host's own programs, so that they land where the host itself would
find them.
"""

import contextlib
import os
import tarfile
import tempfile
from pathlib import Path

from tests.hosts import shell
from tests.hosts.whole import Whole

_FILLER = "/var/lib/testground-filler"


class Files(Whole):
    """The half of a host that deals with files."""

    def put(self, local: Path | bytes, remote: str, mode: int = 0o644) -> None:
        """Bring a file (or these bytes, or a directory with all below it) into the host, owned by root."""
        if isinstance(local, Path) and local.is_dir():
            with tempfile.TemporaryFile() as packed:
                with tarfile.open(fileobj=packed, mode="w") as tar:
                    tar.add(local, arcname=".")
                packed.flush()
                script = 'mkdir -p "$0" && exec tar -x --no-same-owner -C "$0"'
                self.run(
                    ["sh", "-c", script, remote], stdin=Path(f"/proc/self/fd/{packed.fileno()}"), timeout=300
                ).ok()
            return
        script = 'mkdir -p "$(dirname "$0")" && cat >"$0" && chmod "$1" "$0"'
        self.run(["sh", "-c", script, remote, f"{mode:o}"], stdin=local, timeout=300).ok()

    def get(self, remote: str) -> bytes:
        """The content of a file of the host; `FileNotFoundError` where there is none."""
        with tempfile.TemporaryDirectory(dir=self.ground.directory) as place:
            target = Path(place) / "file"
            done = shell.spawn(self.command(["cat", "--", remote]), output=target)
            if done.wait(120) != 0:
                raise FileNotFoundError(f"{self.name}:{remote}: {target.read_text(errors='replace').strip()}")
            return target.read_bytes()

    def outside(self, path: str) -> Path:
        """A path of the running host as this machine reaches it, for sockets; links on the way must not be
        absolute."""
        return Path(f"/proc/{self.leader}/root") / path.lstrip("/")

    def fill_disk(self, leave_bytes: int = 0) -> None:
        """Take all space of the host's disk but `leave_bytes`; `empty_disk` gives it back."""
        free = os.statvfs(self.ground.root)
        size = free.f_bavail * free.f_frsize - leave_bytes
        filler = self._filler()
        filler.parent.mkdir(parents=True, exist_ok=True)
        if size > 0:
            # A running host takes space meanwhile: where it does not fit, what did fit stays allocated.
            shell.run(["fallocate", "-l", str(size), str(filler)])
        for _ in range(64):  # fallocate needs blocks for its own map, and leaves a rest
            free = os.statvfs(self.ground.root)
            rest = free.f_bavail * free.f_frsize - leave_bytes
            if rest < free.f_frsize:
                return
            with open(filler, "ab") as file, contextlib.suppress(OSError):
                file.write(b"\0" * min(rest, 1 << 20))

    def empty_disk(self) -> None:
        """Give the space back that `fill_disk` took."""
        self._filler().unlink(missing_ok=True)

    def _filler(self) -> Path:
        return self.ground.root / _FILLER.lstrip("/")
