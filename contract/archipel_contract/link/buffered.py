"""A non-blocking socket with a buffer on each side, for an MQTT library that reads a byte at a time.

`mqtt` puts it under paho, which would otherwise need four system calls to read a message and one for each acknowledgement.
It also remembers what paho does not tell: when bytes last came and went, and how the other side's first word began.
"""

import contextlib
import socket
import time
from collections.abc import Callable

READ_SIZE = 256 << 10
PACKET_LIMIT = 1 << 20  # bytes of one incoming packet; all brokers of ours are set up to let far less through
FAREWELL_SECONDS = (
    1.0  # how long an orderly end may take: the last bytes out, and the other side's end of file
)


class PacketTooLarge(OSError):
    """The other side announces a packet that nobody sends for our good; reading it would fill our memory."""


class BufferedSocket:
    """What paho calls a socket: recv, send, close, fileno, setblocking; times are seconds of the monotonic clock."""

    def __init__(self, connected: socket.socket, closing: Callable[["BufferedSocket"], None]) -> None:
        """Take over a connected socket; `closing` is called once, while the descriptor is still open."""
        self._socket = connected
        self._closing: Callable[[BufferedSocket], None] | None = closing
        self._incoming = b""
        self._position = 0
        self._outgoing = bytearray()
        self.accepted = 0  # bytes taken by `send` in all
        self.first = b""  # how the other side's first bytes began
        self.trouble = ""  # why we refused to read on
        self.orderly = False  # whether `close` sees to it that the last bytes arrive
        self.last_in = self.last_out = time.monotonic()

    @property
    def readable(self) -> int:
        """Bytes that were received and not yet taken."""
        return len(self._incoming) - self._position

    @property
    def waiting(self) -> int:
        """Bytes that were handed over and have not left."""
        return len(self._outgoing)

    @property
    def left(self) -> int:
        """Bytes that have left in all, counted like `accepted`."""
        return self.accepted - len(self._outgoing)

    def recv(self, buffer_size: int) -> bytes:
        """Return up to `buffer_size` bytes, b"" at the end; raise BlockingIOError when there are none yet.

        paho asks for the rest of the packet it is reading, so a great number is a great packet.
        """
        if buffer_size > PACKET_LIMIT:
            self.trouble = f"it sends a packet of {buffer_size} bytes, more than {PACKET_LIMIT}"
            raise PacketTooLarge(self.trouble)
        if not self.readable:
            self._incoming, self._position = self._socket.recv(READ_SIZE), 0
            if not self._incoming:
                return b""
            self.last_in = time.monotonic()
            self.first = self.first or self._incoming[:64]
        start = self._position
        self._position = min(start + buffer_size, len(self._incoming))
        return self._incoming[start : self._position]

    def send(self, buffer: bytes | bytearray) -> int:
        """Take all of `buffer`; `flush` lets it go."""
        self._outgoing += buffer
        self.accepted += len(buffer)
        return len(buffer)

    def flush(self) -> None:
        """Let go what the kernel takes now; raises OSError when the connection is broken."""
        with contextlib.suppress(BlockingIOError):
            while self._outgoing:
                gone = self._socket.send(self._outgoing)
                del self._outgoing[:gone]
                self.last_out = time.monotonic()

    def close(self) -> None:
        """End the connection; `orderly`, what was handed over is delivered first, for FAREWELL_SECONDS at most."""
        if self._closing is None:
            return
        closing, self._closing = self._closing, None
        try:
            closing(self)
            if self.orderly:
                with contextlib.suppress(OSError):
                    self._bid_farewell()
        finally:
            self._socket.close()

    def _bid_farewell(self) -> None:
        # Closing while unread bytes lie in the kernel resets the connection, and a reset overtakes the last message.
        self._socket.settimeout(FAREWELL_SECONDS)
        self._socket.sendall(self._outgoing)
        self._socket.shutdown(socket.SHUT_WR)
        until = time.monotonic() + FAREWELL_SECONDS
        while time.monotonic() < until and self._socket.recv(READ_SIZE):
            pass

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        """Make the socket wait or not; paho asks for not waiting."""
        self._socket.setblocking(flag)
