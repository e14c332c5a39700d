"""The one door to MQTT: a Carrier over paho-mqtt, speaking MQTT 3.1.1 with clean sessions and QoS 0 and 1.

Agent and controller make one and drive it from a thread of their own: all input, output and keepalive happens inside
`receive` (and while `open` or `subscribe` wait), so it must be called at least once in a keepalive. There is no thread that
could die unnoticed, no wake-up while nothing happens, and no lock that a callback could wait for. Never by itself:
reconnecting, sending again, storing. Each connection has a paho client of its own, so that nothing of an old connection is
sent on a new one. `mqtts://` and `wss://` need a certificate of ours and one of the fleet's CA on the other side; the way
there, through a proxy if one is set, is `reaching`'s.
"""

import contextlib
import os
import secrets
import selectors
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from archipel_contract.link import broker_url
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.buffered import BufferedSocket
from archipel_contract.link.carrier import Arrived, CarrierFailed, Incoming, Lost, Outgoing
from archipel_contract.link.envelope import WIRE_LIMIT
from archipel_contract.link.in_flight import InFlight
from archipel_contract.link.reaching import MakeContext, reach
from archipel_contract.link.stand_in import stand_in_for

stand_in_for("urllib.request")  # before paho names it
import paho.mqtt.client as paho  # noqa: E402 - see above
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion  # noqa: E402 - see above

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

KEEPALIVE = 60  # seconds; a half-open link is noticed after this and ANSWER_SECONDS
KEEPALIVE_MINIMUM = (
    2  # brokers wait one and a half times as long; nats-server rounds that down to whole seconds
)
ANSWER_SECONDS = 20.0  # a satellite link with full buffers answers a ping within this
WINDOW = (
    20  # unacknowledged QoS 1 messages; MQTT 5 brokers that state a Receive Maximum state no less by default
)
WAITING_LIMIT = 1 << 20  # bytes handed over that the network has not taken
AT_ONCE = 1000  # messages that one `receive` returns; the rest stays where the broker sees that we are slow
CONNACK = 0x20  # first byte of what a broker says first (MQTT 3.1.1, 3.2)
_SLACK = 0.1  # paho reads its own clock a moment after us


