"""Keeps the device's identity: enrols when there is an invitation, renews in time, and says how that stands.

The daemon calls `look` before each turn; while nothing is due that compares two numbers and no more. What is due is done in
a thread of its own that ends with it, because the network may take long. Made by `making`.
"""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from archipel_agent.identity import enrolling, exchange, renewing, showing
from archipel_agent.identity.device import DeviceIdentity
from archipel_agent.identity.enrolling import Enrolling
from archipel_agent.identity.exchange import Parts
from archipel_agent.identity.files import AnswerInvalid
from archipel_agent.service import Refused
from archipel_contract.api import VoucherGiven, VoucherRequest, VoucherWish
from archipel_contract.status import EnrolmentStatus
from archipel_contract.trust.enrolment import Answer
from archipel_contract.trust.token import Invitation, TokenInvalid, invitation

LOG = logging.getLogger(__name__)
STOP_SECONDS = 5.0
NEVER = math.inf


def _nobody() -> None:
    """Nobody wants to know."""


def in_a_thread(work: Callable[[], None]) -> None:
    """Do it in a thread of its own."""
    threading.Thread(target=work, name="identity", daemon=True).start()


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewing:
    """How renewing stands."""

    failures: int = 0
    message: str = ""
    was_refused: bool = False
    is_late: bool = False
    has_ended: bool = False


