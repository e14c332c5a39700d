"""Proof that a broker keeps the rules we rely on: it is asked as the controller, as two devices, and as nobody.

`archipel fleet broker check` shows the points. All certificates are made for the moment; what is said is said in the name of
two devices that exist for checks only, so that no device of the fleet notices anything but the load of ten connections.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from archipel_contract.link import reaching, topics
from archipel_contract.link.broker_url import BrokerUrl
from archipel_contract.link.carrier import CarrierFailed, Incoming, Outgoing
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.link.topics import Down, Up
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import new_device_key
from archipel_fleet.link import broker_guest
from archipel_fleet.link.broker_access import CHECK_NODES, CHECKER, PACKET_LIMIT

SECONDS = 10.0
SILENCE = 0.4  # how long nothing must come; a word that gets through does so in a few round trips
LONG_AGO = timedelta(days=30)
MINE, YOURS = CHECK_NODES
EVERYTHING = ("#", "+/#", "$MQTT/#", "$MQTT/msgs/#", "$SYS/#", topics.ALL_UP, "archipel/1/+/+/down/#")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing that was looked at; `slug` is for programs, `detail` what came instead."""

    slug: str
    holds: bool
    detail: str = ""


class Broken(Exception):
    """A point does not hold; the message says what happened."""


