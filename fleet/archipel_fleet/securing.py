"""The secured half of a controller: its keys, the broker that asks for certificates, and the listener where devices get
theirs.

Made by `serve` unless everything stays on this machine without certificates. Knows keys, registry, broker and enrolment;
none of them knows another.
"""

import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from archipel_contract.link import broker_url, secure
from archipel_contract.link.broker_url import BrokerUrl
from archipel_fleet.device_ports import Devices
from archipel_fleet.enrolment import noticed
from archipel_fleet.enrolment.caring import Care
from archipel_fleet.enrolment.listener import enrolment_server, server_context
from archipel_fleet.enrolment.service import Enrolment, Terms
from archipel_fleet.host.server import HttpServer
from archipel_fleet.link.broker import BrokerFailed, EmbeddedBroker
from archipel_fleet.link.broker_access import BrokerAccess, ServerTls
from archipel_fleet.link.surroundings import Identity
from archipel_fleet.orders.bell import Bell
from archipel_fleet.orders.sending import Sending
from archipel_fleet.ports import Clock, Store, StoreFailed
from archipel_fleet.records import FindingRow
from archipel_fleet.refusals import refusal
from archipel_fleet.settings import Settings
from archipel_fleet.trust import founding
from archipel_fleet.trust.keyring import DIRECTORY, FleetKeys
from archipel_fleet.trust.refusal import KeysRefused

BROKER = "broker"  # labels of the files of our servers
ENROLMENT = "enrolment"
EVERYWHERE = "0.0.0.0"
TEND_SECONDS = 5.0
LISTED_DAYS = 90  # a broker that holds an ended list of revoked certificates refuses everybody: far longer than it is used


def broker_access(
    keys: FleetKeys, devices: Devices, clock: Clock, label: str, names: Iterable[str]
) -> BrokerAccess:
    """Return who may come in at a broker now, and how it shows itself; raise StoreFailed, KeysRefused.

    `label` names the files of its certificate, `names` are those devices call it by. Where it listens is the caller's.
    """
    files = keys.server_files(label, names)
    revoked, now = devices.revoked(clock.now()), founding.dated(clock)
    return BrokerAccess(
        tls=ServerTls(
            authority=keys.authorities_file().read_bytes(),
            certificate=files.certificate.read_bytes(),
            key=files.key.read_bytes(),
        ),
        devices=devices.admitted(),
        # One list for each CA: a broker that has none for an issuer refuses all of that one's certificates.
        revoked=b"".join(one.revocations(revoked, now, LISTED_DAYS) for one in keys.authorities),
    )


