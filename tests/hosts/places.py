"""Where the test ground keeps its files, and the names by which it knows its own things again.

Used by every module of `tests.hosts`. Everything it makes lies under one cache directory and carries
`MARK`, so that cleaning can remove what is ours and nothing else.
"""

import fcntl
import os
import re
import sys
from pathlib import Path

MARK = "archipel-hosts"
CHECKOUT = Path(__file__).resolve().parents[2]
INIT = Path(__file__).resolve().with_name("init.py")
GUEST = Path(__file__).resolve().with_name("guest")
# nspawn names the host's end of the cable "vb-<machine>", and an interface name has at most 15 characters.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,10}")


def cache() -> Path:
    """The cache directory of the test ground, made where it is missing (mode 0700)."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(base) / "archipel" / "hosts"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def runs() -> Path:
    """The directory with one directory for each host that is up."""
    path = cache() / "run"
    path.mkdir(exist_ok=True)
    return path


def checked_name(name: str) -> str:
    """The name itself; `ValueError` where it cannot be a hostname and part of an interface name at once."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"host name {name!r}: lower-case letter first, then letters, digits and '-', at most 11 in all"
        )
    return name


def interpreter() -> str:
    """The Python that runs `init.py`: the real file behind a virtual environment's link."""
    return os.path.realpath(sys.executable)


class Lock:
    """A file lock that the kernel releases with the process: who can take it knows that the owner is gone."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)

    def take(self, *, wait: bool = False) -> bool:
        """True once the lock is ours; False where another holds it and `wait` is off."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let go."""
        os.close(self._fd)
