"""Times as people read them: an age first, the absolute time in UTC beside it.

Called by the other views. Every time is milliseconds since 1970 UTC; `now` is given, never asked for.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from archipel_contract.catalogue.web import Words

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LAST_MOMENT = 253_402_300_799_999  # the end of the year 9999, beyond which datetime has no words


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time for a `<time>` element: how long ago, for machines, and in full."""

    age: str
    machine: str
    full: str


def length(words: Words, milliseconds: int) -> str:
    """Return a length of time in the two coarsest units that matter; what is negative counts as none."""
    left = max(0, milliseconds)
    if left < MINUTE:
        return words("age.seconds", n=left // SECOND)
    if left < HOUR:
        return words("age.minutes", n=left // MINUTE)
    if left < DAY:
        hours, minutes = left // HOUR, left % HOUR // MINUTE
        return words("age.hours", n=hours, m=minutes) if minutes else words("age.hours-only", n=hours)
    days = left // DAY
    return words("age.days-one" if days == 1 else "age.days", n=days)


def full(at: int) -> str:
    """Return `2026-11-22 10:39:35 UTC`; what lies outside the calendar becomes its nearest end."""
    return _utc(at).strftime("%Y-%m-%d %H:%M:%S UTC")


def short(at: int) -> str:
    """Return `2026-11-22 10:39`, in UTC, for axes."""
    return _utc(at).strftime("%Y-%m-%d %H:%M")


def machine(at: int) -> str:
    """Return the time for the attribute `datetime`."""
    return _utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(words: Words, at: int | None, now: int) -> Moment | None:
    """Return a past time as its age, or a coming one as what is left; None where there is none."""
    if at is None:
        return None
    if at > now:
        said = words("age.within", age=length(words, at - now))
    else:
        said = words("age.ago", age=length(words, now - at))
    return Moment(age=said, machine=machine(at), full=full(at))


def since(words: Words, at: int | None, now: int) -> Moment | None:
    """Return since when something has been so, as `for 3 min`."""
    if at is None:
        return None
    return Moment(age=words("age.since", age=length(words, now - at)), machine=machine(at), full=full(at))


def stamp(words: Words, text: str, now: int) -> Moment | None:
    """Return a device's RFC 3339 time as `for 3 min`; None for what is none."""
    try:
        at = int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return since(words, at, now)


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(min(max(at, 0), LAST_MOMENT) / 1000, UTC)
