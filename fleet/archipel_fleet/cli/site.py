"""`archipel fleet site` and `why`: one site with its nodes, findings and timeline; and why it is not OK."""

import string
from dataclasses import dataclass
from typing import Annotated

import typer

from archipel_contract import catalogue, wire
from archipel_contract.exits import Exit
from archipel_contract.findings import Finding, Severity
from archipel_contract.status import Health
from archipel_fleet.cli import complete
from archipel_fleet.cli.client import FleetClient, read
from archipel_fleet.cli.command import Asking, Session, add
from archipel_fleet.cli.screen import MARK_OF_SEVERITY, Screen, plain
from archipel_fleet.cli.sites import contact_said, health_said, heard_said, node_table, quoted, site_marks
from archipel_fleet.cli.stop import Stop
from archipel_fleet.records import EventRow, SiteDetail, SiteRow
from archipel_fleet.web.views import ages, timeline

SITE = """\
Show one site: its nodes, why it is not OK and what next, and its timeline.

Ends with 0 when nothing is wrong there, and 1 when something is.

Examples:

  archipel fleet site berlin

  archipel fleet site berlin --events 50

  archipel fleet site berlin --json
"""
WHY = """\
Explain why a site is not OK, or what a finding means: cause, and what to do next.

The reason comes first; what was found there as well takes a line each. Of a silent site the silence is the reason.
Without a name all sites are explained that are not OK. Ends with 0 when nothing is wrong, and 1 when something is.

Examples:

  archipel fleet why

  archipel fleet why berlin

  archipel fleet why disk-low --lang de
"""
EXPLAINED_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One finding in words, as the API has it."""

    code: str
    severity: Severity
    title: str
    cause: str = ""
    remedy: str = ""
    runbook: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    by_controller: bool = False
    aside: bool = False


@dataclass(frozen=True, kw_only=True)
class Why:
    """One site, explained, as the API has it."""

    name: str
    ok: bool
    rehearsed: bool = False
    sentences: tuple[str, ...] = ()
    findings: tuple[Explained, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SiteOptions(Asking):
    """Options of `site`."""

    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The site's name or id.", autocompletion=complete.sites)
    ]
    events: Annotated[int, typer.Option("--events", min=0, max=1000, help="How much of the timeline.")] = 12


@dataclass(frozen=True, kw_only=True)
class WhyOptions(Asking):
    """Options of `why`."""

    name: Annotated[
        str,
        typer.Argument(
            metavar="CODE|SITE",
            help="A finding's code, or a site's name or id.",
            autocompletion=complete.codes_and_sites,
            show_default=False,
        ),
    ] = ""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, "site", SiteOptions, site, SITE)
    add(app, "why", WhyOptions, why, WHY)


def site(session: Session[SiteOptions]) -> int:
    """Show one site."""
    given, client, screen = session.options, session.client, session.screen
    address = f"/sites/{quoted(given.name)}"
    raw = client.get(address)
    now = client.now
    reasons = client.get(f"{address}/why", lang=screen.language)
    happened = client.get(f"{address}/events", limit=given.events) if given.events else []
    explained = read(Why, reasons)
    if screen.as_json:
        screen.data({**raw, "why": reasons, "timeline": happened})
        return Exit.OK if explained.ok else Exit.NOT_OK
    detail = read(SiteDetail, raw)
    _head(screen, detail.site, now)
    _said(screen, explained)
    screen.line()
    node_table(screen, detail.nodes, now)
    for gap in timeline.gaps(screen.words, detail.gaps, now):
        screen.said("  ", f"{gap.node}: {gap.which}, {gap.count}, {gap.reason}")
    if happened:
        screen.line()
        screen.line(screen.strong(screen.words("site.timeline")))
    for row in happened:
        _event(screen, read(EventRow, row), now)
    return Exit.OK if explained.ok else Exit.NOT_OK


def _head(screen: Screen, row: SiteRow, now: int) -> None:
    words = screen.words
    marks = " ".join(screen.mark(mark) for mark in site_marks(row))
    rehearsed = f"  [{words('page.rehearsed')}]" if row.rehearsed else ""
    screen.line(f"{marks} {screen.strong(plain(row.name or row.site_id))}{rehearsed}  ({plain(row.site_id)})")
    due = ages.moment(words, row.contact.due, now)
    lines = (
        ("column.customer", plain(row.customer)),
        ("column.contact", contact_said(screen, row.contact, now)),
        ("column.heard", heard_said(screen, row.contact.last_heard, now)),
        ("fact.due", due.age if due else "-"),
        ("fact.mode", words(f"mode.{row.contact.mode}")),
        ("column.health", health_said(screen, row.health, now)),
        ("column.pods", f"{row.pods_ready}/{row.pods}"),
    )
    width = max(len(words(key)) for key, _ in lines)
    for key, value in lines:
        screen.said(f"    {words(key):<{width}}  ", value)


def _event(screen: Screen, row: EventRow, now: int) -> None:
    entry = timeline.entry(screen.words, row, now)
    notes = [one for one in (entry.late, "" if entry.sure else screen.words("site.unsure")) if one]
    more = f"  ({', '.join(notes)})" if notes else ""
    screen.said(f"  {entry.shown}  ", f"{entry.node}  {entry.text}{more}")


def why(session: Session[WhyOptions]) -> int:
    """Explain."""
    name = session.options.name
    if not name:
        return _every_site(session.client, session.screen)
    if name in catalogue.entries():
        return _code(session.screen, name)
    return _one_site(session.client, session.screen, name)


def _code(screen: Screen, code: str) -> int:
    known = catalogue.entry(code)
    texts = known.texts["en"]
    sentences = (texts.title, texts.cause, texts.remedy, *texts.runbook)
    names = {name for text in sentences for _, name, _, _ in string.Formatter().parse(text) if name}
    params = {name: f"<{name}>" for name in names}
    words = catalogue.words(Finding(code=code, severity=known.severity, params=params), screen.language)
    made = Explained(
        code=code,
        severity=known.severity,
        title=words.title,
        cause=words.cause,
        remedy=words.remedy,
        runbook=words.runbook,
    )
    if screen.as_json:
        screen.data(made)
    else:
        _finding(screen, made, full=True)
    return Exit.OK


def _one_site(client: FleetClient, screen: Screen, name: str) -> int:
    try:
        data = client.get(f"/sites/{quoted(name)}/why", lang=screen.language)
    except Stop as stop:
        if stop.code is not Exit.NOT_OK:
            raise
        near = [code for code in catalogue.entries() if set(code.split("-")) & set(name.split("-"))]
        hint = f" Findings near it: {', '.join(near[:5])}." if near else ""
        raise Stop(
            Exit.USAGE,
            f"there is no site and no finding {name!r}.{hint}\n  See the sites: archipel fleet sites",
        ) from stop
    explained = read(Why, data)
    if screen.as_json:
        screen.data(data)
    else:
        _titled(screen, explained)
        _said(screen, explained, full=True)
    return Exit.OK if explained.ok else Exit.NOT_OK


def _every_site(client: FleetClient, screen: Screen) -> int:
    """Explain the controller's own trouble and every site that is not OK, gravest first."""
    own = [read(Explained, one) for one in client.get("/controller", lang=screen.language)["findings"]]
    bad = [str(one) for one in (Health.UNHEALTHY, Health.UNKNOWN, Health.NOT_SET_UP)]
    silent = ["overdue", "never", "unknown"]
    found: dict[str, SiteRow] = {}
    for filters in ({"health": bad, "sort": "health"}, {"contact": silent, "sort": "contact"}):
        rows, total = client.rows(SiteRow, "/sites", size=EXPLAINED_AT_ONCE, **filters)
        if total > len(rows):
            screen.note(f"The first {len(rows)} of {total} are explained; see all with: archipel fleet sites")
        found |= {row.site_id: row for row in rows}
    raw = [client.get(f"/sites/{quoted(site_id)}/why", lang=screen.language) for site_id in found]
    explained = [read(Why, one) for one in raw]
    if screen.as_json:
        screen.data({"controller": wire.to_data(own), "sites": raw})
        return Exit.NOT_OK if own or explained else Exit.OK
    for one in own:
        _finding(screen, one, full=True)
    for site_why in explained:
        _titled(screen, site_why)
        _said(screen, site_why)
    if not own and not explained:
        screen.line("Nothing is wrong: every site is heard as it should be, and healthy.")
    return Exit.NOT_OK if own or explained else Exit.OK


