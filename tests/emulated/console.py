"""The serial console at which the technician sits: a shell of root on the machine's second serial port.

Used by `machine.py`. Commands go in as typed lines and come back framed, so that what a program prints cannot be taken
for the end of it.
"""

import base64
import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from tests.emulated.monitor import connected
from tests.hosts.shell import Completed, NotInTime

KNOCK_SECONDS = 10.0
LONGEST = 4000  # a terminal takes lines of 4095 characters (N_TTY_BUF_SIZE)
_RUN = "( {command} ) >/run/said 2>/run/warned </dev/null; "
_FRAME = 'echo "{mark}":$?:$(base64 -w0 /run/said):$(base64 -w0 /run/warned):'


class Console:
    """One connection; what is typed while nobody reads it is lost, so it is asked until it answers."""

    def __init__(self, path: Path) -> None:
        self._line = connected(path)
        self._line.settimeout(0.5)
        self._said = b""
        self._number = 0

    def _read(self) -> None:
        try:
            piece = self._line.recv(65536)
        except TimeoutError:
            return
        if not piece:
            raise ConnectionError("the machine is off")
        self._said += piece.replace(b"\r", b"")

    def await_shell(self, seconds: float) -> None:
        """Wait until a shell answers, and have it be quiet; `TimeoutError` otherwise."""
        deadline, patience = time.monotonic() + seconds, time.monotonic() + KNOCK_SECONDS
        while b"=there=" not in self._said:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"nobody answers at the console:\n{self._said[-2000:].decode(errors='replace')}"
                )
            self._read()
            # Halves, lest its echo be taken for its answer. Not before the prompt: what comes earlier, login throws away.
            if self._said.rstrip().endswith(b"#"):
                self._line.sendall(b"exec sh\nPS1=; stty -echo; echo =the''re=\n")
                self._said = b""
                self._await_silence()
            elif time.monotonic() > patience:
                # Its prompt may have come before somebody sat here. What nobody reads yet queues up, so not too often.
                self._line.sendall(b"\n")
                patience = time.monotonic() + KNOCK_SECONDS

    def _await_silence(self) -> None:
        """Read until nothing more comes: one prompt for each line that had queued up."""
        before = -1
        while len(self._said) != before:
            before = len(self._said)
            self._read()

    def run(self, argv: Sequence[str], timeout: float) -> Completed:
        """Type a command and wait for its end; `NotInTime` where there is none."""
        self._number += 1
        mark = f"done-{self._number}"
        words = _RUN.format(command=shlex.join(argv)) + _FRAME.format(mark=mark)
        assert len(words) < LONGEST, f"too long for a terminal: {words[:200]}"
        self._said = b""
        self._line.sendall(words.encode() + b"\n")
        frame = re.compile(rb"^%s:(\d+):([^:]*):([^:]*):$" % mark.encode(), re.MULTILINE)
        deadline = time.monotonic() + timeout
        while (found := frame.search(self._said)) is None:
            if time.monotonic() > deadline:
                raise NotInTime(argv, timeout, self._said[-2000:].decode(errors="replace"))
            self._read()
        out, err = (base64.b64decode(found[one]).decode(errors="replace") for one in (2, 3))
        return Completed(tuple(argv), int(found[1]), out, err)

    def close(self) -> None:
        """Get up from it."""
        self._line.close()
