"""A device that asks to enrol, and a fleet it asks: registry on SQLite, keys of a fleet of its own, a clock that stands
still.
"""

import base64
import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from archipel_contract.link.envelope import Envelope, framed, signed
from archipel_contract.trust import certificates
from archipel_contract.trust.certificates import Certificate
from archipel_contract.trust.enrolment import Answer, EnrolmentState, Renewal, Request, Voucher
from archipel_contract.trust.keys import SoftwareSigner, new_device_key
from archipel_contract.trust.token import claim_code
from archipel_contract.wire import to_data
from archipel_fleet.device_records import TokenRule
from archipel_fleet.enrolment.caring import Care, NewToken
from archipel_fleet.enrolment.service import Enrolment, Terms
from archipel_fleet.ports import Keys
from archipel_fleet.records import Account, AccountRole
from archipel_fleet.storage import SqlStore, open_store
from tests.fakes.fleet_context import CountedEntropy, FakeClock

DAY = 86_400_000
BROKERS = ("mqtts://fleet.example:8883",)
ANNA = Account(name="anna", role=AccountRole.ADMIN)
NORA = Account(name="nora", role=AccountRole.OPERATOR, customer="north")


def node_id(number: int) -> str:
    """Return the id of the `number`th node."""
    return f"n-{number:016d}"


def site_id(number: int) -> str:
    """Return the id of the `number`th site."""
    return f"s-{number:016d}"


@dataclass
class Device:
    """A device with a key."""

    number: int = 1
    site: int = 0
    hostname: str = "pi"
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_device_key)
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def node_id(self) -> str:
        """Its node id."""
        return node_id(self.number)

    @property
    def signer(self) -> SoftwareSigner:
        """What it signs with."""
        return SoftwareSigner(self.key)

    def request(self, token: str = "", **more: Any) -> Request:
        """Return its request."""
        site = {"site_id": site_id(self.site), "site_name": f"site-{self.site}"} if self.site else {}
        known = {"hostname": self.hostname, **site, **self.said, **more}
        return Request(
            csr=certificates.request(self.key).decode(), node_id=self.node_id, token=token, **known
        )

    def renewal(self, key: ec.EllipticCurvePrivateKey | None = None) -> Renewal:
        """Return its request for the next certificate."""
        return Renewal(csr=certificates.request(key or self.key).decode())

    def vouch(self, other: "Device", now: int, **more: Any) -> str:
        """Return its voucher for another device of its site."""
        body = Voucher(
            site_id=site_id(self.site), key_id=other.signer.key_id, issued=now, expires=now + DAY // 24
        )
        changed = dataclasses.replace(body, **more)
        frame = signed(Envelope(type="voucher", at=now, body=to_data(changed)), [self.signer])
        return base64.b64encode(framed(frame)).decode()

    def claim(self, keys: Keys) -> str:
        """Return the code it shows, when it sees this fleet's CA."""
        return claim_code(
            certificates.key_der(self.key.public_key()), certificates.public_der(keys.authority.pem)
        )


@dataclass
class Fleet:
    """A fleet that devices ask."""

    directory: Path
    keys: Keys
    clock: FakeClock = field(default_factory=FakeClock)
    changes: list[str] = field(default_factory=list)
    store: SqlStore = field(init=False)
    enrolment: Enrolment = field(init=False)
    care: Care = field(init=False)

    def __post_init__(self) -> None:
        """Open it."""
        self.put_together(open_store("", self.directory, self.clock, CountedEntropy()))

    def put_together(self, store: SqlStore) -> None:
        """Use this registry."""
        self.store = store
        devices = store.devices
        self.enrolment = Enrolment(
            devices, self.keys, self.clock, lambda: Terms(brokers=BROKERS), lambda: self.changes.append("in")
        )
        self.care = Care(
            devices, self.keys, self.clock, CountedEntropy(), self.changes.append, journal=store.book
        )

    def token(self, **more: Any) -> str:
        """Return a new token."""
        wanted = NewToken(**{"uses": 1, "hours": 24, "rule": TokenRule.APPROVE, **more})
        invitation = self.care.new_token(ANNA, wanted)[1]
        assert invitation.token is not None
        return invitation.token.text

    def enrol(self, device: Device, token: str = "", **more: Any) -> Answer:
        """Let a device ask."""
        return self.enrolment.enrol(device.request(token, **more), "192.0.2.1")

    def renew(
        self, device: Device, pem: str, key: ec.EllipticCurvePrivateKey | None = None, forced: bool = False
    ) -> Answer:
        """Let a device ask for its next certificate with the one it has."""
        peer = certificates_der(pem)
        return self.enrolment.renew(peer, device.renewal(key), "192.0.2.1", forced=forced)

    def codes(self) -> list[str]:
        """Return the codes of what happened, oldest first."""
        return [one.code for one in reversed(self.store.devices.events(ANNA.scope))]


def certificates_der(pem: str) -> bytes:
    """Return the DER of a certificate."""
    return base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))


def said(answer: Answer) -> Certificate:
    """Return what the certificate of an answer says."""
    return certificates.read(answer.certificate.encode())


def moment(at: int) -> datetime:
    """Return milliseconds as a time."""
    return datetime.fromtimestamp(at / 1000, UTC)


def enrolled(fleet: Fleet, device: Device, **token: Any) -> str:
    """Enrol a device by token and return its certificate (PEM)."""
    answer = fleet.enrol(device, fleet.token(**token))
    assert answer.state is EnrolmentState.ISSUED, answer.code
    return answer.certificate
