"""The program in a real terminal: a pseudo-terminal with an emulator behind it, or a virtual console of the kernel.

Used by tests marked `real_process`. Starts the command a person would and looks at what stands on the screen.
"""

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pyte

COMMAND = (sys.executable, "-m", "archipel_contract.launcher", "tui")
PATIENCE = 15.0  # seconds; a machine of two cores under load is slow


class OnTerminal:
    """One run of the program on a pseudo-terminal."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, size: tuple[int, int]) -> None:
        self.process = process
        self.master = master
        self.sent = b""  # all bytes the program sent
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.hung_up = False

    def read(self, seconds: float) -> bytes:
        """Return what comes within so many seconds of silence or until the program ends."""
        got = b""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self.master], [], [], left)
            if not ready:
                break
            try:
                data = os.read(self.master, 65_536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            got += data
            self._stream.feed(data)
        self.sent += got
        return got

    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self.screen.display)

    def until(self, wanted: str) -> str:
        """Wait for these words on the screen."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if wanted in self.text():
                return self.text()
            self.read(0.05)
            if self.process.poll() is not None and wanted not in self.text():
                break
        raise AssertionError(f"{wanted!r} is not on the screen (exit {self.process.poll()}):\n{self.text()}")

    def type(self, keys: str | bytes) -> None:
        """Type keys."""
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def end(self) -> int:
        """Wait for the end of the program and return its exit code."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        assert self.process.poll() is not None, f"the program does not end:\n{self.text()}"
        self.read(0.2)
        return self.process.returncode

    def hang_up(self) -> None:
        """Close the line, as a cable that is pulled does."""
        self.hung_up = True
        os.close(self.master)

    def memory(self) -> int:
        """Resident set size in bytes, as the kernel counts it."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def run(
    *arguments: str, term: str = "xterm-256color", size: tuple[int, int] = (80, 24), **environment: str
) -> Iterator[OnTerminal]:
    """Start `archipel tui ARGUMENTS` on a pseudo-terminal of this size and kind; end it afterwards."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    shown = size if all(size) else (80, 24)
    attributes = termios.tcgetattr(slave)
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=kept | {"TERM": term, "LANG": "C.UTF-8"} | environment,
        start_new_session=True,
    )
    session = OnTerminal(process, master, shown)
    try:
        yield session
        if process.poll() is not None and not session.hung_up:
            # Whatever happened, a person must find the terminal as it was.
            assert termios.tcgetattr(slave) == attributes
    finally:
        stop(process)
        os.close(slave)
        if not session.hung_up:
            os.close(master)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the program if it still runs."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(10)
