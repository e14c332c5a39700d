"""The registry of devices over the database; see `device_ports.Devices`. Made by the store, which lends it its connections.

What is decided is decided elsewhere (`enrolment.rule`), inside the transaction that writes it down. Keys are held in memory
for some seconds, because the ingest asks for them at every hello.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa

from archipel_contract.trust.keys import PublicKey, public_key
from archipel_fleet.device_ports import NameTaken
from archipel_fleet.device_records import (
    CertificateRow,
    Decide,
    Decision,
    DeviceEvent,
    DeviceRow,
    DeviceState,
    Spoken,
    TokenRow,
    Wanted,
)
from archipel_fleet.ports import Clock
from archipel_fleet.records import Page, Scope
from archipel_fleet.storage import admitting, registry
from archipel_fleet.storage.schema_devices import device_certificates, devices

HELD_KEYS = 20_000
HELD_SECONDS = 5.0  # after which another process's change is seen
SEEN_EVERY = 60_000  # milliseconds: being seen is written down this often

Lent = Callable[[], AbstractContextManager[sa.Connection]]


class _Known:
    """What the link asks, and what is read; see device_ports.DeviceKeys and DeviceReader."""

    def __init__(self, reading: Lent, writing: Lent, clock: Clock) -> None:
        self._reading = reading
        self._writing = writing
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: OrderedDict[str, tuple[float, tuple[PublicKey, ...]]] = OrderedDict()
        self._seen: OrderedDict[str, tuple[Spoken, int]] = OrderedDict()

    # --- the link ----------------------------------------------------------------------------------------------------

    def keys(self, node_id: str) -> tuple[PublicKey, ...]:
        """See device_ports.DeviceKeys."""
        now = self._clock.monotonic()
        with self._lock:
            held = self._keys.get(node_id)
        if held is not None and now - held[0] < HELD_SECONDS:
            return held[1]
        wanted = sa.select(devices.c.public, devices.c.next_public).where(
            devices.c.node_id == node_id, devices.c.state == DeviceState.ACTIVE
        )
        with self._reading() as connection:
            row = connection.execute(wanted).first()
        found = tuple(public_key(text) for text in row or () if text)
        with self._lock:
            self._keys[node_id] = (now, found)
            while len(self._keys) > HELD_KEYS:
                self._keys.popitem(last=False)
        return found

    def seen(self, spoken: Sequence[Spoken], now: int) -> None:
        """See device_ports.DeviceKeys. The same again within a minute is not written down."""
        with self._lock:
            told = [one for one in spoken if not self._is_told(one, now)]
        if not told:
            return
        with self._writing() as connection:
            for one in sorted(
                told, key=lambda one: one.node_id
            ):  # in one order: two controllers wait in turn
                admitting.seen(connection, one, now)
        for one in told:
            self._forget(one.node_id)
        with self._lock:
            for one in told:
                self._seen[one.node_id] = (one, now)
            while len(self._seen) > HELD_KEYS:
                self._seen.popitem(last=False)

    def _is_told(self, one: Spoken, now: int) -> bool:
        before = self._seen.get(one.node_id)
        return before is not None and before[0] == one and 0 <= now - before[1] < SEEN_EVERY

    def _forget(self, node_id: str) -> None:
        with self._lock:
            self._keys.pop(node_id, None)
            self._seen.pop(node_id, None)

    # --- reading -----------------------------------------------------------------------------------------------------

    def rows(
        self,
        scope: Scope,
        states: Sequence[DeviceState] = (),
        text: str = "",
        page: int = 1,
        size: int = 50,
    ) -> Page[DeviceRow]:
        """See device_ports.DeviceReader."""
        with self._reading() as connection:
            return registry.page_of(connection, scope, tuple(states), text, (page, size))

    def row(self, scope: Scope, name: str) -> DeviceRow | None:
        """See device_ports.DeviceReader."""
        with self._reading() as connection:
            return registry.named(connection, scope, name)

    def request(self, scope: Scope, claim: str) -> DeviceRow | None:
        """See device_ports.DeviceReader."""
        with self._reading() as connection:
            return registry.request(connection, scope, claim)

    def requests_of(self, scope: Scope, node_id: str) -> tuple[DeviceRow, ...]:
        """See device_ports.DeviceReader."""
        with self._reading() as connection:
            return registry.requests_of(connection, scope, node_id)

    def tokens(self, scope: Scope) -> tuple[TokenRow, ...]:
        """See device_ports.DeviceReader."""
        with self._reading() as connection:
            return registry.tokens(connection, scope)

    def events(self, scope: Scope, limit: int = 50, node_id: str = "") -> tuple[DeviceEvent, ...]:
        """See device_ports.DeviceReader."""
        with self._reading() as connection:
            return registry.events(connection, scope, limit, node_id)

    def device(self, node_id: str) -> DeviceRow | None:
        """See device_ports.DeviceChanges."""
        with self._reading() as connection:
            return registry.device(connection, node_id)

    def key(self, key_id: str) -> tuple[DeviceRow, PublicKey] | None:
        """See device_ports.DeviceChanges."""
        with self._reading() as connection:
            return registry.by_key(connection, key_id)

    def certificate(self, serial: str) -> CertificateRow | None:
        """See device_ports.DeviceChanges."""
        wanted = sa.select(device_certificates).where(device_certificates.c.serial == serial)
        with self._reading() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else registry.certificate(row)

    def admitted(self) -> Mapping[str, tuple[str, ...]]:
        """See device_ports.DeviceChanges."""
        with self._reading() as connection:
            return registry.admitted(connection)

    def revoked(self, now: int) -> tuple[int, ...]:
        """See device_ports.DeviceChanges."""
        with self._reading() as connection:
            return registry.revoked(connection, now)


class SqlDevices(_Known):
    """The whole registry; see device_ports.Devices."""

    def settle(self, wanted: Wanted, decide: Decide, now: int) -> Decision:
        """See device_ports.DeviceChanges."""
        with self._writing() as connection:
            decided = admitting.settle(connection, wanted, decide, now)
        self._forget(wanted.node_id)
        return decided

    def issue(self, certificate: CertificateRow, public: str, now: int) -> bool:
        """See device_ports.DeviceChanges."""
        with self._writing() as connection:
            done = admitting.issue(connection, certificate, public, now)
        self._forget(certificate.node_id)
        return done

    def approve(self, claim: str, by: str, now: int) -> DeviceRow | None:
        """See device_ports.DeviceChanges."""
        with self._writing() as connection:
            admitted = admitting.approve(connection, claim, by, now)
        if admitted is not None:
            self._forget(admitted.node_id)
        return admitted

    def refuse(self, claim: str, by: str, now: int) -> bool:
        """See device_ports.DeviceChanges."""
        with self._writing() as connection:
            return admitting.refuse(connection, claim, by, now)

    def end(self, node_id: str, state: DeviceState, by: str, now: int) -> bool:
        """See device_ports.DeviceChanges."""
        with self._writing() as connection:
            done = admitting.end(connection, node_id, state, by, now)
        self._forget(node_id)
        return done

    def rename(self, node_id: str, name: str) -> bool:
        """See device_ports.DeviceChanges."""
        with self._writing() as connection:
            customer = connection.scalar(sa.select(devices.c.customer).where(devices.c.node_id == node_id))
            if customer is None:
                return False
            same = sa.select(devices.c.node_id).where(devices.c.customer == customer, devices.c.name == name)
            if connection.scalar(same) not in (None, node_id):
                raise NameTaken(f"another device is called {name!r}")
            connection.execute(sa.update(devices).where(devices.c.node_id == node_id).values(name=name))
        return True

    def add_token(self, token: TokenRow) -> None:
        """See device_ports.DeviceChanges."""
        with self._writing() as connection:
            admitting.add_token(connection, token)

    def remove_token(self, scope: Scope, token_id: str) -> bool:
        """See device_ports.DeviceChanges."""
        with self._writing() as connection:
            return admitting.remove_token(connection, scope, token_id)

    def happened(self, node_id: str, code: str, detail: str, by: str, now: int) -> None:
        """See device_ports.DeviceChanges."""
        with self._writing() as connection:
            admitting.happened(connection, node_id, code, (detail, by), now)


__all__ = ["SqlDevices"]
