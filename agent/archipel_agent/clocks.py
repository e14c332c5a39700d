"""How far the wall clock can be trusted, and the time floor below which it certainly lies. Pure but for the store.

Machines without a battery-backed clock boot in 1970. A ladder of witnesses tells what the time is, from the weakest up:
this version's release day and the newest of our own files bound it from below; a battery-backed clock carries it through
a power cut; another node, a technician and the fleet (a signed answer to our own nonce) say it, and the monotonic clock
carries their word on until the machine's next start; a time server disciplines the clock itself.

The floor is kept on disk, at most once an hour to spare the card. It only grows, save where the fleet or a person says
an earlier time: then it was a clock that had run ahead which raised it, and what our files say up to there is not
believed any more. Called by turns, by the link when a signed welcome comes, at enrolment and by `archipel clock set`.
Nothing is deleted, renewed or ordered by any of this.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from archipel_agent.host.clock import text
from archipel_agent.paths import Paths
from archipel_agent.ports import Clock, Files, Ports
from archipel_agent.state.store import Store
from archipel_contract import RELEASED
from archipel_contract.facts import ClockQuality, ClockSource

FAR_AHEAD = timedelta(
    days=3653
)  # a clock ten years past our release is more likely wrong than this version that old
KEEP_EVERY = timedelta(hours=1)
WRONG_BY = timedelta(
    days=1
)  # what a clock without a time server drifts in years, and no zone set wrongly reaches
SKEW = timedelta(minutes=5)  # below it two good clocks count as one: what the fleet takes for agreement too
FLOOR = "time_floor"
LIES_UNTIL = "time_files_lie_until"  # files dated up to here were written by a clock that had run ahead
FILES = "time_newest_file"
HEARD = "time_heard"
SET_CLOCK = "set-clock"  # the privileged verb; `at` is in seconds since 1970 UTC
# A word of one of these goes before the word of those after it that came earlier.
RANKS = (ClockSource.FLEET, ClockSource.TECHNICIAN, ClockSource.PEER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What somebody said the time is, when our monotonic clock showed `monotonic` seconds."""

    source: ClockSource
    at: datetime
    monotonic: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedTime:
    """The time as well as it can be known."""

    now: datetime  # the wall clock where it holds, else the best word there is; never before the floor
    quality: ClockQuality  # of the wall clock
    floor: datetime  # it is certainly later
    source: ClockSource
    offset_ms: int | None = (
        None  # how far the wall clock is ahead of the fleet; None: nothing heard since our start
    )
    checks_dates: bool = (
        False  # whether the wall clock is good enough for TLS to judge certificates by their dates
    )


def released() -> datetime:
    """Return the day this version was released."""
    return datetime.fromisoformat(RELEASED).replace(tzinfo=UTC)


def is_possible(moment: datetime) -> bool:
    """Whether it can be that late or early at all for this version."""
    return released() - WRONG_BY <= moment <= released() + FAR_AHEAD


def floor(store: Store | None, synchronized: bool | None = None) -> datetime:
    """Return the earliest time it can be now. What only the dates of files say does not stand against a time server."""
    if store is None:
        return released()
    kept = (_kept(store, FLOOR), None if synchronized else _newest_file(store))
    return max([released(), *(one for one in kept if one is not None)])


def quality(now: datetime, earliest: datetime, synchronized: bool | None) -> ClockQuality:
    """Judge the wall clock; a disciplined clock that is impossible is still wrong."""
    if now < earliest - WRONG_BY or now > released() + FAR_AHEAD:
        return ClockQuality.WRONG
    if synchronized is None:
        return ClockQuality.UNKNOWN
    return ClockQuality.SYNCHRONIZED if synchronized else ClockQuality.PLAUSIBLE


def trusted(
    store: Store | None, clock: Clock, synchronized: bool | None, has_rtc: bool | None
) -> TrustedTime:
    """Return the time as well as it can be known; `synchronized` is what the kernel says, None where it cannot tell."""
    heard = _heard(store) if store else None
    earliest = floor(store, synchronized)
    return weigh(clock.now(), clock.monotonic(), earliest, synchronized, has_rtc, heard)


def weigh(
    now: datetime,
    monotonic: float,
    earliest: datetime,
    synchronized: bool | None,
    has_rtc: bool | None,
    heard: Heard | None,
) -> TrustedTime:
    """Climb the ladder. Pure."""
    judged = quality(now, earliest, synchronized)
    said = None if heard is None or monotonic < heard.monotonic else _carried(heard, monotonic)
    offset = None
    if said is not None and heard is not None and heard.source is ClockSource.FLEET:
        offset = round((now - said).total_seconds() * 1000)
    best, source, checks = max(now, earliest), ClockSource.NONE, False
    if judged is ClockQuality.WRONG:
        best = earliest
    if judged is ClockQuality.SYNCHRONIZED:
        source, checks = ClockSource.TIME_SERVER, True
    elif said is not None and heard is not None:
        source = heard.source
        checks = abs(now - said) <= WRONG_BY
        judged = ClockQuality.PLAUSIBLE if checks else ClockQuality.WRONG
        best = now if abs(now - said) <= SKEW else said
    elif judged is not ClockQuality.WRONG and has_rtc:
        source, checks = ClockSource.RTC, True
    return TrustedTime(
        now=best, quality=judged, floor=earliest, source=source, offset_ms=offset, checks_dates=checks
    )


