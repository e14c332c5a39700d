"""When a certificate is renewed. Pure; `keeper` asks.

From half of its life on, each device at a moment of its own in the tenth after it, so that a fleet enrolled on one day does
not renew in one minute. A certificate that has ended is still renewed: the fleet decides by its registry, not by the date.
"""

import hashlib
from datetime import datetime, timedelta

from archipel_contract.trust.reading import Certificate

SPREAD = 0.1  # of the life, after its half
LATE = 0.75  # of the life: renewing should have worked by then, and people are told
LOOK_SECONDS = 3600.0  # how often it is looked at
FIRST_WAIT, LONGEST_WAIT = (
    60.0,
    3600.0,
)  # after a failure, doubled each time; a refusal waits the longest at once


def due_at(certificate: Certificate, node_id: str) -> datetime:
    """Return from when on this device renews this certificate."""
    life = certificate.not_after - certificate.not_before
    return certificate.half_life + life * SPREAD * share(node_id)


def is_due(certificate: Certificate, node_id: str, now: datetime) -> bool:
    """Whether to renew at `now`, the time as well as it is known."""
    return now >= due_at(certificate, node_id)


def is_late(certificate: Certificate, now: datetime) -> bool:
    """Whether renewing should have worked long ago."""
    return now >= certificate.not_before + (certificate.not_after - certificate.not_before) * LATE


def has_ended(certificate: Certificate, now: datetime) -> bool:
    """Whether brokers refuse it, as far as the time is known."""
    return now >= certificate.not_after


def wait_after(failures: int, was_refused: bool, random: float) -> float:
    """Return the seconds until the next try after so many failures in a row; `random` is from 0 up to 1."""
    wait = LONGEST_WAIT if was_refused else min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 16))
    return wait * (1 + SPREAD * random)


def next_look(certificate: Certificate, node_id: str, now: datetime) -> float:
    """Return the seconds until it is worth looking again, at most LOOK_SECONDS: the clock may be set any time."""
    return max(1.0, min(LOOK_SECONDS, (due_at(certificate, node_id) - now) / timedelta(seconds=1)))


def share(node_id: str) -> float:
    """Return a number from 0 up to 1 that is this node's own."""
    return int.from_bytes(hashlib.sha256(node_id.encode()).digest()[:6], "big") / (1 << 48)
