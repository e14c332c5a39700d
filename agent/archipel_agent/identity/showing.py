"""How a device stands with its fleet, as people are shown it. Pure; called by `keeper`."""

import math
from dataclasses import replace
from datetime import datetime, timedelta

from archipel_agent.host.clock import text
from archipel_agent.identity.enrolling import Enrolling
from archipel_agent.identity.reading import FleetFacts, IdentityUnusable
from archipel_contract.status import EnrolmentStatus, Membership
from archipel_contract.trust.reading import Certificate

STUCK, ENDED, LINK_UNUSABLE = "identity-renewal-stuck", "identity-expired", "identity-token-unusable"


def moment(wall: datetime, seconds: float) -> str:
    """Return the wall clock's time so many seconds ahead; empty for never."""
    return "" if math.isinf(seconds) else text(wall + timedelta(seconds=max(0.0, seconds)))


def under_way(now: Enrolling, next_try_at: str) -> EnrolmentStatus:
    """An enrolment that has not ended."""
    return EnrolmentStatus(
        state=now.state,
        address=now.invitation.address,
        fleet=now.fleet,
        claim=now.claim,
        code=now.code,
        message=now.message,
        next_try_at=next_try_at,
    )


def enrolled(facts: FleetFacts, newest: Certificate, next_try_at: str) -> EnrolmentStatus:
    """A device that belongs to a fleet."""
    return EnrolmentStatus(
        state=Membership.ENROLLED,
        address=facts.address,
        fleet=facts.fleet_name,
        display_name=facts.display_name,
        certificate_until=text(newest.not_after),
        next_try_at=next_try_at,
    )


def with_renewing(shown: EnrolmentStatus, message: str, is_stuck: bool, has_ended: bool) -> EnrolmentStatus:
    """The same with what is wrong with its renewal. That first tries fail is nobody's concern: half a life is left."""
    if has_ended:
        return replace(shown, state=Membership.EXPIRED, code=ENDED, message=message)
    return replace(shown, code=STUCK if message and is_stuck else "", message=message)


def damaged(problem: IdentityUnusable) -> EnrolmentStatus:
    """A device whose files cannot be used."""
    return EnrolmentStatus(
        state=Membership.UNKNOWN, code=problem.code, message=problem.detail, file=str(problem.file)
    )


def without(unusable: str) -> EnrolmentStatus:
    """A device of no fleet; `unusable` is why what was left to enrol with is no link."""
    if unusable:
        return EnrolmentStatus(state=Membership.REFUSED, code=LINK_UNUSABLE, message=unusable)
    return EnrolmentStatus()
