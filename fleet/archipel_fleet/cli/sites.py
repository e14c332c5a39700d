"""`archipel fleet sites` and `nodes`: everything on one page, with contact, health, and the age of both."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import typer

from archipel_contract.exits import Exit
from archipel_contract.status import Health
from archipel_fleet.cli import complete
from archipel_fleet.cli.command import Asking, Session, add
from archipel_fleet.cli.screen import MARK_OF_CONTACT, MARK_OF_HEALTH, Mark, Screen
from archipel_fleet.records import Contact, ContactState, FleetSummary, LastHealth, NodeRow, SiteRow, SiteSort
from archipel_fleet.web.views import ages

SITES = """\
List the sites with contact and health, and the age of both.

Marks: + good, . quiet as planned, ! overdue, x unhealthy, ? not known. Contact says whether a site is heard of when it
should be; health is what it said last, however long ago. [REHEARSED] marks simulated sites.

Examples:

  archipel fleet sites

  archipel fleet sites --contact overdue --sort heard

  archipel fleet sites berlin --json
"""
NODES = """\
List the nodes, of all sites or of one.

Examples:

  archipel fleet nodes

  archipel fleet nodes --site berlin
"""


class Kind(StrEnum):
    """Which sites, by what they are made of."""

    REAL = "real"
    REHEARSED = "rehearsed"


Page = Annotated[int, typer.Option("--page", min=1, help="Which page; 1 is the first.")]
Size = Annotated[int, typer.Option("--size", min=1, max=500, help="Rows on a page.")]


@dataclass(frozen=True, kw_only=True)
class SitesOptions(Asking):
    """Options of `sites`."""

    text: Annotated[str, typer.Argument(metavar="TEXT", help="Part of a name or id.", show_default=False)] = (
        ""
    )
    contact: Annotated[
        list[ContactState], typer.Option("--contact", help="Only these contacts; may be repeated.")
    ] = field(default_factory=list)
    health: Annotated[list[Health], typer.Option("--health", help="Only these healths; may be repeated.")] = (
        field(default_factory=list)
    )
    customer: Annotated[
        str, typer.Option("--customer", help="Only this customer's.", autocompletion=complete.customers)
    ] = ""
    k3s: Annotated[str, typer.Option("--k3s", help="Only with this k3s version.")] = ""
    finding: Annotated[str, typer.Option("--finding", metavar="CODE", help="Only with this finding.")] = ""
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only real or only rehearsed sites.")] = None
    sort: Annotated[SiteSort, typer.Option("--sort", help="What to order by.")] = SiteSort.NAME
    descending: Annotated[bool, typer.Option("--descending", help="Turn the order round.")] = False
    page: Page = 1
    size: Size = 50


@dataclass(frozen=True, kw_only=True)
class NodesOptions(Asking):
    """Options of `nodes`."""

    text: Annotated[str, typer.Argument(metavar="TEXT", help="Part of a name or id.", show_default=False)] = (
        ""
    )
    site: Annotated[
        str,
        typer.Option(
            "--site", metavar="NAME", help="Only nodes of this site.", autocompletion=complete.sites
        ),
    ] = ""
    page: Page = 1
    size: Size = 50


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, "sites", SitesOptions, sites, SITES)
    add(app, "nodes", NodesOptions, nodes, NODES)


def sites(session: Session[SitesOptions]) -> int:
    """List sites."""
    given, client, screen = session.options, session.client, session.screen
    query = {
        "text": given.text,
        "contact": tuple(map(str, given.contact)),
        "health": tuple(map(str, given.health)),
        "customer": given.customer,
        "k3s_version": given.k3s,
        "finding": given.finding,
        "rehearsed": None if given.kind is None else given.kind is Kind.REHEARSED,
        "sort": str(given.sort),
        "descending": given.descending,
        "page": given.page,
        "size": given.size,
    }
    if screen.as_json:
        screen.data(client.get("/sites", **query))
        return Exit.OK
    rows, total = client.rows(SiteRow, "/sites", **query)
    summary = client.one(FleetSummary, "/summary")
    table(screen, rows, client.now)
    screen.note(_below(screen, len(rows), total, given.page, given.size))
    for line in away(screen, summary):
        screen.note(line)
    return Exit.OK


def table(screen: Screen, rows: tuple[SiteRow, ...], now: int) -> None:
    """Write sites as a table."""
    words = screen.words
    head = [
        words(f"column.{one}") for one in ("site", "contact", "heard", "health", "nodes", "pods", "k3s", "os")
    ]
    lines = [(site_marks(row), site_cells(screen, row, now)) for row in rows]
    if lines:
        # What the page of a site shows as well goes first.
        screen.table(head, lines, spare=(7, 5, 6, 2, 4), may_split=True)
    else:
        screen.line(words("list.empty"))


def site_marks(row: SiteRow) -> tuple[Mark, Mark]:
    """Return the marks of contact and health."""
    return MARK_OF_CONTACT[row.contact.state], MARK_OF_HEALTH[row.health.health]


def site_cells(screen: Screen, row: SiteRow, now: int) -> tuple[str, ...]:
    """Return the cells of a site."""
    name = (
        f"{row.name or row.site_id} [{screen.words('page.rehearsed')}]"
        if row.rehearsed
        else row.name or row.site_id
    )
    return (
        name,
        contact_said(screen, row.contact, now),
        heard_said(screen, row.contact.last_heard, now),
        health_said(screen, row.health, now) + _counts(row.problems, row.warnings),
        f"{row.nodes_connected}/{row.nodes}",
        f"{row.pods_ready}/{row.pods}",
        ", ".join(row.k3s_versions) or "-",
        ", ".join(row.os_names) or "-",
    )


def contact_said(screen: Screen, contact: Contact, now: int) -> str:
    """Return contact in words, with since when."""
    said = ages.since(screen.words, contact.since, now)
    return screen.words(f"contact.{contact.state}") + (f" {said.age}" if said else "")


def heard_said(screen: Screen, at: int | None, now: int) -> str:
    """Return when something was heard."""
    said = ages.moment(screen.words, at, now)
    return said.age if said else screen.words("age.never")


def health_said(screen: Screen, health: LastHealth, now: int) -> str:
    """Return health in words, with the age of that word."""
    said = ages.moment(screen.words, health.heard, now)
    return screen.words(f"health.{health.health}") + (f" ({said.age})" if said else "")


def _counts(problems: int, warnings: int) -> str:
    signs = [f"{count}{sign}" for count, sign in ((problems, "x"), (warnings, "!")) if count]
    return f"  {' '.join(signs)}" if signs else ""


def _below(screen: Screen, shown: int, total: int, page: int, size: int) -> str:
    if shown == total:
        return screen.words.count("list.count", total)
    first = (page - 1) * size + 1
    said = screen.words(
        "page.range", first=first if shown else 0, last=first + shown - 1 if shown else 0, total=total
    )
    return f"{said}  (--page {page + 1})" if page * size < total else said


def away(screen: Screen, summary: FleetSummary) -> list[str]:
    """Return the last time the controller itself was not listening, in words."""
    if not summary.away:
        return []
    last = summary.away[-1]
    if last.until is None:
        return [screen.words("page.away-now", since=ages.full(last.since))]
    return [screen.words("page.away", since=ages.full(last.since), until=ages.full(last.until))]


def nodes(session: Session[NodesOptions]) -> int:
    """List nodes."""
    given, client, screen = session.options, session.client, session.screen
    site_id = client.get(f"/sites/{quoted(given.site)}")["site"]["site_id"] if given.site else ""
    query = {"text": given.text, "site_id": site_id, "page": given.page, "size": given.size}
    if screen.as_json:
        screen.data(client.get("/nodes", **query))
        return Exit.OK
    rows, total = client.rows(NodeRow, "/nodes", **query)
    node_table(screen, rows, client.now)
    screen.note(_below(screen, len(rows), total, given.page, given.size))
    return Exit.OK


def node_table(screen: Screen, rows: tuple[NodeRow, ...], now: int) -> None:
    """Write nodes as a table."""
    words = screen.words
    names = ("node", "site", "role", "contact", "heard", "health", "k3s", "os", "model")
    if not rows:
        screen.line(words("nodelist.empty"))
        return
    screen.table(
        [words(f"column.{one}") for one in names],
        [
            (
                (MARK_OF_CONTACT[row.contact.state], MARK_OF_HEALTH[row.health.health]),
                (
                    row.name or row.node_id,
                    f"{row.site_name} [{words('page.rehearsed')}]" if row.rehearsed else row.site_name,
                    words(f"role.{row.role}"),
                    contact_said(screen, row.contact, now),
                    heard_said(screen, row.contact.last_heard, now),
                    health_said(screen, row.health, now) + _counts(row.problems, row.warnings),
                    row.k3s_version or "-",
                    row.os_name or "-",
                    row.model or "-",
                ),
            )
            for row in rows
        ],
        spare=(8, 7, 4, 2, 6),
        may_split=True,
    )


def quoted(name: str) -> str:
    """Return a name as one part of a path."""
    from urllib.parse import quote

    return quote(name, safe="") if name not in (".", "..") else f"%2E{'%2E' if name == '..' else ''}"
