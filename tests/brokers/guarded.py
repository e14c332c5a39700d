"""Real brokers that ask for certificates, and the certificates: a fleet's CA, a stranger's, and whoever a test wants to be.

Set up with the configuration the fleet generates, like those of `servers`. Keys are made once a session.
"""

import contextlib
import os
import pwd
import signal
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from archipel_contract.link import secure
from archipel_contract.link.broker_url import TLS, WEBSOCKET, BrokerUrl
from archipel_contract.link.carrier import CarrierFailed
from archipel_contract.link.mqtt import MqttCarrier
from archipel_contract.names import NODE_ID
from archipel_contract.trust import certificates
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import new_device_key, to_pem
from archipel_fleet.link import broker_mosquitto, broker_nats
from archipel_fleet.link.broker_access import CHECKER, CONTROLLER, BrokerAccess, ServerTls
from tests.brokers.servers import MosquittoBroker, NatsBroker, RealBroker, await_true, free_port

NAMES = ("127.0.0.1", "localhost")
NODE = "n-0123456789abcdef"
OTHER = "n-fedcba9876543210"
OLD = datetime.now(UTC) - timedelta(days=400)


@dataclass
class Pki:
    """The CA of a fleet and what it issued."""

    directory: Path
    authority: Authority = field(init=False)
    stranger: Authority = field(init=False)
    server: ServerTls = field(init=False)
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.now = datetime.now(UTC)
        self.authority = Authority.new(new_device_key(), "fleet", self.now)
        self.stranger = Authority.new(new_device_key(), "fleet", self.now)
        self.server = ServerTls.new(self.authority, NAMES, self.now)
        self._keys: dict[str, EllipticCurvePrivateKey] = {}

    def issue(
        self,
        name: str,
        label: str = "",
        by: Authority | None = None,
        at: datetime | None = None,
        anew: bool = False,
    ) -> Path:
        """Return a file with a certificate for `name`, its key beside it; made once for each label. A name has one key, but
        with `anew` this certificate has another.
        """
        path = self.directory / f"{label or name}.pem"
        if not path.exists():
            key = new_device_key() if anew else self._keys.setdefault(name, new_device_key())
            issuer, now, public = by or self.authority, at or self.now, key.public_key()
            is_device = NODE_ID.fullmatch(name)
            made = issuer.device(name, public, now) if is_device else issuer.client(name, public, now, 365)
            path.write_bytes(made.pem)
            path.with_suffix(".key").write_bytes(to_pem(key))
        return path

    def key_id(self, label: str) -> str:
        """The id of the key of a certificate; it is issued if it was not."""
        return certificates.read(self.issue(label).read_bytes()).public.key_id

    def serial(self, label: str) -> int:
        """The number of a certificate that was issued."""
        return certificates.read((self.directory / f"{label}.pem").read_bytes()).serial

    def context(self, label: str, authority: bytes | None = None) -> Callable[[], ssl.SSLContext]:
        """What makes contexts for whoever holds that certificate; "" for nobody. The other side is the fleet's."""
        trusted = (authority or self.authority.pem).decode()
        path = self.issue(label) if label else None
        key = path.with_suffix(".key") if path else None
        return lambda: secure.client_context([trusted], path, key, check_time=True)

    def serving(
        self,
        label: str = "server",
        by: Authority | None = None,
        at: datetime | None = None,
        names: tuple[str, ...] = NAMES,
        chain: int = 0,
    ) -> ssl.SSLContext:
        """A server's context; behind its certificate come `chain` more that prove nothing."""
        path = self.directory / f"serving-{label}.pem"
        if not path.exists():
            made = ServerTls.new(by or self.authority, names, at or self.now)
            path.write_bytes(made.certificate * (1 + chain) + made.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.load_verify_locations(cadata=self.authority.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def access(
        self, port: int, websocket_port: int, devices: tuple[str, ...], revoked: bytes | None
    ) -> BrokerAccess:
        """Rights for some devices."""
        known = {name: (self.key_id(name),) for name in devices}
        return BrokerAccess(
            tls=self.server, devices=known, revoked=revoked, port=port, websocket_port=websocket_port
        )


class GuardedBroker(RealBroker):
    """A broker that asks for certificates, on a port for MQTT and one for WebSocket."""

    def __init__(
        self, directory: Path, pki: Pki, devices: tuple[str, ...] = (NODE, OTHER), websocket: bool = True
    ) -> None:
        self.pki, self.devices, self.revoked = pki, devices, pki.authority.revocations((), pki.now)
        self.websocket_port = free_port() if websocket else 0
        super().__init__(directory)
        self.url = BrokerUrl("127.0.0.1", self.port, scheme=TLS)
        self.websocket_url = BrokerUrl("127.0.0.1", self.websocket_port, scheme=WEBSOCKET, path="/mqtt")

    @property
    def access(self) -> BrokerAccess:
        """Who may come in now."""
        return self.pki.access(self.port, self.websocket_port, self.devices, self.revoked)

    def write(self) -> None:
        """Write what it reads beside its configuration."""
        for name, content in self.access.files().items():
            (self.directory / name).write_bytes(content)

    def admit(self, *devices: str, revoked: tuple[str, ...] = ()) -> None:
        """Let in only these from now on, and no certificate of those labels; returns when the broker has taken it."""
        self.devices = devices
        self.revoked = self.pki.authority.revocations(map(self.pki.serial, revoked), self.pki.now)
        self.write()
        self.hang_up()

    def hang_up(self) -> None:
        """Have it read its files again; returns when it has."""
        said = self.log.stat().st_size
        os.kill(self.pid, signal.SIGHUP)
        await_true(lambda: "eload" in self.log.read_text()[said:], 10, self.said)
        # mosquitto forgets a SIGHUP that comes while it still reads; whoever gets an answer knows that it has done so.
        with contextlib.suppress(CarrierFailed):
            one = self.carrier(CHECKER)
            one.open(timeout=5)
            one.close()

    def carrier(self, client_id: str, manual_ack: bool = False, keepalive: int = 60) -> MqttCarrier:
        """A carrier of whom that is the certificate's name (or label), not yet open."""
        return MqttCarrier(
            self.url, client_id, tls=self.pki.context(client_id), manual_ack=manual_ack, keepalive=keepalive
        )

    def over_websocket(self, client_id: str) -> MqttCarrier:
        """The same over a WebSocket."""
        return MqttCarrier(self.websocket_url, client_id, tls=self.pki.context(client_id), manual_ack=True)

    def _probe(self) -> MqttCarrier:
        return self.carrier(CONTROLLER)


class GuardedMosquitto(GuardedBroker, MosquittoBroker):
    """mosquitto with certificates."""

    def configured(self) -> str:
        """As for an external broker."""
        self.write()
        user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else ""
        return broker_mosquitto.guarded(self.access, self.directory, self.directory, user)

    def environment(self) -> dict[str, str]:
        """Without session tickets, as its unit has it."""
        return {"OPENSSL_CONF": str(self.directory / broker_mosquitto.OPENSSL)}

    def write(self) -> None:
        """Also the rules."""
        super().write()
        (self.directory / broker_mosquitto.RULES).write_text(broker_mosquitto.rules(self.access))
        (self.directory / broker_mosquitto.OPENSSL).write_text(broker_mosquitto.openssl())


class GuardedNats(GuardedBroker, NatsBroker):
    """nats-server with certificates."""

    def configured(self) -> str:
        """As the controller writes it, but for the log, which goes where ours looks."""
        self.write()
        text = broker_nats.guarded(self.access, self.directory)
        return "".join(line for line in text.splitlines(True) if not line.startswith("logfile"))

    def write(self) -> None:
        """Also the users."""
        super().write()
        (self.directory / broker_nats.USERS).write_text(broker_nats.users(self.access))


GUARDED: tuple[type[GuardedBroker], ...] = (GuardedMosquitto, GuardedNats)
