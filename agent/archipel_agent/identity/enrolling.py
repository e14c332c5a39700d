"""How a device enrols: from what is known and what was answered to the next question. Pure; `keeper` asks and keeps.

First it learns the fleet's CA from whoever answers, and compares it with the pin of its token; then it asks over TLS that
this CA has signed for, and asks again until somebody has decided. Without a token the pin is what a person compares: the
claim code is reckoned from the device's key and the CA it sees. Times are seconds of the clock that only grows.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from archipel_contract.status import Membership
from archipel_contract.trust.enrolment import Answer, EnrolmentState
from archipel_contract.trust.reading import CertificateInvalid
from archipel_contract.trust.token import Invitation, claim_code

AWAY, UNTRUSTED, UNUSABLE = "identity-fleet-away", "identity-wrong-authority", "identity-answer-unusable"
REFUSED, TOKEN_REFUSED, NODE_KNOWN = "identity-refused", "identity-token-refused", "identity-node-known"
PENDING = "identity-pending"

FIRST_WAIT, LONGEST_WAIT = 5.0, 900.0  # after a failure, doubled each time
REFUSED_WAIT = 3600.0  # a refusal may be put right at the fleet; asking hourly costs nothing
LEAST_PENDING, MOST_PENDING = 2.0, 600.0  # bounds of what the fleet may wish
JITTER = 0.2  # of every wait, either way: after an outage not everybody comes at once


class Ask(StrEnum):
    """What to ask next."""

    AUTHORITY = "authority"  # which CA the fleet has, of whoever answers
    CERTIFICATE = "certificate"  # of the fleet, verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolling:
    """An enrolment under way."""

    invitation: Invitation
    authority: str = ""  # the fleet's CA (PEM), once it is known to be the one
    state: Membership = Membership.WAITING
    claim: str = ""
    code: str = ""
    message: str = ""
    fleet: str = ""
    failures: int = 0
    next_at: float = 0.0

    @property
    def ask(self) -> Ask:
        """What to ask at `next_at`."""
        return Ask.CERTIFICATE if self.authority else Ask.AUTHORITY


def learned(before: Enrolling, answer: Answer, device_key: bytes, now: float, random: float) -> Enrolling:
    """Return how it stands after somebody said which CAs the fleet has; `device_key` is the DER of the public key."""
    from archipel_contract.trust import certificates  # noqa: PLC0415 - a megabyte that is needed once

    wanted = before.invitation.pin
    seen = []
    for one in answer.authorities:
        try:
            pin = certificates.pin(one.encode())
        except CertificateInvalid:
            continue
        seen.append(pin)
        if wanted in ("", pin):
            claim = claim_code(device_key, certificates.public_der(one.encode()))
            shown = before.claim if wanted else claim
            return replace(before, authority=one, claim=shown, fleet=answer.fleet_name, next_at=now)
    if not wanted or not seen:
        return failed(before, UNUSABLE, "it names no CA", now, random)
    problem = f"token or voucher is for a fleet whose CA has the pin {wanted}, here it is {', '.join(seen)}"
    return failed(before, UNTRUSTED, problem, now, random)


def answered(before: Enrolling, answer: Answer, now: float, random: float) -> Enrolling:
    """Return how it stands after the fleet answered; ISSUED is the caller's to keep."""
    fleet = answer.fleet_name or before.fleet
    if answer.state is EnrolmentState.PENDING:
        if before.claim and answer.claim and answer.claim != before.claim:
            problem = f"the fleet reckons the claim code {answer.claim}, this device {before.claim}"
            return failed(replace(before, authority=""), UNTRUSTED, problem, now, random)
        wait = min(MOST_PENDING, max(LEAST_PENDING, float(answer.retry_seconds)))
        return replace(
            before,
            state=Membership.PENDING,
            claim=before.claim or answer.claim,
            code=_refusal(answer.code) if answer.code else PENDING,
            message=answer.text,
            fleet=fleet,
            failures=0,
            next_at=now + _spread(wait, random),
        )
    if answer.state is EnrolmentState.REFUSED:
        return replace(
            before,
            state=Membership.REFUSED,
            code=_refusal(answer.code),
            message=answer.text or answer.code,
            fleet=fleet,
            failures=0,
            next_at=now + _spread(REFUSED_WAIT, random),
        )
    return failed(before, UNUSABLE, f"it answers {answer.state.value!r}", now, random)


def failed(before: Enrolling, code: str, message: str, now: float, random: float) -> Enrolling:
    """Return how it stands after a try that failed. What was learned of the CA is looked at anew after a wrong one."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(before.failures, 16))
    state = before.state if before.state is Membership.PENDING and code == AWAY else Membership.WAITING
    return replace(
        before,
        authority="" if code == UNTRUSTED else before.authority,
        state=state,
        code=code,
        message=message,
        failures=before.failures + 1,
        next_at=now + _spread(wait, random),
    )


def _refusal(code: str) -> str:
    """Return the device's finding for the fleet's."""
    if code.startswith("enrol-token"):
        return TOKEN_REFUSED
    return NODE_KNOWN if code == "enrol-node-known" else REFUSED


def _spread(seconds: float, random: float) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * random)