class IdentityKeeper:
    """See the module."""

    def __init__(self, parts: Parts, apart: Callable[[Callable[[], None]], None] = in_a_thread) -> None:
        """Nothing is asked before the first `look`; `apart` has what may take long done elsewhere."""
        self._parts = parts
        self._apart = apart
        self.identity: DeviceIdentity = parts.identity
        self.when_changed: Callable[[], None] = _nobody
        """Called when the status changed; from any thread, and it must not block."""
        self._lock = threading.RLock()
        self._idle = threading.Event()
        self._idle.set()
        self._stopped = False
        self._renewing = Renewing()
        self._enrolling: Enrolling | None = None
        self._unusable = ""  # why what was left to enrol with is no link
        self._due = 0.0
        self._next_at = ""  # the same for people, by the wall clock as it was when that was settled
        self.identity.when_changed = lambda: self.when_changed()  # also where orders from above wipe it
        self._go_on()

    def look(self) -> None:
        """Have done what is due, if anything is; returns at once."""
        if self._parts.clock.monotonic() < self._due or self._stopped or not self._idle.is_set():
            return
        self._idle.clear()
        self._apart(self._work)

    def step(self) -> None:
        """Do what is due now; takes as long as the network does."""
        under_way = self._enrolling
        if under_way is not None:
            if self._parts.clock.monotonic() >= under_way.next_at:
                self._enrol(under_way)
        elif self.identity.has_certificate:
            self._renew()
        else:
            self._next(NEVER)

    def invite(self, link: str, again: bool = False) -> EnrolmentStatus:
        """Begin to enrol by a link such as `https://host:port/#id.secret.pin`; raise Refused."""
        try:
            wanted = invitation(link).text
        except TokenInvalid as error:
            message = f"The link to enrol by cannot be used: {error}."
            raise Refused(400, "link-invalid", message, "archipel enrol --help") from error
        self._check_site(invitation(wanted))
        with self._lock:
            if self.identity.has_certificate and not again:
                name = self.identity.fleet.fleet_name or self.identity.fleet.address
                message = f"This machine belongs to the fleet {name} already."
                raise Refused(409, "enrolled", message, "To enrol it anew: sudo archipel enrol --again LINK")
            try:
                self.identity.invite(wanted)
            except OSError as error:
                message = f"The link cannot be kept: {error.strerror or error}."
                raise Refused(503, "not-kept", message, "archipel doctor") from error
            self._begin(wanted)
        self.when_changed()
        self.look()
        return self.status()

    def _check_site(self, wanted: Invitation) -> None:
        """Refuse a voucher of a site that this machine is no part of: the fleet would."""
        own = self._parts.about().site_id
        if wanted.vouched is not None and own not in ("", wanted.vouched.site_id):
            message = "The voucher is of another site than this machine's."
            remedy = "Enrol it with a token: sudo archipel enrol LINK"
            raise Refused(409, "other-site", message, remedy)

    def request(self) -> VoucherRequest:
        """Return what another node has to know to vouch for this one, which has a key from now on; raise Refused."""
        from archipel_agent.identity import vouching  # noqa: PLC0415 - asked for once in the life of a machine

        about = self._parts.about()
        with self._lock:
            if self.identity.has_certificate:
                raise Refused(409, "enrolled", "This machine belongs to a fleet already.", "archipel status")
            try:
                return vouching.request(self.identity, about.hostname, about.site_id)
            except OSError as error:
                message = f"The key cannot be kept: {error.strerror or error}."
                raise Refused(503, "not-kept", message, "archipel doctor") from error

    def vouch(self, wish: VoucherWish) -> VoucherGiven:
        """Vouch for another machine of this site; raise Refused."""
        from archipel_agent.identity import vouching  # noqa: PLC0415 - asked for once in the life of a machine

        return vouching.vouched(self.identity, wish, self._parts.about().site_id, self._parts.time())

    def leave(self) -> None:
        """Leave the fleet, or what was begun to come into one, by the word of somebody on site; raise Refused."""
        if self._enrolling is None and not self.identity.has_certificate and self.identity.problem is None:
            raise Refused(409, "no-fleet", "This machine belongs to no fleet.", "archipel status")
        try:
            self.wipe()
        except OSError as error:
            message = f"The keys cannot be wiped: {error.strerror or error}."
            raise Refused(503, "not-kept", message, "archipel doctor") from error
        self.when_changed()

    def status(self) -> EnrolmentStatus:
        """Return how it stands; cheap, reads no files."""
        with self._lock:
            under_way, unusable, renewing_ = self._enrolling, self._unusable, self._renewing
            next_at = self._next_at
        if under_way is not None:
            return showing.under_way(under_way, next_at)
        if self.identity.problem is not None:
            return showing.damaged(self.identity.problem)
        if self.identity.has_certificate:
            again = next_at if renewing_.message else ""
            shown = showing.enrolled(self.identity.fleet, self.identity.newest, again)
            is_stuck = renewing_.is_late or renewing_.was_refused
            return showing.with_renewing(shown, renewing_.message, is_stuck, renewing_.has_ended)
        return showing.without(unusable)

    def unusable(self, why: str) -> None:
        """Note that what was left to enrol with is no link."""
        self._unusable = why

    def wipe(self) -> None:
        """Leave the fleet: whatever is under way ends, keys are overwritten, the cluster is not touched. Raises OSError."""
        with self._lock:
            self._enrolling, self._renewing = None, Renewing()
            self.identity.wipe()

    def stop(self) -> None:
        """Begin nothing more, and wait a little for what is under way."""
        self._stopped = True
        self._idle.wait(STOP_SECONDS)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Go on with an enrolment that the last end of the agent cut off."""
        try:
            kept = self.identity.files.invitation()
        except OSError as error:
            LOG.warning("the link to enrol by cannot be read: %s", error)
            return
        if kept:
            try:
                self._begin(kept)
            except TokenInvalid as error:
                self.unusable(str(error))

    def _begin(self, link: str) -> None:
        self._unusable = ""
        self._enrolling = Enrolling(invitation=invitation(link), next_at=self._parts.clock.monotonic())
        self._next(0.0)

    def _enrol(self, before: Enrolling) -> None:
        said = exchange.enrol(self._parts, before)
        with self._lock:
            if self._enrolling is not before:
                return  # somebody has given another link meanwhile, or taken this one back
            after = self._adopted(before, said) if isinstance(said, Answer) else said
            self._enrolling = after
            self._next(after.next_at - self._parts.clock.monotonic() if after is not None else 0.0)
        if after is not None and after.code not in ("", enrolling.PENDING):
            LOG.warning("not enrolled yet: %s", after.message)
        self.when_changed()

    def _adopted(self, before: Enrolling, answer: Answer) -> Enrolling | None:
        """Return None once the device is enrolled, else how it stands."""
        try:
            self.identity.adopt(before.invitation.address, answer)
        except AnswerInvalid as error:
            code, problem = enrolling.UNUSABLE, str(error)
        except OSError as error:
            code, problem = "", exchange.unkept(error)
        else:
            self._renewing = Renewing()
            LOG.info("enrolled with the fleet %s as %s", answer.fleet_name, self.identity.node_id)
            return None
        now, random = self._parts.clock.monotonic(), self._parts.random()
        return enrolling.failed(before, code, problem, now, random)

    def _renew(self) -> None:
        certificate, node_id, now = self.identity.newest, self.identity.node_id, self._parts.time().now
        shown = self._renewing
        self._renewing = replace(
            shown,
            is_late=renewing.is_late(certificate, now),
            has_ended=renewing.has_ended(certificate, now),
        )
        if not renewing.is_due(certificate, node_id, now):
            self._next(renewing.next_look(certificate, node_id, now))
        else:
            self._renewed(exchange.renew(self._parts))
        if self._renewing != shown:
            self.when_changed()

    def _renewed(self, end: exchange.Renewed) -> None:
        if not end.message:
            LOG.info("the certificate was renewed; it is used from the next connection on")
            self._renewing = Renewing()
            self._next(0.0)
            return
        LOG.warning("the certificate could not be renewed: %s", end.message)
        failures = self._renewing.failures + 1
        self._renewing = replace(
            self._renewing, failures=failures, message=end.message, was_refused=end.was_refused
        )
        self._next(renewing.wait_after(failures, end.was_refused, self._parts.random()))

    def _next(self, seconds: float) -> None:
        """Settle when there is something to do again."""
        self._due = self._parts.clock.monotonic() + seconds
        self._next_at = showing.moment(self._parts.clock.now(), seconds)

    def _work(self) -> None:
        try:
            self.step()
        except Exception:  # the task boundary: a defect must not end the keeping
            LOG.exception("keeping the identity has a defect; it is tried again")
            self._next(renewing.FIRST_WAIT)
        finally:
            self._idle.set()
