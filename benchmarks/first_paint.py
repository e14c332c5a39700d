"""How soon the technician's screen shows how this machine does."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time

import pyte

from benchmarks.figure import Figure
from benchmarks.ground import NAME, Ground, guest_python

RUNS = 10
SIZE = (80, 24)  # columns and rows
PATIENCE_SECONDS = 20.0
WANTED = ("State", f"{NAME}, server, Ready", "PODS")  # the home screen with all its content


def measure(ground: Ground) -> Figure:
    """Start the screen several times on a terminal of the host with a site; raise Skipped."""
    host = ground.site()
    # A terminal of the host itself, which `script` makes there.
    argv = host.command(["script", "--quiet", "--return", "--command", "exec archipel tui", "/dev/null"])
    once(argv)  # the first run reads everything from the disk
    runs = [once(argv) for _ in range(RUNS)]
    return Figure(
        name="first-paint",
        title="`archipel tui`: first full picture of the home screen",
        unit="s",
        values=tuple(full for _, full in runs),
        bound=0.8,
        method=(
            f"a terminal of {SIZE[0]}x{SIZE[1]} in a booted Debian host ({guest_python(host)}) beside a living agent and a "
            f"running k3s; from the start of the command until an emulator shows state, node and pods, {RUNS} "
            "runs after one that is not counted."
        ),
        details=(f"first byte on the terminal after {min(first for first, _ in runs):.3f} s at best",),
    )


def once(argv: list[str]) -> tuple[float, float]:
    """Return the seconds until the first byte and until the full picture; raise TimeoutError with what was on the screen."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    began = time.monotonic()
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    try:
        return _watch(master, began)
    finally:
        os.write(master, b"q")
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(master)


def _watch(master: int, began: float) -> tuple[float, float]:
    screen = pyte.Screen(*SIZE)
    stream = pyte.ByteStream(screen)
    first = 0.0
    while time.monotonic() - began < PATIENCE_SECONDS:
        if not select.select([master], [], [], 0.5)[0]:
            continue
        try:
            data = os.read(master, 65_536)
        except OSError:  # the other end is closed: the program has ended
            break
        came = time.monotonic() - began
        first = first or came
        stream.feed(data)
        text = "\n".join(screen.display)
        if all(word in text for word in WANTED):
            return first, came
    raise TimeoutError("the home screen did not come; there was:\n" + "\n".join(screen.display).rstrip())
