"""A broker that does what a test tells it: each connection is handed to a function, which plays the broker's part.

For behaviour that no real broker shows on demand: silence, nonsense, refusals, answers that never come.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType

from archipel_contract.link.broker_url import PLAIN, TLS, BrokerUrl
from tests.brokers import speech

Part = Callable[["Line"], object]
SECONDS = 10.0


class Line:
    """The broker's end of one connection."""

    def __init__(self, own: socket.socket) -> None:
        own.settimeout(SECONDS)
        self.socket = own

    def say(self, data: bytes) -> None:
        """Send bytes; somebody who hung up is no error."""
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def hear(self) -> speech.Packet | None:
        """Return the client's next packet, None when it hung up."""
        return speech.read(self.socket)

    def accept(self) -> speech.Packet:
        """Take the CONNECT, accept it, and return it."""
        first = self.hear()
        assert first is not None and first.kind == speech.CONNECT
        self.say(speech.connack())
        return first

    def reset(self) -> None:
        """End the connection as a crash does, without a word in TCP either."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def hear_out(self) -> list[speech.Packet]:
        """Return everything the client says until it hangs up."""
        said = []
        while (one := self.hear()) is not None:
            said.append(one)
        return said


class ScriptedBroker:
    """Listens on loopback; plays `part` on each connection, one after the other, and hangs up when the part is over."""

    def __init__(self, part: Part, tls: ssl.SSLContext | None = None) -> None:
        """With `tls` the part begins after the handshake, and a client that ends it has ended the part."""
        self._part, self._tls = part, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = BrokerUrl("127.0.0.1", self.port, scheme=PLAIN if tls is None else TLS)
        self.connections = 0
        self.refusals: list[str] = []
        """What clients that ended a handshake said."""
        self.problem: BaseException | None = None
        self._lines: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, name="scripted broker")

    def __enter__(self) -> "ScriptedBroker":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for one in self._lines:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        if self.problem is not None and error is None:
            raise self.problem

    def _run(self) -> None:
        while True:
            try:
                own, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._lines.append(own)
            with own:
                try:
                    if self._tls is None:
                        self._part(Line(own))
                    else:
                        self._play_protected(own, self._tls)
                except (OSError, AssertionError) as problem:
                    self.problem = self.problem or problem

    def _play_protected(self, own: socket.socket, tls: ssl.SSLContext) -> None:
        own.settimeout(SECONDS)
        try:
            protected = tls.wrap_socket(own, server_side=True)
        except OSError as ended:
            self.refusals.append(str(ended))
            return
        with protected:
            self._part(Line(protected))
