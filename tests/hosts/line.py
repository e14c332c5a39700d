"""A line from inside a host to a port of this machine: the host's loopback port leads to ours, like a cable that can be cut.

Links refuse brokers off loopback, and a host has a loopback of its own; so a small process listens in the host's network
namespace and connects in this machine's. Used by the demo and by tests of the link:

    line = Line(host.leader, inside=1883, outside=broker.port)
    line.cut()      # connections end, new ones are refused
    line.heal()
    line.close()

`python -m tests.hosts.line PID INSIDE OUTSIDE` is that process; it says `ready` and runs until it is killed.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

from tests.hosts import shell

CLONE_NEWNET = 0x40000000  # linux/sched.h
START_SECONDS = 10.0
CHUNK = 64 << 10


class Line:
    """A line that stands from its making until `cut` or `close`."""

    def __init__(self, leader: int, inside: int, outside: int) -> None:
        """`leader` is a process of the host; raises CommandFailed when the port inside is taken."""
        self._argv = [sys.executable, "-m", "tests.hosts.line", str(leader), str(inside), str(outside)]
        self._directory = tempfile.TemporaryDirectory(prefix="archipel-line-")
        self._process: shell.Spawned | None = None
        try:
            self.heal()
        except BaseException:
            self.close()
            raise

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        if self._process is not None:
            self._process.stop(grace=0.0)
            self._process = None

    def heal(self) -> None:
        """Let connections through again."""
        if self._process is not None:
            return
        log = Path(self._directory.name) / "line.log"
        log.write_bytes(b"")
        self._process = shell.spawn(self._argv, output=log)
        deadline = time.monotonic() + START_SECONDS
        while "ready" not in self._process.output():
            if self._process.rc is not None or time.monotonic() > deadline:
                raise shell.CommandFailed(f"the line does not stand: {self._process.output()[-1000:]}")
            time.sleep(0.01)

    def close(self) -> None:
        """Take the line away."""
        self.cut()
        self._directory.cleanup()


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
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _serve(inside: socket.socket, outside: int) -> None:
    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", outside)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))

    server = await asyncio.start_server(joined, sock=inside)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(listening_inside(int(sys.argv[1]), int(sys.argv[2])), int(sys.argv[3])))
