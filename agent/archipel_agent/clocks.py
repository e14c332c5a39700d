"""How far the wall clock can be trusted, and the time floor below which it certainly lies. Pure but for the store.

Machines without a battery-backed clock boot in 1970. The floor is the later of this version's release day and the
latest time a clock of good quality has shown; it is kept on disk, at most once an hour to spare the card.
"""

from datetime import UTC, datetime, timedelta

from archipel_agent.host.clock import text
from archipel_agent.state.store import Store
from archipel_contract import RELEASED
from archipel_contract.facts import ClockQuality

FAR_AHEAD = timedelta(
    days=3653
)  # a clock ten years past our release is more likely wrong than this version that old
KEEP_EVERY = timedelta(hours=1)
FLOOR = "time_floor"


def released() -> datetime:
    """Return the day this version was released."""
    return datetime.fromisoformat(RELEASED).replace(tzinfo=UTC)


def floor(store: Store | None) -> datetime:
    """Return the earliest time it can be now."""
    kept = store.value(FLOOR) if store else None
    return max(released(), datetime.fromisoformat(kept)) if kept else released()


def quality(now: datetime, earliest: datetime, synchronized: bool | None) -> ClockQuality:
    """Judge the wall clock; a disciplined clock that is impossible is still wrong."""
    if now < earliest - timedelta(days=1) or now > released() + FAR_AHEAD:
        return ClockQuality.WRONG
    if synchronized is None:
        return ClockQuality.UNKNOWN
    return ClockQuality.SYNCHRONIZED if synchronized else ClockQuality.PLAUSIBLE


def raise_floor(store: Store, now: datetime, judged: ClockQuality) -> None:
    """Remember `now` as past, if a good clock shows it and the floor is an hour old."""
    if judged is ClockQuality.SYNCHRONIZED and now - floor(store) >= KEEP_EVERY:
        store.keep(**{FLOOR: text(now)})
