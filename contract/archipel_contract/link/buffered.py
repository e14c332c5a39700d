"""A non-blocking channel with a buffer on each side, for an MQTT library that reads a byte at a time.

`mqtt` puts it under paho, which would otherwise need four system calls to read a message and one for each acknowledgement.
It also remembers what paho does not tell: when bytes last came and went, and how the other side's first word began.
"""

import contextlib
import time
from collections.abc import Callable

from archipel_contract.link.channel import Channel, ChannelBroken

READ_SIZE = 256 << 10
PACKET_LIMIT = 1 << 20  # bytes of one incoming packet; all brokers of ours are set up to let far less through
FAREWELL_SECONDS = (
    1.0  # how long an orderly end may take: the last bytes out, and the other side's end of file
)


class PacketTooLarge(OSError):
    """The other side announces a packet that nobody sends for our good; reading it would fill our memory."""


class BufferedSocket:
    """What paho calls a socket: recv, send, close, fileno, setblocking; times are seconds of the monotonic clock."""

    def __init__(self, channel: Channel, closing: Callable[["BufferedSocket"], None]) -> None:
        """Take over a channel; `closing` is called once, while the descriptor is still open."""
        self._channel = channel
        self._closing: Callable[[BufferedSocket], None] | None = closing
        self._incoming = b""
        self._position = 0
        self._outgoing = bytearray()
        self.accepted = 0  # bytes taken by `send` in all
        self.first = b""  # how the other side's first bytes began
        self.trouble: tuple[str, str] | None = None  # why it cannot be read on: a code and what happened
        self.orderly = False  # whether `close` sees to it that the last bytes arrive
        self.last_in = self.last_out = time.monotonic()

    @property
    def readable(self) -> int:
        """Bytes that were received and not yet taken; a selector does not know of them."""
        return len(self._incoming) - self._position + self._channel.hidden

    @property
    def waiting(self) -> int:
        """Bytes that were handed over and have not left."""
        return len(self._outgoing) + self._channel.waiting

    @property
    def writable_wanted(self) -> bool:
        """Whether `flush` is worth a call as soon as the kernel takes more."""
        return self.waiting > 0 and not self._channel.awaits_input

    @property
    def left(self) -> int:
        """Bytes that have left in all, counted like `accepted`."""
        return self.accepted - self.waiting

    def recv(self, buffer_size: int) -> bytes:
        """Return up to `buffer_size` bytes, b"" at the end; raise BlockingIOError when there are none yet.

        paho asks for the rest of the packet it is reading, so a great number is a great packet.
        """
        if buffer_size > PACKET_LIMIT:
            said = f"it sends a packet of {buffer_size} bytes, more than {PACKET_LIMIT}"
            self.trouble = ("link-broker-wrong", said)
            raise PacketTooLarge(said)
        if self._position == len(self._incoming):
            try:
                self._incoming, self._position = self._channel.recv(READ_SIZE), 0
            except ChannelBroken as broken:
                self.trouble = (broken.code, broken.detail)
                raise
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
            while self.waiting:
                gone = self._channel.send(self._outgoing)
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
            self._channel.close()

    def _bid_farewell(self) -> None:
        # Closing while unread bytes lie in the kernel resets the connection, and a reset overtakes the last message.
        self._channel.finish(self._outgoing, FAREWELL_SECONDS)
        until = time.monotonic() + FAREWELL_SECONDS
        while time.monotonic() < until and self._channel.drain(READ_SIZE):
            pass

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._channel.fileno()

    def setblocking(self, flag: bool) -> None:
        """Make the socket wait or not; paho asks for not waiting."""
        self._channel.setblocking(flag)