def begin(store: Store, newest_file: datetime | None) -> None:
    """The agent starts: forget what the monotonic clock of another boot carried, and take in the newest of our files."""
    believable = newest_file is not None and is_possible(newest_file)
    facts = {HEARD: None, FILES: text(newest_file) if newest_file and believable else None}
    if any(store.value(name) != value for name, value in facts.items()):
        store.keep(**facts)


def newest_of_ours(disk: Files, paths: Paths) -> datetime | None:
    """Return when the agent last wrote any of its own files, by the clock of then."""
    database = paths.database
    ours = (database, database.with_name(f"{database.name}-wal"), paths.outbox, paths.settings)
    return max((one for one in map(disk.modified, ours) if one is not None), default=None)


def believe(store: Store, at_ms: int, clock: Clock | None = None) -> bool:
    """Take the fleet's word for the time: milliseconds since 1970 UTC in a signed message that is surely fresh.

    To be called when a signed welcome answered this connection's nonce, and at enrolment; `clock` is this machine's, which
    carries the word on. Returns False, having done nothing, for a time at which this version cannot be running.
    """
    try:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return False
    return _take(store, at, ClockSource.FLEET, clock)


def hear_peer(store: Store, peer: str, at: datetime, judged: ClockQuality, clock: Clock) -> bool:
    """Take the word of another node of the site, authenticated by the site; only where its clock is synchronised.

    `peer` is its node id, empty for nobody in particular. It never lowers the floor. Returns whether it was taken.
    """
    if not peer or judged is not ClockQuality.SYNCHRONIZED or at < floor(store) - WRONG_BY:
        return False
    before = _heard(store)
    is_better_known = before is not None and RANKS.index(before.source) < RANKS.index(ClockSource.PEER)
    return not is_better_known and _take(store, at, ClockSource.PEER, clock)


def told(store: Store, at: datetime, clock: Clock) -> bool:
    """Take the word of a person on site. Returns False, having done nothing, for a time that cannot be."""
    return _take(store, at, ClockSource.TECHNICIAN, clock)


class ClockKept(Exception):
    """The clock is not set by hand; the message says why."""


def put_right(store: Store | None, ports: Ports, at: datetime) -> None:
    """Set this machine's clock to what a person on site says. Raises ClockKept, CommandFailed, OSError."""
    if not is_possible(at):
        raise ClockKept(f"it cannot be {text(at)}: this version was released on {RELEASED}")
    seen = trusted(store, ports.clock, ports.machine.clock_synchronized(), None)
    if seen.quality is ClockQuality.SYNCHRONIZED:
        raise ClockKept("a time server keeps it right; it would be set back at once")
    ports.privileged.call(SET_CLOCK, at=str(int(at.timestamp())))
    if store is not None:
        told(store, at, ports.clock)


def raise_floor(store: Store, time: TrustedTime) -> None:
    """Remember the present as past, if somebody stands behind it and the floor is an hour old."""
    if not time.checks_dates or time.source is ClockSource.RTC or time.quality is ClockQuality.WRONG:
        return
    if time.offset_ms is not None and abs(time.offset_ms) > WRONG_BY.total_seconds() * 1000:
        return  # the fleet and the time server cannot both be right
    if time.now - floor(store) >= KEEP_EVERY:
        store.keep(**{FLOOR: text(time.now)})


def _take(store: Store, at: datetime, source: ClockSource, clock: Clock | None) -> bool:
    if not is_possible(at):
        return False
    before = floor(store)
    facts: dict[str, str | None] = {}
    if clock is not None:
        word = {"source": source.value, "at": at.timestamp(), "monotonic": clock.monotonic()}
        facts[HEARD] = json.dumps(word)
    if at - before >= KEEP_EVERY:
        facts[FLOOR] = text(at)
    elif before - at > WRONG_BY:
        facts |= {FLOOR: text(at), LIES_UNTIL: text(before)}
    if facts:
        store.keep(**facts)
    return True


def _carried(heard: Heard, monotonic: float) -> datetime:
    return heard.at + timedelta(seconds=monotonic - heard.monotonic)


def _heard(store: Store) -> Heard | None:
    kept = store.value(HEARD)
    if kept is None:
        return None
    word = json.loads(kept)
    at = datetime.fromtimestamp(word["at"], UTC)
    return Heard(source=ClockSource(word["source"]), at=at, monotonic=word["monotonic"])


def _newest_file(store: Store) -> datetime | None:
    newest, lies = _kept(store, FILES), _kept(store, LIES_UNTIL)
    return None if newest is None or (lies is not None and newest <= lies) else newest


def _kept(store: Store, name: str) -> datetime | None:
    kept = store.value(name)
    return datetime.fromisoformat(kept) if kept else None
