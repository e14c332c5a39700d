"""The calls of a node that dials in: when one is over, and what becomes of the line until the next. Pure; used by `session`.

A call either begins with a new line or speaks on the one that was kept. A line that was kept and does not answer is dead:
the node connects anew at once, and says all of it there. That it was dead counts only once the new line was answered; else
it was the fleet that was away.
"""

from collections.abc import Callable
from enum import Enum, auto

from archipel_agent.link.holding import Holding

CALL_SECONDS = 60.0  # of a call without an answer
LONGEST_CALL_SECONDS = 900.0
# An answer on a line that was kept: a slow one over satellite or a sleeping modem takes less, and what is sent into a dead
# line meanwhile is sent for nothing.
KEPT_ANSWER_SECONDS = 20.0
# No line is kept longer: so a renewed certificate is used and an ended one shown to the broker, within a day.
LONGEST_LINE_SECONDS = 86_400.0


class Verdict(Enum):
    """How a call stands."""

    GOES_ON = auto()
    OVER = auto()  # all was said, or as much as could be
    UNHEARD = auto()  # nobody answered on a new line
    DEAD = auto()  # nobody answered on a kept line
    FLEET_AWAY = auto()  # the controller said that it is away, and says on this line when it is back


class Broke(Enum):
    """What a connection was when it ended by itself."""

    IN_USE = auto()
    KEPT = auto()  # silent between two calls: nothing is lost, the next call is not due
    DEAD = auto()  # a call had begun on a kept line and was not answered


class Calls:
    """The calls of one node."""

    def __init__(self, every: float, *, holds: bool, lingers: Callable[[], float]) -> None:
        """`every` is the seconds between two calls; `lingers` says for how many a call waits for orders at its end."""
        self._every, self._holds, self._lingers = every, holds, lingers
        self._holding = Holding()
        self._opened_at = self._began = 0.0
        self._is_kept = False  # whether this call speaks on a line that was kept
        self._is_suspected = False  # whether the line before was dead, if anybody was there
        self.is_resting = False

    # --- what happens ------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> None:
        """A call begins on a new line."""
        self._opened_at = self._began = now
        self.is_resting = self._is_kept = False

    def resumed(self, now: float) -> None:
        """A call begins on the line that was kept."""
        self._began, self.is_resting, self._is_kept = now, False, True

    def finished(self, now: float, verdict: Verdict) -> bool:
        """The call is over as it should be; return whether the line is kept."""
        if verdict is Verdict.OVER and self._is_suspected:
            self._holding.dropped(now)
        elif verdict is Verdict.OVER and self._is_kept:
            self._holding.kept()
        self._is_suspected = self._is_kept = False
        self.is_resting = self.may_hold(now) and now + self._every <= self._opened_at + LONGEST_LINE_SECONDS
        return self.is_resting

    def ended(self, answered_at: float | None) -> Broke:
        """The line is gone, or there was none; return what it was."""
        was = Broke.IN_USE
        if self.is_resting:
            was = Broke.KEPT
        elif self._is_kept and not self._is_heard(answered_at):
            was = Broke.DEAD
        self._is_suspected = was is not Broke.IN_USE
        self.is_resting = self._is_kept = False
        return was

    # --- what is asked -----------------------------------------------------------------------------------------------

    def may_hold(self, now: float) -> bool:
        """Whether lines are kept on this way."""
        return self._holds and self._holding.is_allowed(now)

    def judge(self, now: float, answered_at: float | None, *, is_idle: bool, is_fleet_away: bool) -> Verdict:
        """Return how the call stands; `is_idle`: all is said and acknowledged."""
        if is_fleet_away and self.may_hold(now):
            return Verdict.FLEET_AWAY
        is_heard = self._is_heard(answered_at)
        if (is_idle and now >= self._lingers_until(now, answered_at)) or now >= self._patient(answered_at):
            return Verdict.OVER if is_heard else Verdict.DEAD if self._is_kept else Verdict.UNHEARD
        return Verdict.GOES_ON

    def until(self, now: float, answered_at: float | None, is_idle: bool) -> float:
        """Return until when the call goes on if nothing more is heard."""
        patient = self._patient(answered_at)
        return min(patient, self._lingers_until(now, answered_at)) if is_idle else patient

    def _is_heard(self, answered_at: float | None) -> bool:
        return answered_at is not None and answered_at >= self._began

    def _lingers_until(self, now: float, answered_at: float | None) -> float:
        """An order may be on its way, or its result; on a line that is kept both come at any time."""
        last = answered_at if answered_at is not None else self._began
        return last if self.may_hold(now) else last + self._lingers()

    def _patient(self, answered_at: float | None) -> float:
        """Return when the call is over whatever has not been said or acknowledged yet."""
        if not self._is_heard(answered_at):
            return self._began + (KEPT_ANSWER_SECONDS if self._is_kept else CALL_SECONDS)
        assert answered_at is not None  # see _is_heard
        return min(answered_at + CALL_SECONDS, self._began + LONGEST_CALL_SECONDS)
