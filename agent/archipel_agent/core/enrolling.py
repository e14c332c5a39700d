"""The part of the agent that belongs to a fleet, or comes to; and the one that answer files are asked about."""

import logging
from collections.abc import Callable
from pathlib import Path

from archipel_agent.core.base import Base
from archipel_agent.ports import Enrolment
from archipel_agent.service import Refused
from archipel_contract.answers import AnswersStatus, AnswersWish
from archipel_contract.api import EnrolmentWish, VoucherGiven, VoucherRequest, VoucherWish
from archipel_contract.status import EnrolmentStatus

LOG = logging.getLogger(__name__)


def _unanswering(path: Path) -> AnswersStatus:
    """Nobody applies answer files here."""
    raise Refused(503, "no-answers", f"{path} cannot be applied: nobody does it here.", "sudo archipel up")


class Enrolling(Base):
    """See `service.MembershipService`."""

    way_in: Enrolment | None = None
    """Replaced by whoever makes the link; without it (a command that looks by itself) nothing is known of a fleet."""
    answers_status: Callable[[], AnswersStatus] = AnswersStatus
    """Replaced, as the next, by whoever looks for answer files."""
    answers_apply: Callable[[Path], AnswersStatus] = staticmethod(_unanswering)

    def enrolment(self) -> EnrolmentStatus:
        """Return how this machine stands with its fleet."""
        return self.way_in.status() if self.way_in is not None else EnrolmentStatus()

    def enrol(self, wish: EnrolmentWish, asked_by: str) -> EnrolmentStatus:
        """Begin to enrol."""
        status = self._way_in().invite(wish.link, wish.again)
        self._note(f"local:{asked_by}", "enrol", "started", address=status.address)
        return status

    def leave_fleet(self, asked_by: str) -> EnrolmentStatus:
        """Leave the fleet; what it had ordered is forgotten with it."""
        way_in = self._way_in()
        before = way_in.status()
        way_in.leave()
        if self.store is not None:
            self.store.orders.left()
        LOG.warning("%s had this machine leave its fleet", asked_by)
        self._note(f"local:{asked_by}", "fleet", "left", address=before.address)
        return way_in.status()

    def voucher_request(self) -> VoucherRequest:
        """Return what another node has to know to vouch for this one."""
        return self._way_in().request()

    def vouch(self, wish: VoucherWish, asked_by: str) -> VoucherGiven:
        """Vouch for another machine of this site."""
        given = self._way_in().vouch(wish)
        self._note(f"local:{asked_by}", "vouch", "done", node=given.node_id, key=wish.request.key_id)
        return given

    def answers(self) -> AnswersStatus:
        """Return how the answer file stands."""
        return self.answers_status()

    def apply_answers(self, wish: AnswersWish, asked_by: str) -> AnswersStatus:
        """Apply an answer file that somebody names."""
        self._note(f"local:{asked_by}", "answers:apply", "asked", wish.path)
        return self.answers_apply(Path(wish.path))

    def _way_in(self) -> Enrolment:
        if self.way_in is None:
            raise Refused(
                503, "no-state", "This machine cannot enrol: its state cannot be used.", "archipel doctor"
            )
        return self.way_in
