"""The socket's place in the file system: made safely, and removed only when it is ours or nobody answers there.

Called by the server in a worker thread, at its start and end. Who may be the agent at all is decided before, by the lock.
"""

import errno
import os
import socket
import stat
from pathlib import Path

from archipel_agent.host.disk import SystemDisk, hand_over

MODE = 0o660
BACKLOG = 64
PROBE_SECONDS = 1.0
LONGEST_PATH = 107  # unix(7): sun_path holds 108 bytes with its final zero


class SocketUnavailable(Exception):
    """The socket cannot be made; the message says why and what to do."""


def bind(path: Path, group: int | None) -> socket.socket:
    """Return a listening socket at `path`, open to its owner and `group`; a stale one is replaced.

    Raises SocketUnavailable when somebody answers there, when the path is taken by something else or too long, or when
    the system refuses.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise SocketUnavailable(f"{path} is longer than the {LONGEST_PATH} bytes a socket's path may have")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        SystemDisk().make_directory(path.parent, None)
        _clear(path)
        listening.bind(str(path))
        # Nobody can connect before listen, so there is no moment with the wrong rights.
        hand_over(path, MODE, group)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise SocketUnavailable(f"the socket {path} cannot be made: {error.strerror or error}") from error
    except SocketUnavailable:
        listening.close()
        raise
    return listening


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this file from another one at the same path; None if there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def remove(path: Path, ours: tuple[int, int] | None) -> None:
    """Remove the socket if it is still the one we made."""
    if ours is not None and identity(path) == ours:
        SystemDisk().remove(path)


def _clear(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketUnavailable(f"{path} is not a socket; move it away")
    if _somebody_answers(path):
        raise SocketUnavailable(f"another agent answers on {path}; stop it first")
    SystemDisk().remove(path)


def _somebody_answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except OSError as error:
            # Only these two say for certain that no process listens there.
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
    return True
