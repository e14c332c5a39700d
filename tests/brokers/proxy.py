"""A network that can be made bad: a TCP proxy on loopback that passes, delays, swallows, or cuts.

Put between a carrier and a broker. One thread does all of it. What changes applies to connections that stand as well as to
those that come.
"""

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import deque
from enum import Enum
from types import TracebackType

from archipel_contract.link.broker_url import BrokerUrl

CHUNK = 64 << 10


class Mode(Enum):
    """What happens to bytes."""

    PASS = "pass"
    SWALLOW = "swallow"  # connections are accepted and stay open, and nothing ever gets through: half-open
    REFUSE = "refuse"  # new connections are cut at once


class _Side:
    """One socket of a pair, and what waits to be written to it."""

    def __init__(self, own: socket.socket) -> None:
        self.socket = own
        self.other: _Side | None = None
        self.waiting: deque[tuple[float, bytes]] = deque()  # due, bytes


class FaultProxy:
    """A proxy in front of one port of loopback."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.url = BrokerUrl("127.0.0.1", self.port)
        self.mode = Mode.PASS
        self.delay = 0.0
        """Seconds that every byte takes, in each direction."""
        self.upstream_only = False
        """While swallowing: whether what the broker says still gets through."""
        self.accepted = 0
        """Connections that were accepted so far."""
        self.cut_after: int | None = None
        """Bytes from the client after which its connection is cut; None for never."""
        self.passed_up = self.passed_down = 0
        """Bytes that were passed on, from clients and to them."""
        self._sides: dict[int, _Side] = {}
        self._budgets: dict[_Side, int] = {}  # bytes that came from each client
        self._orders: deque[str] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="fault proxy")

    def __enter__(self) -> "FaultProxy":
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._order("end")
        self._thread.join()
        self._selector.close()
        for one in (self._listener, self._wake_in, self._wake_out):
            one.close()

    def cut(self) -> None:
        """Reset all connections that stand; returns when that is done."""
        self._order("cut")
        while self._orders:
            time.sleep(0.001)

    def _order(self, order: str) -> None:
        self._orders.append(order)
        self._wake_out.send(b"!")

    def _run(self) -> None:
        while True:
            due = [side.waiting[0][0] for side in self._sides.values() if side.waiting]
            pause = max(0.0, min(due) - time.monotonic()) if due else None
            for key, _ in self._selector.select(pause):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake_in:
                    self._wake_in.recv(CHUNK)
                elif key.fd in self._sides:
                    self._read(self._sides[key.fd])
            for side in list(self._sides.values()):
                self._write(side)
            while self._orders:
                for side in list(self._sides.values()):
                    self._drop(side, reset=True)
                if self._orders.popleft() == "end":
                    return

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self.accepted += 1
        if self.mode is Mode.REFUSE:
            client.close()
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            client.close()
            return
        near, far = _Side(client), _Side(server)
        near.other, far.other = far, near
        for side in (near, far):
            side.socket.setblocking(False)
            side.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sides[side.socket.fileno()] = side
            self._selector.register(side.socket, selectors.EVENT_READ)
        self._budgets[near] = 0

    def _read(self, side: _Side) -> None:
        try:
            data = side.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(side)
            return
        from_client = side in self._budgets
        if self.mode is Mode.SWALLOW and (from_client or not self.upstream_only):
            return
        if from_client and self.cut_after is not None:
            room = self.cut_after - self._budgets[side]
            self._budgets[side] += len(data)
            if len(data) >= room:
                self._drop(side, reset=True)
                return
        if from_client:
            self.passed_up += len(data)
        else:
            self.passed_down += len(data)
        if side.other is not None:
            side.other.waiting.append((time.monotonic() + self.delay, data))

    def _write(self, side: _Side) -> None:
        now = time.monotonic()
        while side.waiting and side.waiting[0][0] <= now and side.socket.fileno() >= 0:
            _due, data = side.waiting.popleft()
            try:
                gone = side.socket.send(data)
            except BlockingIOError:
                gone = 0
            except OSError:
                self._drop(side)
                return
            if gone < len(data):
                side.waiting.appendleft((now + 0.002, data[gone:]))
                return

    def _drop(self, side: _Side, reset: bool = False) -> None:
        for one in (side, side.other):
            if one is None or one.socket.fileno() < 0:
                continue
            self._sides.pop(one.socket.fileno(), None)
            self._selector.unregister(one.socket)
            if reset:
                with contextlib.suppress(OSError):
                    one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.socket.close()
            one.waiting.clear()
        self._budgets.pop(side, None)
        if side.other is not None:
            self._budgets.pop(side.other, None)
