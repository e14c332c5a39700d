"""The registry of devices over a database in memory, keys in memory, and some devices, for API, pages and commands.

The registry is the real one: what it answers is what a controller answers.
"""

import contextlib
import functools
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import sqlalchemy as sa

from archipel_contract.link.envelope import Envelope, Frame, signed
from archipel_contract.trust.certificates import Authority
from archipel_contract.trust.keys import Signer, SoftwareSigner, new_device_key, new_fleet_key
from archipel_contract.trust.store import TrustStore
from archipel_contract.trust.token import claim_code
from archipel_contract.trust_document import TALK, Delegation, KeyRole, TrustDocument
from archipel_contract.wire import to_data
from archipel_fleet.device_records import (
    Approval,
    CertificateRow,
    Decision,
    DeviceState,
    Known,
    TokenRow,
    TokenRule,
    Wanted,
)
from archipel_fleet.enrolment import rule
from archipel_fleet.ports import Clock
from archipel_fleet.storage.enrolling import SqlDevices
from archipel_fleet.storage.schema import METADATA
from tests.fakes.fleet_sites import DAY, NOW, site_id

CLAIM = claim_code(b"device", b"authority")
OTHER_CLAIM = claim_code(b"another device", b"authority")
ACTIVE = tuple(f"n-00000000000000d{number}" for number in range(3))
PENDING, COPIED = "n-00000000000000d7", ACTIVE[0]


class FakeFleetKeys:
    """Implements ports.Keys in memory."""

    def __init__(self) -> None:
        key, root = new_device_key(), SoftwareSigner(new_fleet_key())
        self._authority = Authority.new(key, "Harbour", datetime.fromtimestamp(NOW / 1000, UTC))
        self._signer = SoftwareSigner(new_fleet_key())
        controller = Delegation(
            public=str(self._signer.public), name="controller", role=KeyRole.CONTROLLER, may=(TALK,)
        )
        document = TrustDocument(
            fleet_id="f-0000000000000000", version=1, roots=(str(root.public),), threshold=1, keys=(controller,),
            authorities=(self._authority.pem.decode(),), name="Harbour",
        )  # fmt: skip
        self._frame = signed(Envelope(type="trust", at=NOW, body=to_data(document)), [root])
        self._trust = TrustStore(document)

    @property
    def trust(self) -> TrustStore:
        """See ports.Keys."""
        return self._trust

    @property
    def trust_frame(self) -> Frame:
        """See ports.Keys."""
        return self._frame

    def frames_after(self, version: int) -> tuple[Frame, ...]:
        """See ports.Keys."""
        return (self._frame,) if version < 1 else ()

    @property
    def signer(self) -> Signer:
        """See ports.Keys."""
        return self._signer

    @property
    def authority(self) -> Authority:
        """See ports.Keys."""
        return self._authority

    @property
    def shown_authority(self) -> Authority:
        """See ports.Keys."""
        return self._authority


@functools.cache
def fake_keys() -> FakeFleetKeys:
    """Return the keys, made once."""
    return FakeFleetKeys()


@functools.cache
def _publics() -> list[str]:
    return [str(SoftwareSigner(new_device_key()).public) for _ in range(9)]


class StillClock:
    """Implements ports.Clock: always the moment of the fake sites."""

    def now(self) -> int:
        """See ports.Clock."""
        return NOW

    def monotonic(self) -> float:
        """See ports.Clock."""
        return 100.0


def fake_registry(clock: Clock) -> SqlDevices:
    """Return a registry with three devices, one of them revoked, two requests and a token; north and south have one each."""
    return _registry(_database(_filled()), clock)


def _database(content: bytes = b"") -> sa.Engine:
    """A database in memory that holds the bytes of another; with none, our tables and nothing in them."""

    def connected() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        if content:
            connection.deserialize(content)
        return connection

    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, creator=connected)
    if not content:
        METADATA.create_all(engine)
    return engine


@functools.cache
def _filled() -> bytes:
    """The database of `fake_registry`, filled by a registry once: that takes longer than most tests of what it shows."""
    engine = _database()
    _fill(_registry(engine, StillClock()))
    with contextlib.closing(engine.raw_connection()) as connection:
        assert isinstance(connection.driver_connection, sqlite3.Connection)
        content = connection.driver_connection.serialize()
    engine.dispose()
    return content


def _registry(engine: sa.Engine, clock: Clock) -> SqlDevices:
    turn = threading.RLock()

    @contextmanager
    def lent() -> Iterator[sa.Connection]:
        with turn, engine.begin() as connection:
            yield connection

    return SqlDevices(lent, lent, clock)


def _fill(made: SqlDevices) -> None:
    kept = (("default", 1, "gate"), ("north", 4, "crane"), ("south", 8, "pump"))
    for number, (node_id, (customer, site, hostname)) in enumerate(zip(ACTIVE, kept, strict=True)):
        _settle(made, _wanted(node_id, number, site_id=site_id(site), hostname=hostname), customer)
        serial = f"{number + 1:040x}"
        row = CertificateRow(
            serial=serial, node_id=node_id, key_id=_wanted(node_id, number).key_id, issued=NOW - 30 * DAY,
            not_after=NOW + 335 * DAY, pem="pem",
        )  # fmt: skip
        made.issue(row, _publics()[number], NOW - 30 * DAY)
    made.end(ACTIVE[2], DeviceState.REVOKED, "anna", NOW - DAY)
    _settle(made, _wanted(PENDING, 4, claim=CLAIM, hostname="new-pi", model="Raspberry Pi 5"), "default")
    _settle(made, _wanted(COPIED, 5, claim=OTHER_CLAIM, hostname="gate"), "default")
    token = TokenRow(
        id="7k2m9qxf", digest="d", made_by="anna", made=NOW - DAY, expires=NOW + DAY, uses=5, left=3,
        rule=TokenRule.HOLD, customer="north", label="shelf 3",
    )  # fmt: skip
    made.add_token(token)
    made.happened(ACTIVE[1], "renew-other-key", "", "", NOW - DAY // 2)


def _wanted(node_id: str, number: int, **more: str) -> Wanted:
    text = _publics()[number]
    known = {"node_id": node_id, "key_id": f"k-{number:016d}", "public": text, "claim": f"claim-{number}"}
    return Wanted(**(known | more))  # type: ignore[arg-type]  # texts only, as all fields named here are


def _settle(registry: SqlDevices, wanted: Wanted, customer: str) -> None:
    def decide(one: Wanted, known: Known) -> Decision:
        found = rule.decide(one, known, NOW)
        if known.device is not None or one.claim in (CLAIM, OTHER_CLAIM):
            return found
        return Decision(
            state=found.state, admit=True, customer=customer, approval=Approval.TOKEN, by="7k2m9qxf"
        )

    registry.settle(wanted, decide, NOW - 40 * DAY if wanted.claim.startswith("claim") else NOW - DAY)
