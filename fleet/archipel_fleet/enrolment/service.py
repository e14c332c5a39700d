"""Enrolment and renewal: a request in, an answer out. Called by the listener, from worker threads.

The rule decides, the registry writes it down, the CA signs. Whatever is refused becomes an event of the registry and a line
of the log; the device gets a code and its sentence.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from archipel_contract import catalogue
from archipel_contract.link.envelope import framed
from archipel_contract.trust import certificates
from archipel_contract.trust.certificates import DEVICE_DAYS, Certificate, CertificateInvalid
from archipel_contract.trust.enrolment import Answer, EnrolmentState, Renewal, Request
from archipel_contract.trust.keys import PublicKey
from archipel_fleet.device_ports import Devices
from archipel_fleet.device_records import CertificateRow, Decision, DeviceRow, Known, Wanted
from archipel_fleet.enrolment import asked, rule
from archipel_fleet.enrolment.asked import RequestInvalid
from archipel_fleet.enrolment.limits import Limits
from archipel_fleet.ports import Clock, Keys

PENDING_SECONDS = 30  # after which a device that waits for a person asks again
REFUSED_SECONDS = 3600
_GUESSES = frozenset({"enrol-token-wrong", "enrol-voucher-invalid", "enrol-request-invalid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What enrolment gives and allows; from the settings."""

    brokers: tuple[str, ...] = ()
    renew_days: int = rule.RENEW_DAYS
    device_days: int = DEVICE_DAYS


