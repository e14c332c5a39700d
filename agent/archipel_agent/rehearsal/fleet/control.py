"""The door for those who steer a running rehearsal: a Unix socket in its directory, one JSON line each way.

A request is `{"verb": "make" | "heal" | "show" | "stop", "what", "where", "seconds", "to"}`; the answer has `ok` and what
came of it, or `problem` with what is wrong.
"""

import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any

from archipel_agent.host.disk import SystemDisk, hand_over

NAME = "control.sock"
MODE = 0o600
LIMIT = 64 << 10  # bytes of a request
PATIENCE = 10.0  # seconds for either side to say its line
LONGEST_PATH = 100  # bytes; the kernel's sockaddr_un has 108 with the zero byte


class ControlFailed(Exception):
    """The rehearsal cannot be spoken to, or refused; the message says why."""


class Door:
    """The stage's side."""

    def __init__(self, root: Path) -> None:
        """Open the socket below `root`; raise ControlFailed, OSError."""
        self._path = root / NAME
        if len(os.fsencode(self._path)) > LONGEST_PATH:
            raise ControlFailed(f"{self._path} is too long for a socket; choose a shorter --root")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            SystemDisk().remove(self._path)
            self._socket.bind(str(self._path))
            hand_over(self._path, MODE, None)
            self._socket.listen(8)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def admit(self) -> "Visitor":
        """Return who is at the door."""
        visitor, _ = self._socket.accept()
        visitor.settimeout(PATIENCE)
        return Visitor(visitor)

    def close(self) -> None:
        """Close it."""
        self._socket.close()
        SystemDisk().remove(self._path)


class Visitor:
    """One request and its answer."""

    def __init__(self, connected: socket.socket) -> None:
        """Talk over `connected`, which has a timeout."""
        self._socket = connected

    def request(self) -> dict[str, Any]:
        """Return what is asked; raise ControlFailed."""
        try:
            raw = json.loads(_line(self._socket))
        except (OSError, ValueError) as error:
            raise ControlFailed(f"this is no request: {error}") from error
        if not isinstance(raw, dict):
            raise ControlFailed("a request is a JSON object")
        return raw

    def answer(self, **what: Any) -> None:
        """Say it and part; one that does not listen any more has it so."""
        with self._socket, contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(what).encode() + b"\n")


def ask(root: Path, **request: Any) -> dict[str, Any]:
    """Return the answer of the rehearsal below `root`; raise ControlFailed."""
    place = root / NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
            talk.settimeout(PATIENCE)
            talk.connect(str(place))
            talk.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(_line(talk, 64 << 20))
    except (OSError, ValueError) as error:
        raise ControlFailed(f"no rehearsal answers at {place}: {error}") from error
    if not answer.get("ok"):
        raise ControlFailed(str(answer.get("problem", "refused")))
    return answer


def _line(talk: socket.socket, limit: int = LIMIT) -> bytes:
    said = b""
    while not said.endswith(b"\n"):
        more = talk.recv(1 << 16)
        if not more or len(said) > limit:
            raise ValueError("it ended in the middle of a line" if not more else "it is too long")
        said += more
    return said
