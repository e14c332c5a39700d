"""What a connection to a broker is made of: a channel that takes and gives bytes without waiting, over TCP or over TLS.

`reaching` makes them, `websocket` puts one more around them, `buffered` reads and writes them. A channel never waits once
`setblocking(False)` was called; what OpenSSL says of a broken connection comes out as a code of the catalogue.
"""

import socket
import ssl
from typing import Protocol

from archipel_contract.link import tls_trouble

RECORD = 16 << 10  # bytes; the largest record of TLS (RFC 8446, 5.1)


class ChannelBroken(OSError):
    """The connection ended for a reason worth a finding of its own: its code and what happened."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Channel(Protocol):
    """Bytes to and from a broker."""

    @property
    def hidden(self) -> int:
        """Bytes (at least) that came in and that no selector knows of."""
        ...

    @property
    def waiting(self) -> int:
        """Bytes that `send` took and that have not left."""
        ...

    @property
    def awaits_input(self) -> bool:
        """Whether `send` can go on only when something has come in."""
        ...

    def recv(self, buffer_size: int) -> bytes:
        """Return bytes, b"" at the end; raise BlockingIOError when there are none yet, ChannelBroken, OSError."""
        ...

    def send(self, data: bytes | bytearray) -> int:
        """Take some of `data`, return how much; with b"" only let go what waits. Raises BlockingIOError, ChannelBroken,
        OSError. What was refused must be offered again from its beginning."""
        ...

    def finish(self, data: bytes | bytearray, seconds: float) -> None:
        """Deliver the last bytes and end our direction, waiting at most so long; `drain` comes next. Raises OSError."""
        ...

    def drain(self, buffer_size: int) -> bytes:
        """Return what still comes after `finish`, undeciphered; b"" at its end. Raises OSError."""
        ...

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        ...

    def setblocking(self, flag: bool) -> None:
        """Make it wait or not."""
        ...

    def close(self) -> None:
        """Release the descriptor."""
        ...


class PlainChannel:
    """TCP as it is."""

    def __init__(self, connected: socket.socket) -> None:
        """Take over a connected socket."""
        self._socket = connected

    @property
    def hidden(self) -> int:
        """See Channel."""
        return 0

    @property
    def waiting(self) -> int:
        """See Channel."""
        return 0

    @property
    def awaits_input(self) -> bool:
        """See Channel."""
        return False

    def recv(self, buffer_size: int) -> bytes:
        """See Channel."""
        return self._socket.recv(buffer_size)

    def send(self, data: bytes | bytearray) -> int:
        """See Channel."""
        return self._socket.send(data) if data else 0

    def finish(self, data: bytes | bytearray, seconds: float) -> None:
        """See Channel."""
        self._socket.settimeout(seconds)
        self._socket.sendall(data)
        self._socket.shutdown(socket.SHUT_WR)

    def drain(self, buffer_size: int) -> bytes:
        """See Channel."""
        return self._socket.recv(buffer_size)

    def fileno(self) -> int:
        """See Channel."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        """See Channel."""
        self._socket.setblocking(flag)

    def close(self) -> None:
        """See Channel."""
        self._socket.close()


class TlsChannel(PlainChannel):
    """TLS whose handshake is done; what the broker says of our certificate still comes with the first read (TLS 1.3)."""

    def __init__(self, connected: ssl.SSLSocket) -> None:
        """Take over a connection."""
        super().__init__(connected)
        self._tls = connected
        self._blocked = False
        self._broken: OSError | None = None  # came behind bytes that were good

    @property
    def hidden(self) -> int:
        """Bytes of a record that were deciphered and not yet taken; an end that has to be told counts as one."""
        return self._tls.pending() or int(self._broken is not None)

    @property
    def awaits_input(self) -> bool:
        """Whether OpenSSL must read before it writes on (a handshake in between)."""
        return self._blocked

    def recv(self, buffer_size: int) -> bytes:
        """See Channel. All that is there, as TCP would: brokers put every message into a record of its own, and whoever
        took one of them at a time would hear a hundred in the time of a thousand.
        """
        if self._broken is not None:
            raise self._broken
        came = bytearray()
        while len(came) < buffer_size:
            try:
                record = self._record(buffer_size - len(came))
            except BlockingIOError:
                if not came:
                    raise
                break
            except OSError as error:
                if not came:
                    raise
                self._broken = error
                break
            if not record:
                break  # the next call finds the end again
            came += record
            if self._tls.gettimeout() != 0:
                break  # one that waits for its bytes must not wait for more than there are
        return bytes(came)

    def _record(self, limit: int) -> bytes:
        """Return what one record holds; raises as `recv`. An end without TLS' goodbye is an end: MQTT has a goodbye of its
        own."""
        try:
            came = self._tls.recv(min(limit, RECORD))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        except ssl.SSLError as error:
            raise ChannelBroken(*tls_trouble.after_handshake(error)) from error
        self._blocked = False
        return came

    def send(self, data: bytes | bytearray) -> int:
        """See Channel."""
        if not data:
            return 0
        try:
            return self._tls.send(data)
        except ssl.SSLWantReadError:
            self._blocked = True
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            raise BlockingIOError from None
        except ssl.SSLError as error:
            raise ChannelBroken(*tls_trouble.after_handshake(error)) from error

    # `finish`: SSLSocket.shutdown ends TCP's direction and leaves TLS, so `drain` reads what comes as it comes.
