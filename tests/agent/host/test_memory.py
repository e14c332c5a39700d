"""Memory is given back when that is worth it, and then really is."""

from archipel_agent.host.memory import (
    GROWN_BYTES,
    GROWN_SECONDS,
    SELDOM_SECONDS,
    Tidying,
)
from archipel_contract.memory import give_back, resident

LARGE = 24 << 20


class Process:
    """A process whose memory the test makes grow."""

    def __init__(self) -> None:
        self.bytes, self.given = 40 << 20, 0
        self.tidying = Tidying(self.give_back, lambda: self.bytes)

    def give_back(self) -> None:
        """What the real one does."""
        self.given += 1


def test_memory_is_given_back_at_the_first_rest_after_a_job_and_once_in_a_while() -> None:
    one = Process()
    for now in (0.0, 10.0, SELDOM_SECONDS - 1):
        one.tidying.rests(now)
    assert one.given == 1
    one.tidying.rests(SELDOM_SECONDS)
    assert one.given == 2
    one.tidying.worked()
    one.tidying.rests(SELDOM_SECONDS + 1)
    assert one.given == 3


def test_what_came_by_itself_since_is_given_back_within_a_minute_and_no_more_often() -> None:
    one = Process()
    one.tidying.rests(0.0)
    one.bytes += GROWN_BYTES
    one.tidying.rests(GROWN_SECONDS - 1)
    assert one.given == 1
    one.tidying.rests(GROWN_SECONDS)
    assert one.given == 2
    one.bytes += GROWN_BYTES - 1
    one.tidying.rests(3 * GROWN_SECONDS)
    assert one.given == 2, "what is kept is kept, and little is not worth it"


def test_what_was_freed_is_resident_no_more() -> None:
    kept = []
    held = []
    for number in range(LARGE // 2000):
        held.append(bytes(2000 + number % 3))
        if not number % 1000:
            kept.append(bytes(700))  # so that the top of the heap stays where it is
    full = resident()
    held.clear()
    give_back()
    assert len(kept) and resident() < full - LARGE // 2
