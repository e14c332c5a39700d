"""A line from inside a host to a port of this machine: the host's loopback port leads to ours, like a cable that can be cut.

Links refuse brokers off loopback, and a host has a loopback of its own; so a small process listens in the host's network
namespace and connects in this machine's. Used by the demo and by tests of the link:

    line = Line(host.leader, inside=1883, outside=broker.port)
    line.cut()      # connections end, new ones are refused
    line.heal()
    line.close()

`python -m tests.hosts.line PID INSIDE OUTSIDE` is that process; SIGUSR1 cuts, SIGUSR2 heals, and it says what it did.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from tests.hosts import shell

CLONE_NEWNET = 0x40000000  # linux/sched.h
START_SECONDS = 10.0
CHUNK = 64 << 10
READY, CUT = "ready", "cut"


class Line:
    """A line that stands from its making until `cut` or `close`. One process serves it all the time."""

    def __init__(self, leader: int, inside: int, outside: int) -> None:
        """`leader` is a process of the host; raises CommandFailed when the port inside is taken."""
        argv = [sys.executable, "-m", "tests.hosts.line", str(leader), str(inside), str(outside)]
        self._directory = tempfile.TemporaryDirectory(prefix="archipel-line-")
        self._process = shell.spawn(argv, output=Path(self._directory.name) / "line.log")
        self._said = 0
        try:
            self._await(READY)
        except BaseException:
            self.close()
            raise

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        self._process.signal(signal.SIGUSR1)
        self._await(CUT)

    def heal(self) -> None:
        """Let connections through again."""
        self._process.signal(signal.SIGUSR2)
        self._await(READY)

    def close(self) -> None:
        """Take the line away."""
        self._process.stop(grace=0.0)
        self._directory.cleanup()

    def _await(self, word: str) -> None:
        """Wait for the next thing the process says, which must be `word`."""
        deadline = time.monotonic() + START_SECONDS
        while len(said := self._process.output().split()) <= self._said:
            if self._process.rc is not None or time.monotonic() > deadline:
                raise shell.CommandFailed(f"the line does not stand: {self._process.output()[-1000:]}")
            time.sleep(0.01)
        self._said += 1
        if said[self._said - 1] != word:
            raise shell.CommandFailed(f"the line said {' '.join(said)[-1000:]}")


def listening_inside(pid: int, port: int) -> socket.socket:
    """Return a socket that listens on the loopback of the network namespace of process `pid`; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def enter(namespace: int) -> None:
        if libc.setns(namespace, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    enter(there)
    try:
        return socket.create_server(("127.0.0.1", port), backlog=128)
    finally:
        enter(own)
        os.close(own)
        os.close(there)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


class _Far:
    """The process's side: a server that comes and goes by signals."""

    def __init__(self, pid: int, inside: int, outside: int) -> None:
        self._pid, self._inside, self._outside = pid, inside, outside
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def heal(self) -> None:
        if self._server is None:
            socket_ = listening_inside(self._pid, self._inside)
            self._server = await asyncio.start_server(self._joined, sock=socket_)
        print(READY, flush=True)

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()
        print(CUT, flush=True)

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._outside)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}


async def _serve(pid: int, inside: int, outside: int) -> None:
    far, orders = _Far(pid, inside, outside), asyncio.Queue[Callable[[], Coroutine[None, None, None]]]()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, orders.put_nowait, far.cut)
    loop.add_signal_handler(signal.SIGUSR2, orders.put_nowait, far.heal)
    await far.heal()
    while True:
        await (await orders.get())()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