def _titled(screen: Screen, explained: Why) -> None:
    rehearsed = f"  [{screen.words('page.rehearsed')}]" if explained.rehearsed else ""
    screen.line(screen.strong(plain(explained.name)) + rehearsed)


def _said(screen: Screen, explained: Why, *, full: bool = False) -> None:
    for sentence in explained.sentences:
        screen.said("    ", sentence)
    for one in explained.findings:
        if not one.aside:
            _finding(screen, one, full=full)
    _aside(screen, [one for one in explained.findings if one.aside])


def _aside(screen: Screen, found: list[Explained]) -> None:
    """Write what is not the reason, a line each: whoever wants to know more of one asks for it."""
    if not found:
        return
    words = screen.words
    screen.said("    ", words("site.aside", code=found[0].code))
    for one in found:
        nodes = f"  {words('site.on-nodes', nodes=', '.join(one.nodes))}" if one.nodes else ""
        front = f"    {screen.mark(MARK_OF_SEVERITY[one.severity])} "
        screen.said(front, f"{one.title}  ({one.code}){nodes}")


def _finding(screen: Screen, one: Explained, *, full: bool = False) -> None:
    words = screen.words
    screen.titled(MARK_OF_SEVERITY[one.severity], one.title, one.code)
    lines = [(words("site.cause"), one.cause), (words("site.remedy"), one.remedy)]
    if one.nodes:
        lines.insert(0, ("", words("site.on-nodes", nodes=", ".join(one.nodes))))
    if full:
        lines += [
            (words("site.evidence") if number == 0 else "", text) for number, text in enumerate(one.evidence)
        ]
        steps = enumerate(one.runbook, 1)
        lines += [
            (words("site.runbook") if number == 1 else "", f"{number}. {text}") for number, text in steps
        ]
    width = max(len(words(f"site.{key}")) for key in ("cause", "remedy", "evidence", "runbook"))
    for label, text in lines:
        if text:
            screen.said(f"    {label:<{width}}  ", text)