class Secured:
    """Keys, broker and enrolment of one controller."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        """Open the keys, or make them at the very first start; raise Refusal."""
        self._settings = settings
        self._store = store
        self._clock = clock
        self._embedded: EmbeddedBroker | None = None
        self._listener: ssl.SSLContext | None = None
        self._log = structlog.get_logger("archipel_fleet.securing")
        try:
            self.keys = FleetKeys.first(
                settings.directory / DIRECTORY, socket.gethostname(), clock, secrets.token_bytes
            )
        except KeysRefused as error:
            raise refusal(error.code, **error.params) from error
        self._letting_in = _Once(self._let_in)

    def embed(self, broker: EmbeddedBroker) -> None:
        """Have this broker told who may come in."""
        self._embedded = broker

    def access(self) -> BrokerAccess:
        """Return who may come in at the broker now, and how it shows itself; raise StoreFailed, KeysRefused."""
        settings, devices = self._settings, self._store.devices
        return replace(
            broker_access(self.keys, devices, self._clock, BROKER, settings.server_names),
            host=EVERYWHERE if settings.is_public else "127.0.0.1",
            port=settings.embedded_port,
            websocket_port=settings.websocket_port,
        )

    def tls(self) -> ssl.SSLContext:
        """Return the context with which the controller itself connects to the broker; raise TlsUnusable."""
        own = self.keys.client_files()
        authorities = self.keys.trust.document.authorities
        return secure.client_context(authorities, own.certificate, own.key, check_time=True)

    def brokers(self) -> tuple[str, ...]:
        """Return the brokers that devices are told, in the order in which to try them."""
        settings = self._settings
        told = tuple(one.strip() for one in settings.device_brokers.split(",") if one.strip())
        if told or settings.broker:
            return told or (settings.broker,)
        name = settings.server_names[0]
        found = [BrokerUrl(name, settings.embedded_port, scheme=broker_url.TLS)]
        if settings.websocket_port:
            port, path = settings.websocket_port, broker_url.DEFAULT_PATH
            found.append(BrokerUrl(name, port, scheme=broker_url.WEBSOCKET, path=path))
        return tuple(map(str, found))

    def changed(self) -> None:
        """The registry changed: return once the broker lets in exactly whom it should. From any thread, also many at
        once.
        """
        self._letting_in()

    def tend(self, bell: Bell) -> None:
        """Take in what commands changed about the keys meanwhile, renew certificates of our servers when it is time, and
        have the broker let in whom the registry names: a device has used its next key, or another process changed it.

        Called every TEND_SECONDS from a worker thread; what goes wrong is logged and tried again.
        """
        try:
            if self.keys.reload():
                version = self.keys.trust.document.version
                self._log.info("the fleet's keys were changed", version=version)
                self.changed()
                bell.ring(self._store.devices.admitted())
            if (
                self._embedded is not None
                and self.keys.server_files(BROKER, self._settings.server_names).changed
            ):
                self._log.info("the broker's certificate was renewed; it is started anew")
                self._embedded.renew(self.access())
            self._compare()
            if self._listener is not None:
                files = self.keys.server_files(ENROLMENT, self._settings.server_names)
                if files.changed:
                    self._listener.load_cert_chain(files.certificate, files.key)
        except (KeysRefused, StoreFailed, BrokerFailed, OSError) as error:
            self._log.error("the fleet's keys could not be looked after", detail=str(error))

    def refused(self, node_id: str, now: int) -> tuple[FindingRow, ...]:
        """Return what was refused of a node at the enrolment lately; nothing while the database does not answer."""
        try:
            return noticed.about(self._store.devices, node_id, now)
        except StoreFailed:
            return ()

    def enrolment(self, changed: Callable[[], None]) -> HttpServer:
        """Return the listener for devices, to be served on a socket; raise Refusal. `changed` is called after anything that
        pages show.
        """
        files = self.keys.server_files(ENROLMENT, self._settings.server_names)
        try:
            context = server_context(files.certificate, files.key, self.keys.trust.document.authorities)
        except secure.TlsUnusable as error:
            raise refusal("fleet-keys-damaged", file=str(files.certificate), detail=str(error)) from error
        self._listener = context
        service = Enrolment(
            self._store.devices,
            self.keys,
            self._clock,
            terms=lambda: Terms(brokers=self.brokers()),
            changed=self.changed,
            noticed=changed,
        )
        return enrolment_server(service, context)

    def care(self) -> Care:
        """Return what people do about devices."""
        return Care(
            self._store.devices,
            self.keys,
            self._clock,
            secrets.token_bytes,
            ended=lambda node_id: self.changed(),
            address=self.address,
            journal=self._store.book,
        )

    @property
    def address(self) -> str:
        """Where devices get their certificates."""
        name, port = self._settings.server_names[0], self._settings.enrol_address[1]
        return f"https://{f'[{name}]' if ':' in name else name}:{port}"

    def identity(self, bell: Bell) -> Identity:
        """Return what the link needs to know who is who, and what is to be said to nodes."""
        return Identity(
            keys=self.keys,
            devices=self._store.devices,
            downlink=Sending(self._store.book, self.keys, bell),
        )

    def _compare(self) -> None:
        if self._embedded is not None and self._embedded.devices != self._store.devices.admitted():
            self.changed()

    def _let_in(self) -> None:
        if self._embedded is None:
            return
        try:
            self._embedded.reload(self.access())
        except BrokerFailed as error:
            self._log.error(
                "the broker did not take who may come in; it goes on as before", detail=str(error)
            )


class _Once:
    """Does a piece of work for many who want it: whoever asks waits for a run that began after he asked."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._turn = threading.Condition()
        self._wanted = self._done = 0
        self._runs = False

    def __call__(self) -> None:
        with self._turn:
            self._wanted += 1
            mine = self._wanted
            while self._done < mine and self._runs:
                self._turn.wait()
            if self._done >= mine:
                return
            self._runs, covered = True, self._wanted
        try:
            self._work()
        finally:
            with self._turn:
                self._done, self._runs = covered, False
                self._turn.notify_all()
