"""History as stretches of time: from points at which something changed to spans without holes. Pure."""

from collections.abc import Callable, Iterable, Sequence

from archipel_fleet.records import Span

Point = tuple[int, str]


def spans_of(points: Iterable[Point], since: int, now: int, unknown: str) -> tuple[Span, ...]:
    """Return the spans from `since` to `now` that the points (time, state; any order) describe.

    Before the first point it is `unknown`; equal neighbours are one span; the last one is open.
    """
    state, begun = unknown, since
    found: list[Span] = []
    for at, becomes in sorted(points, key=lambda point: point[0]):
        if at > now:
            break
        if at <= since:
            state = becomes
        elif becomes != state:
            if at > begun:
                found.append(Span(since=begun, until=at, state=state))
            state, begun = becomes, at
    found.append(Span(since=begun, until=None, state=state))
    return joined(found)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans with equal neighbours made one and empty ones left out."""
    found: list[Span] = []
    for one in spans:
        if one.until is not None and one.until <= one.since:
            continue
        if found and found[-1].state == one.state:
            found[-1] = Span(since=found[-1].since, until=one.until, state=one.state)
        else:
            found.append(one)
    return tuple(found)


def overlaid(
    spans: Sequence[Span], holes: Sequence[tuple[int, int]], state: str, now: int
) -> tuple[Span, ...]:
    """Return the spans with `state` wherever one of the `holes` (from, to; ascending) lies over them."""
    found: list[Span] = []
    for one in spans:
        begun, end = one.since, now if one.until is None else one.until
        for first, last in holes:
            if last <= begun or first >= end:
                continue
            if first > begun:
                found.append(Span(since=begun, until=first, state=one.state))
            found.append(Span(since=max(first, begun), until=min(last, end), state=state))
            begun = min(last, end)
        if one.until is None or one.until > begun:
            found.append(Span(since=begun, until=one.until, state=one.state))
    return joined(found)


def combined(
    parts: Sequence[Sequence[Span]], choose: Callable[[Iterable[str]], str], now: int
) -> tuple[Span, ...]:
    """Return one row of spans from several over the same time: at each moment what `choose` makes of their states."""
    changes = sorted(
        ((one.since, place, one.state) for place, spans in enumerate(parts) for one in spans),
        key=lambda change: change[0],
    )
    states: dict[int, str] = {}
    found: list[Span] = []
    for place, (begun, part, state) in enumerate(changes):
        states[part] = state
        until = changes[place + 1][0] if place + 1 < len(changes) else None
        if until != begun and begun <= now:
            found.append(Span(since=begun, until=until, state=choose(states.values())))
    return joined(found)
