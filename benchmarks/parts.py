"""The parts around an agent with a link: a real controller, and starting, awaiting, connecting and ending processes.

Used by the modules of this package.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.brokers.servers import free_port

START_SECONDS = 60.0


@contextlib.contextmanager
def controller(directory: Path, port: int) -> Iterator[None]:
    """Run the real controller over a broker on this port, with its data in `directory`."""
    ready = directory / "ready"
    words = ["fleet", "serve", "--broker", f"mqtt://127.0.0.1:{port}", "--listen", f"127.0.0.1:{free_port()}"]
    argv = [archipel(), *words, "--data", str(directory / "fleet"), "--ready-file", str(ready)]
    with (directory / "controller.out").open("ab") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        until(ready.exists, "controller", directory)
        yield
    finally:
        end(process)


def until(holds: Callable[[], bool], what: str, directory: Path) -> None:
    """Wait for real parts, which tell nobody when they are ready; raise RuntimeError."""
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            said = [path.read_text(errors="replace")[-300:] for path in directory.glob("*.out")]
            raise RuntimeError(f"no {what} after {START_SECONDS:.0f} s: {said}")
        time.sleep(0.1)


def archipel() -> str:
    return str(Path(sys.executable).with_name("archipel"))


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, if it still runs, and wait for it."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(15)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy until one side ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
