"""Which repair the agent may begin by itself, and when it has tried often enough. Pure; called by `healer` once a turn.

Three rules bound it. It begins at most so many repairs between two good hours, each pause twice as long as the one before;
then it stops and says so. It begins nothing while a person's job runs, after `down`, or when somebody has stopped k3s. And
what it begins loses no data: a restart, files k3s makes anew, room made by what nobody needs.

Times are seconds of the monotonic clock of this boot, so that a clock that is set counts for nothing. What was tried before
a reboot counts as tried at the boot: nobody knows how long the machine was off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

GOOD_SECONDS = 3600.0
FIRST_PAUSE_SECONDS = 120.0
LONGEST_PAUSE_SECONDS = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What to try about a finding: how long the finding must have stood, and the job's verb with its options."""

    code: str
    patience: float
    verb: str
    options: Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What has been tried since the last good hour."""

    tried: tuple[float, ...] = ()  # when each repair was begun, oldest first
    stopped: str = ""  # the finding for which it was tried in vain; empty while it may go on
    good_since: float | None = None  # since when all is well, as far as was looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look: the repairs there would be for what is found, the first the best, each with when it was first found."""

    repairs: tuple[tuple[float, Repair], ...]
    is_good: bool  # nothing is wrong, and no job runs
    may_act: bool  # it is wished at all, no job runs, and k3s should run


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The history from now on, and the repair to begin now, if any."""

    history: History
    begin: Repair | None = None


def pause(tried: int) -> float:
    """Return the seconds that must pass after the last of so many repairs."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** (tried - 1), LONGEST_PAUSE_SECONDS) if tried else 0.0


def rebooted(history: History) -> History:
    """Return the history as it counts after a reboot."""
    return History(tried=tuple(0.0 for _ in history.tried), stopped=history.stopped)


def decide(seen: Seen, history: History, limit: int, now: float) -> Decision:
    """Return what to do now; `limit` is how many repairs may be begun between two good hours."""
    history = _after_good(history, seen.is_good, now)
    due = [one for since, one in seen.repairs if now - since >= one.patience]
    rests = bool(history.tried) and now - history.tried[-1] < pause(len(history.tried))
    if not due or not seen.may_act or history.stopped or rests:
        return Decision(history=history)
    if len(history.tried) >= limit:
        return Decision(history=replace(history, stopped=due[0].code))
    return Decision(history=replace(history, tried=(*history.tried, now)), begin=due[0])


def _after_good(history: History, is_good: bool, now: float) -> History:
    """Return the history with its good time counted; a good hour ends it."""
    if not is_good:
        return replace(history, good_since=None)
    since = now if history.good_since is None else history.good_since
    return History(good_since=since) if now - since >= GOOD_SECONDS else replace(history, good_since=since)
