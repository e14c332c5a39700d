"""The list of all sites: tiles that are filters, the form, columns with their order, rows, pages.

Called by the routes with the store's rows; rendered by `templates/sites*.html`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from archipel_contract.catalogue import words as finding_words
from archipel_contract.catalogue.web import Words
from archipel_contract.findings import Finding, Severity
from archipel_contract.status import Health
from archipel_fleet.records import ContactState, FleetSummary, Page, SiteQuery, SiteRow, SiteSort
from archipel_fleet.web.views import ages, badges, query
from archipel_fleet.web.views.ages import Moment
from archipel_fleet.web.views.badges import Badge
from archipel_fleet.web.views.paging import Pager, pager
from archipel_fleet.web.views.sentences import short_system, without_values

VERSIONS = 2  # named in a row; the rest is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number of the summary, and the list it leads to."""

    key: str
    badge: Badge | None
    word: str
    count: int
    address: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One entry of a selection."""

    value: str
    word: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One head of the table; an order of None cannot be chosen."""

    key: str
    word: str
    address: str | None = None
    order: str = "none"  # as aria-sort says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One site."""

    site_id: str
    name: str
    customer: str
    rehearsed: bool
    contact: Badge
    heard: Moment | None
    health: Badge
    health_heard: Moment | None
    nodes: str
    nodes_said: str
    pods: str
    pods_said: str
    problems: int
    warnings: int
    worst: str
    worst_badge: Badge | None
    k3s: tuple[str, ...]
    k3s_more: int
    os: tuple[str, ...]
    os_said: str
    os_more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The form beside the search field."""

    customers: tuple[Choice, ...]
    versions: tuple[Choice, ...]
    systems: tuple[Choice, ...]
    rehearsed: tuple[Choice, ...]
    kept: tuple[tuple[str, str], ...]  # what the form passes on unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class SitesView:
    """The whole page."""

    query: SiteQuery
    address: str  # the query part that shows the same again
    contact_tiles: tuple[Tile, ...]
    health_tiles: tuple[Tile, ...]
    all_tile: Tile
    filters: Filters
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    pager: Pager
    total: str
    spoken: str  # what a screen reader is told when it changes
    filtered: bool
    with_customers: bool


def view(
    words: Words, asked: SiteQuery, page: Page[SiteRow], summary: FleetSummary, now: int, every_customer: bool
) -> SitesView:
    """Return the page; `every_customer` says whether the reader may see more than one."""
    customers = {*summary.customers, *(one.customer for one in page.rows)}
    with_customers = every_customer and (len(customers) > 1 or bool(asked.customer))
    plain = replace(asked, page=1, sort=SiteSort.NAME, descending=False, size=query.SIZE)
    return SitesView(
        query=asked,
        address=query.written(asked),
        contact_tiles=tuple(_contact_tiles(words, asked, summary)),
        health_tiles=tuple(_health_tiles(words, asked, summary)),
        all_tile=Tile(
            key="all",
            badge=None,
            word=words("list.all"),
            count=summary.sites,
            address=query.with_change(asked, contact=(), health=()),
            chosen=not asked.contact and not asked.health,
        ),
        filters=_filters(words, asked, page, summary),
        columns=tuple(_columns(words, asked, with_customers)),
        rows=tuple(row(words, one, now) for one in page.rows),
        pager=pager(words, page, lambda number: query.written(replace(asked, page=number))),
        total=words.count("list.count", page.total),
        spoken=words(
            "list.spoken",
            overdue=summary.contact.get(ContactState.OVERDUE, 0),
            unhealthy=summary.health.get(Health.UNHEALTHY, 0),
        ),
        filtered=plain != SiteQuery(),
        with_customers=with_customers,
    )


def _contact_tiles(words: Words, asked: SiteQuery, summary: FleetSummary) -> Iterable[Tile]:
    for state in ContactState:
        chosen = asked.contact == (state,)
        shown = badges.contact(words, state)
        yield Tile(
            key=f"contact-{state}",
            badge=shown,
            word=shown.word,
            count=summary.contact.get(state, 0),
            address=query.with_change(asked, contact=() if chosen else (state,)),
            chosen=chosen,
        )


def _health_tiles(words: Words, asked: SiteQuery, summary: FleetSummary) -> Iterable[Tile]:
    for state in badges.HEALTH:
        count, chosen = summary.health.get(state, 0), asked.health == (state,)
        # Rare states have a tile only while there is something behind it.
        if not count and not chosen and state not in (Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN):
            continue
        shown = badges.health(words, state)
        yield Tile(
            key=f"health-{state}",
            badge=shown,
            word=shown.word,
            count=count,
            address=query.with_change(asked, health=() if chosen else (state,)),
            chosen=chosen,
        )


def _filters(words: Words, asked: SiteQuery, page: Page[SiteRow], summary: FleetSummary) -> Filters:
    def choices(known: Iterable[str], chosen: str) -> tuple[Choice, ...]:
        values = sorted({one for one in known if one} | ({chosen} if chosen else set()))
        first = Choice(value="", word=words("list.any"), chosen=not chosen)
        return first, *(Choice(value=one, word=one, chosen=one == chosen) for one in values)

    kinds = (("", "any", None), ("yes", "yes", True), ("no", "no", False))
    kept = [("contact", str(one)) for one in asked.contact] + [("health", str(one)) for one in asked.health]
    kept += [("finding", asked.finding)] if asked.finding else []
    kept += [("sort", str(asked.sort))] if asked.sort is not SiteSort.NAME else []
    kept += [("descending", "yes")] if asked.descending else []
    kept += [("size", str(asked.size))] if asked.size != query.SIZE else []
    return Filters(
        customers=choices([*summary.customers, *(one.customer for one in page.rows)], asked.customer),
        versions=choices(
            [*summary.k3s_versions, *(v for one in page.rows for v in one.k3s_versions)], asked.k3s_version
        ),
        systems=choices([*summary.os_names, *(v for one in page.rows for v in one.os_names)], asked.os_name),
        rehearsed=tuple(
            Choice(value=value, word=words(f"list.rehearsed-{key}"), chosen=asked.rehearsed is truth)
            for value, key, truth in kinds
        ),
        kept=tuple(kept),
    )


def _columns(words: Words, asked: SiteQuery, with_customers: bool) -> Iterable[Column]:
    heads = [("site", SiteSort.NAME), ("contact", SiteSort.CONTACT), ("heard", SiteSort.HEARD)]
    heads += [("health", SiteSort.HEALTH)]
    for key, order in heads:
        yield _sortable(words, key, order, asked)
    for key in ("findings", "nodes", "pods"):
        yield Column(key=key, word=words(f"column.{key}"))
    yield _sortable(words, "k3s", SiteSort.K3S, asked)
    yield Column(key="os", word=words("column.os"))
    if with_customers:
        yield Column(key="customer", word=words("column.customer"))


def _sortable(words: Words, key: str, order: SiteSort, asked: SiteQuery) -> Column:
    chosen = asked.sort is order
    said = ("descending" if asked.descending else "ascending") if chosen else "none"
    turned = chosen and not asked.descending
    address = query.with_change(asked, sort=order, descending=turned)
    return Column(key=key, word=words(f"column.{key}"), address=address, order=said)


def row(words: Words, one: SiteRow, now: int) -> Row:
    """Return one site as a row."""
    worst = ""
    worst_badge = None
    if one.worst:
        gravity = Severity.PROBLEM if one.problems else Severity.WARNING if one.warnings else Severity.HINT
        worst = _short_title(words, one.worst, gravity)
        worst_badge = badges.severity(words, gravity)
    return Row(
        site_id=one.site_id,
        name=one.name or one.site_id,
        customer=one.customer,
        rehearsed=one.rehearsed,
        contact=badges.contact(words, one.contact.state),
        heard=ages.moment(words, one.contact.last_heard, now),
        health=badges.health(words, one.health.health),
        health_heard=ages.moment(words, one.health.heard, now),
        nodes=f"{one.nodes_connected}/{one.nodes}",
        nodes_said=words("list.nodes-title", connected=one.nodes_connected, count=one.nodes),
        pods=f"{one.pods_ready}/{one.pods}",
        pods_said=words("list.pods-title", ready=one.pods_ready, count=one.pods),
        problems=one.problems,
        warnings=one.warnings,
        worst=worst,
        worst_badge=worst_badge,
        k3s=one.k3s_versions[:VERSIONS],
        k3s_more=max(0, len(one.k3s_versions) - VERSIONS),
        os=tuple(short_system(name) for name in one.os_names[:VERSIONS]),
        os_said=", ".join(one.os_names),
        os_more=max(0, len(one.os_names) - VERSIONS),
    )


def _short_title(words: Words, code: str, gravity: Severity) -> str:
    return without_values(finding_words(Finding(code=code, severity=gravity), words.language).title)
