"""One site: the sentence on top, both axes with their ages, and every section below.

Called by the routes with the store's rows; rendered by `templates/site*.html`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archipel_contract.catalogue.web import Words
from archipel_contract.status import Health
from archipel_fleet.order_records import OrderRow
from archipel_fleet.records import ContactState, EventRow, MetricSeries, PodRow, SiteDetail, SiteRow, Span
from archipel_fleet.web.views import ages, badges, orders, spans, timeline
from archipel_fleet.web.views.ages import Moment
from archipel_fleet.web.views.badges import Badge
from archipel_fleet.web.views.findings import FindingView, findings
from archipel_fleet.web.views.metrics import NodeCurves, node_curves
from archipel_fleet.web.views.nodes import NodeDetail, detail
from archipel_fleet.web.views.orders import OrderLine
from archipel_fleet.web.views.spans import Strip
from archipel_fleet.web.views.timeline import Entry, GapLine

PODS = 200  # shown; those that are not ready come first
WINDOW = 7 * ages.DAY
METRICS_WINDOW = ages.DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Contact or health: the state, since when, and how old the word is."""

    badge: Badge
    since: Moment | None
    lines: tuple[tuple[str, Moment | None], ...]  # sentence around a moment


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLine:
    """One pod."""

    namespace: str
    name: str
    node: str
    phase: str
    ready: Badge
    restarts: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is asked of the store beside the site itself."""

    events: Sequence[EventRow]
    contact: Sequence[Span]
    health: Sequence[Span]
    metrics: Mapping[str, MetricSeries]  # by node id
    before: int | None  # the timeline's place; None is its head
    limit: int
    orders: Sequence[OrderRow] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """The whole page."""

    site_id: str
    name: str
    customer: str
    rehearsed: bool
    headline: str
    contact: Axis
    health: Axis
    findings: tuple[FindingView, ...]
    nodes: tuple[NodeDetail, ...]
    pods: tuple[PodLine, ...]
    pods_more: int
    pods_said: str
    contact_strip: Strip
    health_strip: Strip
    metrics: tuple[NodeCurves, ...]
    events: tuple[Entry, ...]
    older: int | None
    is_head: bool
    gaps: tuple[GapLine, ...]
    window: str
    orders: tuple[OrderLine, ...]
    choices: tuple[tuple[str, str], ...]
    """Nodes an order can be given to: id and name."""


def view(words: Words, found: SiteDetail, history: History, now: int) -> SiteView:
    """Return the page."""
    site = found.site
    full = len(history.events) >= history.limit
    begin = history_begin(history.contact, now)
    return SiteView(
        site_id=site.site_id,
        name=site.name or site.site_id,
        customer=site.customer,
        rehearsed=site.rehearsed,
        headline=headline(words, site),
        contact=contact_axis(words, site, now),
        health=health_axis(words, site, now),
        findings=findings(words, found.findings, now),
        nodes=tuple(
            detail(words, one, found.facts.get(one.node_id, {}), found.conditions, now) for one in found.nodes
        ),
        pods=pods(words, found.pods),
        pods_more=max(0, len(found.pods) - PODS),
        pods_said=words("list.pods-title", ready=site.pods_ready, count=site.pods),
        contact_strip=spans.contact_strip(words, history.contact, begin, now),
        health_strip=spans.health_strip(words, history.health, begin, now),
        metrics=_metrics(words, found, history, now),
        events=tuple(timeline.entry(words, one, now) for one in history.events),
        older=history.events[-1].at if full else None,
        is_head=history.before is None,
        gaps=timeline.gaps(words, found.gaps, now),
        window=words("site.history-window", days=WINDOW // ages.DAY)
        if begin <= now - WINDOW
        else words("site.history-since"),
        orders=orders.lines(words, history.orders, now),
        choices=tuple((one.node_id, one.name or one.node_id) for one in found.nodes),
    )


def history_begin(contact: Sequence[Span], now: int) -> int:
    """Return where the charts begin: a week ago, or when the site was first heard if that is less."""
    heard = [one.since for one in contact if one.state != ContactState.NEVER]
    return max(now - WINDOW, min(min(heard), now - ages.MINUTE)) if heard else now - WINDOW


def headline(words: Words, site: SiteRow) -> str:
    """Return how it stands, in two or three sentences that claim no more than is known."""
    state = site.contact.state
    present = state is ContactState.CONNECTED
    sentences = [words(f"headline.{state}")]
    if state is not ContactState.NEVER:
        how = "health-unknown" if site.health.health is Health.UNKNOWN else site.health.health
        sentences.append(words(f"headline.{how}" if present else f"headline.was-{how}"))
    if present and site.nodes_connected < site.nodes:
        sentences.append(words("headline.nodes", connected=site.nodes_connected, count=site.nodes))
    return " ".join(sentences)


def contact_axis(words: Words, site: SiteRow, now: int) -> Axis:
    """Return the first axis."""
    contact = site.contact
    lines: list[tuple[str, Moment | None]] = []
    if contact.last_heard is None:
        lines.append((words("site.never-heard"), None))
    else:
        lines.append(_around(words, "site.last-heard", contact.last_heard, now))
    if contact.due is not None and contact.state is not ContactState.CONNECTED:
        key = "site.due" if contact.due > now else "site.was-due"
        lines.append(_around(words, key, contact.due, now))
    return Axis(
        badge=badges.contact(words, contact.state),
        since=ages.since(words, contact.since, now),
        lines=tuple(lines),
    )


def health_axis(words: Words, site: SiteRow, now: int) -> Axis:
    """Return the second axis."""
    heard = site.health.heard
    lines = (_around(words, "site.word-age", heard, now),) if heard is not None else ()
    return Axis(
        badge=badges.health(words, site.health.health),
        since=ages.since(words, site.health.since, now),
        lines=lines,
    )


def _around(words: Words, key: str, at: int, now: int) -> tuple[str, Moment | None]:
    return words(key, age="").strip(), ages.moment(words, at, now)


def pods(words: Words, rows: Sequence[PodRow]) -> tuple[PodLine, ...]:
    """Return the pods, those that are not ready first. A finished job is not ready, and nothing is wrong with it."""
    ordered = sorted(rows, key=lambda one: (one.ready or one.phase == "Succeeded", one.namespace, one.name))
    return tuple(
        PodLine(
            namespace=one.namespace,
            name=one.name,
            node=one.node,
            phase=one.phase,
            ready=badges.ready(words, one.ready),
            restarts=one.restarts,
            reason=one.reason,
            message=one.message,
        )
        for one in ordered[:PODS]
    )


def _metrics(words: Words, found: SiteDetail, history: History, now: int) -> tuple[NodeCurves, ...]:
    drawn = (
        node_curves(words, one.name or one.node_id, history.metrics[one.node_id], now - METRICS_WINDOW, now)
        for one in found.nodes
        if one.node_id in history.metrics
    )
    return tuple(one for one in drawn if one.curves)