class MqttCarrier:
    """One connection at a time to one broker; see `carrier.Carrier`."""

    def __init__(
        self,
        url: BrokerUrl,
        client_id: str,
        *,
        tls: MakeContext | None = None,
        proxy: str = "",
        keepalive: int = KEEPALIVE,
        window: int = WINDOW,
        manual_ack: bool = False,
    ) -> None:
        """Nothing is connected yet. With `manual_ack` a QoS 1 message counts as delivered once `acknowledge` was called.

        `tls` makes the context of each connection to `mqtts://` or `wss://` (it may raise TlsUnusable); `proxy` is
        `http://[user:password@]host:port`, used for these two.

        Raises ValueError for a keepalive under KEEPALIVE_MINIMUM seconds.
        """
        if keepalive < KEEPALIVE_MINIMUM:
            raise ValueError(f"the keepalive must be at least {KEEPALIVE_MINIMUM} s, not {keepalive}")
        # Not every broker binds the client id to the certificate, and whoever comes with the id of another ends that one's
        # connection. So with certificates, where the name is in them, nobody can know the id of another.
        self._client_id = f"{client_id}-{secrets.token_hex(8)}" if url.is_secure else client_id
        self._url, self._keepalive = url, keepalive
        self._window, self._manual_ack = window, manual_ack
        self._tls, self._proxy = tls, proxy
        self._in_flight = InFlight(window, WAITING_LIMIT)
        self._patience = min(ANSWER_SECONDS, float(keepalive))
        self._inbox: deque[Arrived] = deque()
        self._client: _Client | None = None
        self._connections = 0
        self._asked: float | None = None  # since when we wait for a sign of life
        self._selector = selectors.DefaultSelector()
        self._woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._woken, selectors.EVENT_READ)
        # `wake` may come from any thread at any time, so its descriptor lives as long as the carrier.
        weakref.finalize(self, _release, self._selector, self._woken)

    def open(self, will: Outgoing | None = None, timeout: float = 30.0) -> None:
        """Connect and return when the broker has accepted, or raise CarrierFailed; a former connection is dropped."""
        broker_url.require_loopback(self._url)
        self.close(orderly=False)
        self._inbox.clear()
        self._connections += 1
        until = time.monotonic() + timeout
        client = _Client(
            self._client_id,
            self._manual_ack,
            lambda seconds: BufferedSocket(reach(self._url, self._tls, self._proxy, seconds), self._closing),
        )
        client.max_inflight_messages = self._window
        client.on_message = self._on_message
        client.on_publish = lambda _client, _data, mid, _reason, _properties: self._in_flight.acknowledged(
            mid
        )
        if self._url.user:
            client.username_pw_set(self._url.user, self._url.password or None)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retained)
        try:
            client.connect_timeout = timeout
            client.connect(self._url.host, self._url.port, self._keepalive)
            self._client = client
            self._selector.register(client.wire, selectors.EVENT_READ)
            self._await(lambda: client.accepted is not None, until, "accept the connection")
            if client.accepted:
                raise self._ended()
        except BaseException:
            self.close(orderly=False)
            self._inbox.clear()  # what never stood is not lost
            raise

    def subscribe(self, filters: Sequence[tuple[str, int]], timeout: float = 30.0) -> None:
        """Subscribe to (filter, qos) pairs; returns when the broker granted them all, or raises CarrierFailed."""
        client = self._connected()
        _, mid = client.subscribe(list(filters))
        if mid is None:
            self._lose("link-broker-away", f"the connection to {self._url} broke while subscribing")
            raise self._ended()
        self._await(lambda: mid in client.granted, time.monotonic() + timeout, "grant the subscription")
        granted = client.granted.pop(mid)
        refused = [name for index, (name, _) in enumerate(filters) if not any(granted[index : index + 1])]
        if refused:
            raise CarrierFailed(
                "link-broker-refused", f"{self._url} refused to subscribe to {', '.join(refused)}"
            )

    def send(self, message: Outgoing) -> bool:
        """Hand a message over; False when the window of unacknowledged messages is full, or the network is slower than we.

        Raises CarrierFailed when there is no connection, or the message is larger than any broker lets through.
        """
        if len(message.payload) > WIRE_LIMIT:
            # A broker ends the connection over it; were it sent again, so would the next one be.
            raise CarrierFailed(
                "message-oversized",
                f"a message to {message.topic} has {len(message.payload)} bytes, the limit is {WIRE_LIMIT}",
            )
        client = self._connected()
        if not self._in_flight.takes(message.qos, client.wire.waiting):
            return False
        sent = client.publish(message.topic, message.payload, message.qos, message.retained)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose("link-broker-away", f"the connection to {self._url} broke: {sent.rc.name}")
            raise self._ended()
        self._in_flight.sent(message.qos, sent.mid, client.wire.accepted)
        self._flush()
        if self._client is None:
            raise self._ended()
        return True

    def receive(self, timeout: float | None) -> tuple[Arrived, ...]:
        """Return what arrived, at most AT_ONCE, waiting up to `timeout` seconds (None: for ever) for the first; empty when
        nothing came, `wake` was called, or there is room again after `send` said no."""
        until = None if timeout is None else time.monotonic() + timeout
        done = self._turn(0.0 if self._inbox else until)
        while not self._inbox and not done and (until is None or time.monotonic() < until):
            done = self._turn(until)
        return tuple(self._inbox.popleft() for _ in range(min(AT_ONCE, len(self._inbox))))

    def wake(self) -> None:
        """Make a waiting `receive` return; may be called from any thread."""
        os.eventfd_write(self._woken, 1)

    def acknowledge(self, incoming: Incoming) -> None:
        """Tell the broker that an incoming message was dealt with; leaves with the next `receive` or `send`. Nothing
        happens if its connection is gone."""
        if incoming.token is not None and incoming.token[0] == self._connections and self._client is not None:
            self._client.ack(incoming.token[1], 1)

    def unsent(self) -> int:
        """Return how many messages handed over have not left, or (QoS 1) not been acknowledged by the broker."""
        return self._in_flight.count(self._client.wire.left) if self._client is not None else 0

    def close(self, orderly: bool = True) -> None:
        """End the connection; orderly, the broker does not send the will. What is `unsent` is forgotten."""
        client, self._client = self._client, None
        if client is not None:
            client.wire.orderly = orderly
            if orderly:
                client.disconnect()
            client.wire.close()
        self._in_flight.clear()
        self._asked = None

    # --- one turn: wait, read, write, keep alive -------------------------------------------------------------------

    def _turn(self, until: float | None) -> bool:
        """Wait until something happens, `until` comes or a ping is due, and deal with it; True when `receive` should return
        though nothing arrived: `wake` was called, or there is room again."""
        woken = False
        for key, happened in self._selector.select(self._pause(until)):
            if key.fd == self._woken:
                os.eventfd_read(self._woken)
                woken = True
            elif happened & selectors.EVENT_READ:
                self._read()
        client = self._client
        if client is not None and client.wire.readable:
            self._read()
        self._flush()
        self._keep_alive()
        waiting = self._client.wire.waiting if self._client is not None else 0
        return self._in_flight.room_again(waiting) or woken

    def _pause(self, until: float | None) -> float | None:
        """Return how many seconds nothing needs to be done."""
        client, now = self._client, time.monotonic()
        if client is None:
            return None if until is None else max(0.0, until - now)
        self._flush()
        if self._client is None or client.wire.readable:
            return 0.0
        if self._asked is None:
            due = min(client.wire.last_in, client.wire.last_out) + self._keepalive + _SLACK
        else:
            due = min(self._asked + self._patience, now + 1)
        due = max(due, now + _SLACK)
        return max(0.0, min(due, until if until is not None else due) - now)

    def _read(self) -> None:
        client = self._client
        if client is None:
            return
        rc = client.loop_read()
        while rc == MQTTErrorCode.MQTT_ERR_SUCCESS and client.wire.readable and len(self._inbox) < AT_ONCE:
            rc = client.loop_read()
        if client.wire.first and client.wire.first[0] != CONNACK:
            shown = client.wire.first.decode(errors="replace")[:40]
            self._lose("link-broker-wrong", f"what answers at {self._url} is no MQTT broker: {shown!r}")
        elif client.wire.trouble:
            code, detail = client.wire.trouble
            self._lose(code, f"{self._url}: {detail}")
        elif rc == MQTTErrorCode.MQTT_ERR_PROTOCOL:
            self._lose("link-broker-wrong", f"{self._url} does not speak MQTT 3.1.1 with us")
        elif rc == MQTTErrorCode.MQTT_ERR_CONN_REFUSED:
            self._lose("link-broker-refused", f"{self._url} refused the connection: {client.accepted}")
        elif rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose("link-broker-away", f"{self._url} closed the connection")

    def _flush(self) -> None:
        client = self._client
        if client is None or client.socket() is None:
            return
        try:
            client.wire.flush()
        except OSError as error:
            self._read()  # why it ends may have been said before it ended
            self._lose("link-broker-away", f"the connection to {self._url} broke: {error.strerror or error}")
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.wire.writable_wanted else 0)
        if self._selector.get_key(client.wire).events != wanted:
            self._selector.modify(client.wire, wanted)

    def _keep_alive(self) -> None:
        """Have a ping sent when one is due; a broker that says nothing for `_patience` seconds after it is gone."""
        client, now = self._client, time.monotonic()
        if client is None:
            return
        client.loop_misc()
        if client.socket() is None:
            self._lose(
                "link-broker-away",
                f"{self._url} has not answered for {now - client.wire.last_in:.0f} seconds",
            )
        elif now - client.wire.last_in < self._keepalive:
            self._asked = None
        elif self._asked is None:
            self._asked = now
        elif now - self._asked >= self._patience:
            silent = now - client.wire.last_in
            self._lose("link-broker-away", f"{self._url} has not answered for {silent:.0f} seconds")

    def _await(self, done: Callable[[], bool], until: float, what: str) -> None:
        """Turn until `done`; raise CarrierFailed when the connection ends or it takes too long."""
        woken = False
        try:
            while not done():
                if self._client is None:
                    raise self._ended()
                if time.monotonic() >= until:
                    raise CarrierFailed(
                        "link-broker-away", f"{self._url} was reached but did not {what} in time"
                    )
                woken = self._turn(until) or woken
        finally:
            if woken:
                self.wake()  # it was meant for `receive`

    # --- beginnings and ends -----------------------------------------------------------------------------------------

    def _connected(self) -> "_Client":
        if self._client is None:
            raise CarrierFailed("link-broker-away", f"there is no connection to {self._url}")
        return self._client

    def _lose(self, code: str, detail: str) -> None:
        if self._client is not None:
            self.close(orderly=False)
            self._inbox.append(Lost(code=code, detail=detail))

    def _ended(self) -> CarrierFailed:
        """What `_lose` noted last, to be raised."""
        last = next((one for one in reversed(self._inbox) if isinstance(one, Lost)), None)
        return (
            CarrierFailed(last.code, last.detail) if last else CarrierFailed("link-broker-away", "it ended")
        )

    def _closing(self, wire: BufferedSocket) -> None:
        with contextlib.suppress(KeyError):  # it breaks before it was registered
            self._selector.unregister(wire)

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        """Called by paho, with a lock of its own held: nothing here may do more than put things into a queue."""
        token = (self._connections, message.mid) if message.qos and self._manual_ack else None
        self._inbox.append(
            Incoming(
                topic=message.topic,
                payload=bytes(message.payload),
                retained=message.retain,
                duplicate=message.dup,
                token=token,
            )
        )


class _Client(paho.Client):
    """paho's client as we want it, with our socket under it, and what the broker granted."""

    def __init__(self, client_id: str, manual_ack: bool, reached: Callable[[float], BufferedSocket]) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=manual_ack,
        )
        self.suppress_exceptions = True
        self.accepted: str | None = None  # None: not answered yet; "": accepted; else why not
        self.granted: dict[int, list[bool]] = {}
        self._reached = reached
        self._buffered: BufferedSocket | None = None
        self.on_connect = self._note_connected
        self.on_subscribe = self._note_granted

    @property
    def wire(self) -> BufferedSocket:
        """The socket; there is one from `connect` on."""
        assert self._buffered is not None
        return self._buffered

    def _create_socket(self) -> "SocketLike":
        self._buffered = self._reached(self.connect_timeout)
        return self._buffered

    def _note_connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.accepted = str(reason) if reason.is_failure else ""

    def _note_granted(self, client: Any, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
        self.granted[mid] = [not reason.is_failure for reason in reasons]


def _release(selector: selectors.BaseSelector, descriptor: int) -> None:
    selector.close()
    os.close(descriptor)
