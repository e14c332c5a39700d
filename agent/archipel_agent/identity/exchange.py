"""The two conversations with the fleet's enrolment, one round each: over the ports, without remembering anything.

Called by `keeper`, in a thread that may wait for the network. Nothing secret is sent before it is verified who answers.
"""

import binascii
import logging
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, replace

from archipel_agent.clocks import TrustedTime
from archipel_agent.identity import enrolling
from archipel_agent.identity.device import DeviceIdentity
from archipel_agent.identity.enrolling import Ask, Enrolling
from archipel_agent.identity.files import AnswerInvalid
from archipel_agent.ports import Clock, EnrolFailed, Enroller, Entropy, Secured
from archipel_contract.link.envelope import EnvelopeInvalid, frame_from
from archipel_contract.trust.enrolment import ENROL, RENEW, TRUST, Answer, EnrolmentState, Renewal, Request
from archipel_contract.trust.keys import device_key_from_pem, public_der
from archipel_contract.wire import WireError, from_json, to_json

LOG = logging.getLogger(__name__)
UNHEARD = (EnrolFailed, WireError, AnswerInvalid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What it takes to talk to the fleet's enrolment."""

    identity: DeviceIdentity
    enroller: Enroller
    clock: Clock
    entropy: Entropy
    time: Callable[[], TrustedTime]
    believe: Callable[[int], object]
    """Takes the fleet's time (milliseconds since 1970 UTC), heard over a verified connection."""
    about: Callable[[], Request]
    """Returns what this machine says of itself, without key and token."""

    def random(self) -> float:
        """Return a number from 0 up to 1."""
        return int.from_bytes(self.entropy.bytes(6), "big") / (1 << 48)


def enrol(parts: Parts, before: Enrolling) -> Enrolling | Answer:
    """Ask what is to be asked next; return how it stands then, or the answer with which the device is enrolled.

    Never fails for what the network or the other end does.
    """
    now = before
    try:
        if now.ask is Ask.AUTHORITY:
            now = _learn(parts, now)
        return _request(parts, now) if now.ask is Ask.CERTIFICATE else now
    except EnrolFailed as error:
        code, problem = enrolling.UNTRUSTED if error.is_untrusted else enrolling.AWAY, str(error)
    except UNHEARD as error:
        code, problem = enrolling.UNUSABLE, str(error)
    except OSError as error:
        code, problem = "", unkept(error)
    return enrolling.failed(now, code, problem, parts.clock.monotonic(), parts.random())


def _learn(parts: Parts, before: Enrolling) -> Enrolling:
    said = _asked(parts, before.invitation.address, TRUST, b"", None)
    key = public_der(device_key_from_pem(parts.identity.files.asking_key()))
    return enrolling.learned(before, said, key, parts.clock.monotonic(), parts.random())


def _certificate_request(parts: Parts) -> str:
    from archipel_contract.trust import certificates  # noqa: PLC0415 - a megabyte that is needed twice a year

    return certificates.request(device_key_from_pem(parts.identity.files.asking_key())).decode()


def _request(parts: Parts, before: Enrolling) -> Enrolling | Answer:
    token, vouched, about = before.invitation.token, before.invitation.vouched, parts.about()
    request = replace(
        about,
        csr=_certificate_request(parts),
        node_id=parts.identity.node_id,
        token=token.text if token else "",
        voucher=vouched.frame if vouched else "",
        site_id=vouched.site_id if vouched else about.site_id,
    )
    secured = Secured(authorities=(before.authority,), check_time=parts.time().checks_dates)
    answer = _asked(parts, before.invitation.address, ENROL, to_json(request), secured)
    parts.believe(answer.at)
    if answer.state is EnrolmentState.ISSUED:
        return answer
    return enrolling.answered(before, answer, parts.clock.monotonic(), parts.random())


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """How asking for the next certificate ended; without a `message` it is there."""

    message: str = ""
    was_refused: bool = False


def renew(parts: Parts) -> Renewed:
    """Ask for the next certificate and keep it; never fails for what the network or the other end does."""
    identity = parts.identity
    try:
        secured = identity.secured(parts.time().checks_dates)
        body = to_json(Renewal(csr=_certificate_request(parts)))
        answer = _asked(parts, identity.fleet.address, RENEW, body, secured)
        parts.believe(answer.at)
        if answer.state is not EnrolmentState.ISSUED:
            return Renewed(message=answer.text or answer.code or answer.state.value, was_refused=True)
        _take_trust(identity, answer)
        identity.renew(answer)
    except UNHEARD as error:
        return Renewed(message=str(error))
    except OSError as error:
        return Renewed(message=unkept(error))
    return Renewed()


def _take_trust(identity: DeviceIdentity, answer: Answer) -> None:
    """Take the trust document that came with a renewal. One that is not heeded is no reason to refuse the rest."""
    if not answer.trust:
        return
    try:
        identity.take(frame_from(b64decode(answer.trust, validate=True)))
    except (EnvelopeInvalid, binascii.Error) as error:
        LOG.warning("the trust document that came with the renewal is not heeded: %s", error)


def unkept(error: OSError) -> str:
    """Return the sentence for a disk that takes nothing."""
    return f"what belongs to it cannot be kept: {error.strerror or error}"


def _asked(parts: Parts, address: str, path: str, body: bytes, secured: Secured | None) -> Answer:
    return from_json(Answer, parts.enroller.ask(address, path, body, secured))
