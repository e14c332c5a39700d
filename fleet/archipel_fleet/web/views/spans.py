"""Contact and health over time as a strip: where each stretch lies, how high its bar is, and how much of the time it was.

Called by the site's view, drawn by `templates/strip.html`. The table beside the strip says the same in words. Heights and
hatching tell the states apart where colours do not.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from archipel_contract.catalogue.web import Words
from archipel_contract.status import Health
from archipel_fleet.records import ContactState, Span
from archipel_fleet.web.views import ages
from archipel_fleet.web.views.badges import CONTACT, HEALTH, Badge, contact, health

WIDTH = 1000  # units of the drawing; the page stretches it
HEIGHT = 32
ROWS = 200  # of the table
# How high a bar stands: what is known and good is full, what nobody knows is a line.
HEIGHTS = {"good": 32, "calm": 20, "bad": 32, "warn": 26, "mute": 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One stretch in the drawing."""

    x: float
    width: float
    y: int
    height: int
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much of the time a state held."""

    badge: Badge
    percent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One line of the table."""

    badge: Badge
    since: str
    until: str
    lasted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A chart with its words."""

    title: str
    said: str  # the whole chart in one sentence
    bars: tuple[Bar, ...]
    shares: tuple[Share, ...]
    stretches: tuple[Stretch, ...]  # newest first
    first: str
    last: str


def contact_strip(words: Words, spans: Iterable[Span], since: int, now: int) -> Strip:
    """Return the strip of contact."""

    def badge(state: str) -> Badge:
        return contact(words, ContactState(state) if state in set(CONTACT) else ContactState.UNKNOWN)

    return _strip(words, words("site.contact-chart"), badge, _clipped(spans, since, now), (since, now))


def health_strip(words: Words, spans: Iterable[Span], since: int, now: int) -> Strip:
    """Return the strip of health."""

    def badge(state: str) -> Badge:
        return health(words, Health(state) if state in set(HEALTH) else Health.UNKNOWN)

    return _strip(words, words("site.health-chart"), badge, _clipped(spans, since, now), (since, now))


def _clipped(spans: Iterable[Span], since: int, now: int) -> list[tuple[int, int, str]]:
    cut = [
        (max(one.since, since), min(one.until if one.until is not None else now, now), one.state)
        for one in spans
    ]
    return [one for one in cut if one[1] > one[0]]


def _strip(
    words: Words,
    title: str,
    badge: Callable[[str], Badge],
    cut: list[tuple[int, int, str]],
    window: tuple[int, int],
) -> Strip:
    since, now = window
    whole = max(1, now - since)
    bars = []
    held: dict[Badge, int] = {}
    for first, last, state in cut:
        shown = badge(state)
        held[shown] = held.get(shown, 0) + last - first
        height = HEIGHTS[shown.tone]
        bars.append(
            Bar(
                x=round((first - since) / whole * WIDTH, 2),
                # A short outage must stay visible: half a unit at least.
                width=round(max(0.5, (last - first) / whole * WIDTH), 2),
                y=HEIGHT - height,
                height=height,
                tone=shown.tone,
            )
        )
    shares = tuple(
        Share(badge=shown, percent=percent(time, whole))
        for shown, time in sorted(held.items(), key=lambda item: -item[1])
    )
    said = ", ".join(f"{share.badge.word} {share.percent}" for share in shares)
    stretches = tuple(
        Stretch(
            badge=badge(state),
            since=ages.full(first),
            until=ages.full(last),
            lasted=ages.length(words, last - first),
        )
        for first, last, state in reversed(cut[-ROWS:])
    )
    return Strip(
        title=title,
        said=said or words("site.chart-empty"),
        bars=tuple(bars),
        shares=shares,
        stretches=stretches,
        first=ages.short(since),
        last=ages.short(now),
    )


def percent(part: int, whole: int) -> str:
    """Return a share with as many digits as it needs: what is not all of it is never shown as 100 %."""
    if part >= whole:
        return "100 %"
    value = part / whole * 100
    if value > 99.9:
        return f"{min(value, 99.99):.2f} %"
    return f"{value:.1f} %" if value >= 0.1 else "< 0.1 %"