class TooOften(Exception):
    """An address failed too often; `wait` says for how many seconds it is not listened to."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"try again in {wait:.0f} s")
        self.wait = wait


class Enrolment:
    """What devices ask the fleet before they may connect."""

    def __init__(
        self,
        devices: Devices,
        keys: Keys,
        clock: Clock,
        terms: Callable[[], Terms] = Terms,
        changed: Callable[[], None] = lambda: None,
        noticed: Callable[[], None] = lambda: None,
    ) -> None:
        """`terms` is asked for each answer, so that a change of the broker is told at once. `changed` is called, and waited
        for, before a device is told that it may come for the first time or with another key, and never for what comes
        without a right; `noticed` after anything that a page shows.
        """
        self._devices = devices
        self._keys = keys
        self._clock = clock
        self._terms = terms
        self._changed = changed
        self._noticed = noticed
        self._limits = Limits()
        self._log = structlog.get_logger("archipel_fleet.enrolment")

    def trust(self) -> Answer:
        """Return what anybody may know: trust document and CAs."""
        return self._answer(EnrolmentState.UNKNOWN)

    def enrol(self, request: Request, address: str) -> Answer:
        """Answer a request for a first certificate; raise TooOften, StoreFailed, SigningFailed."""
        self._listened_to(address)
        now = self._clock.now()
        pins = frozenset(certificates.pin(one.encode()) for one in self._keys.trust.document.authorities)
        measure = asked.Authority(pins, certificates.public_der(self._keys.shown_authority.pem))
        try:
            wanted = asked.read(request, measure, self._devices, now)
        except RequestInvalid as error:
            return self._invalid(str(error), address)
        days = self._terms().renew_days

        def decide(one: Wanted, known: Known) -> Decision:
            return rule.decide(one, known, now, days)

        decided = self._devices.settle(wanted, decide, now)
        self._note(wanted, decided, address)
        if decided.state is EnrolmentState.ISSUED:
            return self._issued(wanted.node_id, request.csr, now)
        return self._answer(decided.state, decided.code, claim=wanted.claim)

    def renew(self, peer: bytes | None, renewal: Renewal, address: str, forced: bool = False) -> Answer:
        """Answer a request for the next certificate; `peer` is the DER of the certificate the connection was made with,
        verified by TLS except for its dates. Raises as `enrol`.
        """
        self._listened_to(address)
        try:
            public, _ = certificates.requested_key(renewal.csr.encode("ascii", "replace"))
            present = certificates.read_der(peer) if peer else None
        except CertificateInvalid as error:
            return self._invalid(str(error), address)
        if present is None:
            self._limits.failed(address, self._clock.monotonic())
            return self._answer(EnrolmentState.REFUSED, "renew-no-certificate")
        now = self._clock.now()
        device = self._devices.device(present.name)
        known = self._devices.certificate(f"{present.serial:x}")
        decided = rule.renew(_renewing(present, public, forced), device, known, now, self._terms().renew_days)
        if decided.present and known is not None and device is not None:
            return self._with(device, known.pem)
        if decided.issue:
            return self._issued(present.name, renewal.csr, now)
        self._refused(present.name, decided.code, address, now)
        return self._answer(EnrolmentState.REFUSED, decided.code)

    # --- answers -----------------------------------------------------------------------------------------------------

    def _issued(self, node_id: str, csr: str, now: int) -> Answer:
        """Issue a certificate for the key of a request, or give again the one that holds until half of its life."""
        device = self._devices.device(node_id)
        public, key = certificates.requested_key(csr.encode())
        if device is None:
            return self._answer(EnrolmentState.REFUSED, "enrol-revoked")
        known = self._devices.certificate(device.serial) if device.serial else None
        if known is not None and known.key_id == public.key_id and not _half_over(known, now):
            return self._with(device, known.pem)
        made = self._keys.authority.device(node_id, key, _moment(now), self._terms().device_days)
        row = CertificateRow(
            serial=f"{made.serial:x}",
            node_id=node_id,
            key_id=public.key_id,
            issued=_milliseconds(made.not_before),
            not_after=_milliseconds(made.not_after),
            pem=made.pem.decode(),
        )
        if not self._devices.issue(row, str(public), now):
            return self._answer(EnrolmentState.REFUSED, "enrol-revoked")
        self._log.info("certificate issued", node=node_id, key=public.key_id, serial=row.serial)
        if not device.serial or public.key_id not in (device.key_id, device.next_key_id):
            self._changed()
        self._noticed()
        return self._with(device, row.pem)

    def _with(self, device: DeviceRow, pem: str) -> Answer:
        return self._answer(EnrolmentState.ISSUED, certificate=pem, display_name=device.name)

    def _answer(
        self,
        state: EnrolmentState,
        code: str = "",
        *,
        claim: str = "",
        certificate: str = "",
        display_name: str = "",
    ) -> Answer:
        document = self._keys.trust.document
        refused = state is EnrolmentState.REFUSED
        return Answer(
            state=state,
            at=self._clock.now(),
            code=code,
            text=_sentence(code),
            claim=claim,
            retry_seconds=REFUSED_SECONDS if refused else PENDING_SECONDS,
            certificate=certificate,
            authorities=self._authorities(document.authorities),
            trust=base64.b64encode(framed(self._keys.trust_frame)).decode(),
            brokers=self._terms().brokers if certificate else (),
            display_name=display_name,
            fleet_name=document.name,
        )

    def _authorities(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """Return every CA, first the one by which this listener can be verified: a device without a pin takes that one."""
        shown = self._keys.shown_authority.pem.decode()
        return (shown, *(one for one in known if one != shown)) if shown in known else known

    # --- what goes wrong ---------------------------------------------------------------------------------------------

    def _listened_to(self, address: str) -> None:
        wait = self._limits.wait(address, self._clock.monotonic())
        if wait > 0:
            raise TooOften(wait)

    def _invalid(self, why: str, address: str) -> Answer:
        self._limits.failed(address, self._clock.monotonic())
        self._log.warning(
            "request refused", reason="enrol-request-invalid", detail=why[:200], address=address
        )
        return self._answer(EnrolmentState.REFUSED, "enrol-request-invalid")

    def _note(self, wanted: Wanted, decided: Decision, address: str) -> None:
        if decided.code in _GUESSES or decided.hold:
            # What costs a row or is a guess is counted; a right that is good costs nothing.
            self._limits.failed(address, self._clock.monotonic())
        if decided.code:
            self._log.warning("enrolment refused", reason=decided.code, node=wanted.node_id, address=address)
        if decided.hold:
            self._noticed()

    def _refused(self, node_id: str, code: str, address: str, now: int) -> None:
        self._log.warning("renewal refused", reason=code, node=node_id, address=address)
        if code != "renew-early":
            self._limits.failed(address, self._clock.monotonic())
            self._devices.happened(node_id, code, "", "", now)
            self._noticed()


def _renewing(present: Certificate, wanted: PublicKey, forced: bool) -> rule.Renewing:
    return rule.Renewing(
        serial=f"{present.serial:x}",
        key_id=present.public.key_id,
        wanted_key_id=wanted.key_id,
        not_before=_milliseconds(present.not_before),
        not_after=_milliseconds(present.not_after),
        forced=forced,
    )


def _sentence(code: str) -> str:
    if not code:
        return ""
    words = catalogue.words(catalogue.finding(code))
    return f"{words.title}. {words.remedy}"


def _half_over(known: CertificateRow, now: int) -> bool:
    return now >= known.issued + (known.not_after - known.issued) // 2


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
