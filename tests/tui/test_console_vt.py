"""The program on a true virtual console of the kernel, read back cell by cell.

Needs a machine with virtual consoles and the right to use them; elsewhere skipped with the reason.
"""

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.agent_server import FakeAgent
from tests.tui.on_terminal import COMMAND, PATIENCE, stop

NUMBER = 57  # far from those that carry a login
CONSOLE = Path(f"/dev/tty{NUMBER}")
KDGKBTYPE, GIO_UNIMAP = 0x4B33, 0x4B66


def _why_not() -> str:
    if not Path("/dev/tty0").exists():
        return "this machine has no virtual consoles"
    if os.geteuid() != 0:
        return "only root may use a virtual console that is not its own"
    try:
        with CONSOLE.open("rb+", buffering=0) as console:
            fcntl.ioctl(console, KDGKBTYPE, bytearray(1))
    except OSError as error:
        return f"{CONSOLE} cannot be used: {error.strerror}"
    return ""


REASON = _why_not()
pytestmark = [
    pytest.mark.real_process,
    pytest.mark.timeout(60),
    pytest.mark.skipif(bool(REASON), reason=REASON or "none"),
]


class Vt:
    """A virtual console: its cells as the kernel has them, and keys as if typed."""

    def __init__(self, descriptor: int, cells: Path) -> None:
        self.descriptor = descriptor
        self._cells = cells
        rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8)))
        self.columns, self.rows = columns, rows

    def text(self) -> str:
        """What stands on the screen, as characters."""
        raw = self._cells.read_bytes()
        characters = raw.decode("utf-32-le", errors="replace")
        rows = [characters[start : start + self.columns] for start in range(0, len(characters), self.columns)]
        return "\n".join(rows)

    def until(self, wanted: str) -> str:
        """Wait for these words."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if wanted in self.text():
                return self.text()
            time.sleep(0.05)
        raise AssertionError(f"{wanted!r} is not on the console:\n{self.text()}")

    def type(self, keys: bytes) -> None:
        """Put keys into the console's input, as a keyboard would."""
        for key in keys:
            fcntl.ioctl(self.descriptor, termios.TIOCSTI, bytes([key]))


@pytest.fixture
def vt(tmp_path: Path) -> Iterator[Vt]:
    """A console of our own, cleared before and after."""
    cells = tmp_path / "vcsu"
    os.mknod(cells, 0o600 | 0o020000, os.makedev(7, 64 + NUMBER))
    descriptor = os.open(CONSOLE, os.O_RDWR | os.O_NOCTTY)
    before = termios.tcgetattr(descriptor)
    os.write(descriptor, b"\x1bc")
    try:
        yield Vt(descriptor, cells)
    finally:
        os.close(descriptor)
        # The end of a session hangs its terminal up, so that only a new opening can use it.
        again = os.open(CONSOLE, os.O_RDWR | os.O_NOCTTY)
        termios.tcsetattr(again, termios.TCSANOW, before)
        os.write(again, b"\x1bc")
        os.close(again)


@contextlib.contextmanager
def on_console(vt: Vt, agent: FakeAgent, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start the program with this console as its controlling terminal."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *COMMAND, "--socket", str(agent.path), *arguments],
        stdin=vt.descriptor,
        stdout=vt.descriptor,
        stderr=vt.descriptor,
        env=kept | {"TERM": "linux", "LANG": "C.UTF-8"},
    )
    try:
        yield process
    finally:
        stop(process)


def test_the_kernel_says_that_it_is_a_console_and_which_characters_its_font_has(vt: Vt) -> None:
    read = (
        "import os,sys; from archipel_tui.terminal import probe; p=probe();"
        "print(p.is_console, len(p.font or ()), 'A' in (p.font or ()), p.columns, p.rows, file=sys.stdout)"
    )
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [COMMAND[0], "-c", read],
        stdin=vt.descriptor,
        stderr=vt.descriptor,
        stdout=subprocess.PIPE,
        env=kept | {"LANG": "C.UTF-8"},
        check=True,
        text=True,
    )
    console, glyphs, letter, columns, rows = done.stdout.split()
    assert (console, letter) == ("True", "True")
    assert int(glyphs) >= 128
    assert (int(columns), int(rows)) == (vt.columns, vt.rows)


def test_every_cell_on_the_console_is_in_its_font_and_leaving_clears_it(vt: Vt, agent: FakeAgent) -> None:
    with on_console(vt, agent, "--lang", "de") as process:
        text = vt.until("+ Gesund")
        assert "\ufffd" not in text and "?" not in text.splitlines()[1]
        assert "Dieses Gerät" in text and "┌─" in text
        vt.type(b"2")
        vt.until("Das braucht Administratorrechte")
        vt.type(b"\x1b[[A")
        vt.until("Tasten, die überall gelten")
        vt.type(b"\xff\x9b")
        vt.type(b"q")
        assert process.wait(PATIENCE) == 0
        assert vt.text().strip() == ""