class BrokerCheck:
    """One look at one broker."""

    def __init__(
        self,
        url: BrokerUrl,
        authority: Authority,
        now: datetime,
        proxy: str = "",
        trusted: bytes | None = None,
    ) -> None:
        """`authority` is the fleet's CA with its key, which makes the certificates of the check; `trusted` are all CAs (PEM)
        that may have issued the broker's own."""
        self._url, self._authority, self._now, self._proxy = url, authority, now, proxy
        self._trusted = trusted or authority.pem
        self._contexts = {name: self._made(authority, name, now) for name in (CHECKER, *CHECK_NODES)}

    def points(self) -> Iterator[Point]:
        """Look at everything, one point after the other; what needs a connection is left out where there is none."""
        first = self._point("controller-comes-in", self._controller_comes_in)
        yield first
        if not first.holds:
            return
        for slug, look in self._looks():
            yield self._point(slug, look)

    def _looks(self) -> Sequence[tuple[str, Callable[[], None]]]:
        return (
            ("device-is-heard-and-hears", self._device_is_heard),
            ("foreign-words-reach-nobody", self._foreign_words),
            ("foreign-words-are-not-heard", self._foreign_ears),
            ("foreign-will-reaches-nobody", self._foreign_will),
            ("place-cannot-be-taken", self._foreign_place),
            ("nobody-without-certificate", lambda: self._refused(None)),
            ("nobody-of-another-ca", lambda: self._refused(self._stranger())),
            ("nobody-with-ended-certificate", lambda: self._refused(self._ended())),
            ("nobody-without-tls", self._plain),
            ("oversized-ends-connection", self._oversized),
        )

    def _point(self, slug: str, look: Callable[[], None]) -> Point:
        try:
            look()
        except Broken as broken:
            return Point(slug=slug, holds=False, detail=str(broken))
        except CarrierFailed as failed:
            return Point(slug=slug, holds=False, detail=f"{failed.code}: {failed}")
        return Point(slug=slug, holds=True)

    # --- looks -------------------------------------------------------------------------------------------------------

    def _controller_comes_in(self) -> None:
        with self._open(CHECKER, topics.ALL_UP):
            pass

    def _device_is_heard(self) -> None:
        with self._crowd() as (ear, mine, yours):
            self._proof(ear, mine, MINE)
            self._proof(ear, yours, YOURS)
            _send(ear, topics.down(5, MINE, Down.ACK), b"check")
            if not _await(mine, b"check"):
                raise Broken("the controller is not heard by the device")

    def _foreign_words(self) -> None:
        down, up = topics.down(5, YOURS, Down.COMMAND), topics.up(5, YOURS, Up.EVENT)
        with self._crowd() as (ear, mine, yours):
            for topic in (down, up, topics.CONTROLLER_PRESENCE, f"$MQTT/msgs/{down}", f"$MQTT/msgs/{up}"):
                for qos in (0, 1):
                    try:
                        _send(mine, topic, b"forged", qos)
                        _settle(mine)
                    except CarrierFailed:
                        mine.open(timeout=SECONDS)  # some brokers answer so
            _silent(yours, "a device hears what another says in somebody's name")
            _silent(ear, "the controller hears a device in the name of another")

    def _foreign_ears(self) -> None:
        with self._crowd() as (ear, mine, yours):
            for one in (*EVERYTHING, topics.down_filter(5, YOURS), topics.up(5, YOURS, Up.EVENT)):
                try:
                    mine.subscribe([(one, 1)], timeout=SECONDS)
                except CarrierFailed:
                    mine.open(timeout=SECONDS)
            _send(ear, topics.down(5, YOURS, Down.COMMAND), b"private")
            _send(yours, topics.up(5, YOURS, Up.EVENT), b"private")
            overheard = [one.topic for one in _heard(mine, SILENCE) if one.payload == b"private"]
            if overheard:
                raise Broken(f"a device hears {overheard[0]}")

    def _foreign_will(self) -> None:
        with self._crowd() as (ear, mine, yours):
            mine.close()
            for topic in (topics.down(5, YOURS, Down.COMMAND), topics.up(5, YOURS, Up.PRESENCE)):
                try:
                    mine.open(Outgoing(topic=topic, payload=b"forged", qos=1), timeout=SECONDS)
                except CarrierFailed:
                    continue
                mine.close(orderly=False)
            _silent(yours, "a device hears the will of another")
            _silent(ear, "the controller hears a will in the name of another")

    def _foreign_place(self) -> None:
        with self._crowd() as (ear, mine, yours):
            mine.close()
            for user in (YOURS, f"CN={YOURS}", CHECKER):
                # Client ids of ours cannot be guessed, so what is left to try is a user beside the certificate.
                thief = self._carrier(MINE, user)
                try:
                    thief.open(timeout=SECONDS)
                    _send(thief, topics.up(5, YOURS, Up.EVENT), b"forged")
                    _settle(thief)
                except CarrierFailed:
                    continue
                finally:
                    thief.close()
            _silent(yours, "a device loses its connection to another")
            _silent(ear, "a device speaks as another")
            self._proof(ear, yours, YOURS)

    def _plain(self) -> None:
        carrier = MqttCarrier(BrokerUrl("127.0.0.1", self._url.port), MINE)
        if self._url.host not in ("127.0.0.1", "localhost"):
            return  # the carrier itself never does that to another machine
        try:
            carrier.open(timeout=2.0)
        except CarrierFailed:
            return
        carrier.close()
        raise Broken("it lets somebody in without TLS")

    def _refused(self, context: ssl.SSLContext | None) -> None:
        shown = context or broker_guest.anonymous(self._trusted)
        carrier = MqttCarrier(self._url, MINE, tls=lambda: shown, proxy=self._proxy)
        try:
            carrier.open(timeout=SECONDS)
        except CarrierFailed as failed:
            if failed.code in broker_guest.NOT_LET_IN:
                return
            raise
        carrier.close()
        raise Broken("it was let in")

    def _oversized(self) -> None:
        """Say by hand what a carrier refuses to say: CONNECT, then a PUBLISH above the limit (MQTT 3.1.1, 3.1 and 3.3)."""
        channel = reaching.reach(self._url, lambda: self._contexts[MINE], self._proxy, SECONDS)
        try:
            channel.send(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05check")
            if channel.recv(16)[:1] != b"\x20":
                raise Broken("it does not accept a device")
            topic = topics.up(5, MINE, Up.EVENT).encode()
            inside = len(topic).to_bytes(2, "big") + topic + b"x" * (2 * PACKET_LIMIT)
            data = b"\x30" + _length(len(inside)) + inside
            while data:
                data = data[channel.send(data) :]
            while channel.recv(1024):
                pass
        except TimeoutError:
            raise Broken(f"it takes messages of more than {PACKET_LIMIT} bytes") from None
        except OSError:
            pass  # it ended the connection, as it should
        finally:
            channel.close()

    # --- what looks are made of ----------------------------------------------------------------------------------------

    def _carrier(self, name: str, user: str = "") -> MqttCarrier:
        context = self._contexts[name]
        url = replace(self._url, user=user, password="check" if user else "")
        return MqttCarrier(url, name, tls=lambda: context, proxy=self._proxy, manual_ack=name == CHECKER)

    @contextmanager
    def _open(self, name: str, *filters: str) -> Iterator[MqttCarrier]:
        carrier = self._carrier(name)
        try:
            carrier.open(timeout=SECONDS)
            carrier.subscribe([(one, 1) for one in filters], timeout=SECONDS)
            yield carrier
        finally:
            carrier.close()

    @contextmanager
    def _crowd(self) -> Iterator[tuple[MqttCarrier, MqttCarrier, MqttCarrier]]:
        """A controller that hears the two devices of the check, and these, each hearing what is theirs."""
        ups = [f"{topics.ROOT}/+/{node}/up/#" for node in CHECK_NODES]
        with ExitStack() as stack:
            ear = stack.enter_context(self._open(CHECKER, *ups))
            devices = [
                stack.enter_context(self._open(one, topics.down_filter(5, one), topics.CONTROLLER_PRESENCE))
                for one in CHECK_NODES
            ]
            for one in (ear, *devices):
                _heard(one, 0.0)  # the controller's own presence, kept by the broker
            yield ear, devices[0], devices[1]

    def _proof(self, ear: MqttCarrier, node: MqttCarrier, name: str) -> None:
        _send(node, topics.up(5, name, Up.EVENT), b"proof")
        if not _await(ear, b"proof"):
            raise Broken("the device is not heard by the controller")

    def _stranger(self) -> ssl.SSLContext:
        stranger = Authority.new(new_device_key(), "fleet", self._now)
        return self._made(stranger, MINE, self._now)

    def _ended(self) -> ssl.SSLContext:
        return self._made(self._authority, MINE, self._now - LONG_AGO)

    def _made(self, authority: Authority, name: str, now: datetime) -> ssl.SSLContext:
        return broker_guest.context(authority, name, now, self._trusted)


def _send(carrier: MqttCarrier, topic: str, payload: bytes, qos: int = 1) -> None:
    carrier.send(Outgoing(topic=topic, payload=payload, qos=qos))


def _heard(carrier: MqttCarrier, seconds: float) -> list[Incoming]:
    """Return what comes within `seconds`; raise Broken when the connection ends."""
    came: list[Incoming] = []
    until = time.monotonic() + seconds
    while True:
        for one in carrier.receive(max(0.0, until - time.monotonic())):
            if not isinstance(one, Incoming):
                raise Broken(f"the connection ended: {one.detail}")
            came.append(one)
            carrier.acknowledge(one)
        if time.monotonic() >= until:
            return came


def _await(carrier: MqttCarrier, payload: bytes) -> bool:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if any(one.payload == payload for one in _heard(carrier, 0.05)):
            return True
    return False


def _settle(carrier: MqttCarrier) -> None:
    until = time.monotonic() + SECONDS
    while carrier.unsent() and time.monotonic() < until:
        carrier.receive(0.05)


def _silent(carrier: MqttCarrier, otherwise: str) -> None:
    try:
        came = [one for one in _heard(carrier, SILENCE) if not one.retained]
    except Broken as broken:
        raise Broken(f"{otherwise} ({broken})") from None
    if came:
        raise Broken(f"{otherwise}: {came[0].topic}")


def _length(count: int) -> bytes:
    """Return MQTT's remaining length (3.1.1, 2.2.3)."""
    made = bytearray()
    while True:
        count, low = divmod(count, 128)
        made.append(low | (0x80 if count else 0))
        if not count:
            return bytes(made)
