"""`archipel fleet watch`: what changes at the sites, line by line as it happens, or the list of sites always fresh."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from archipel_contract import wire
from archipel_contract.exits import Exit
from archipel_fleet.cli.client import ControllerAway, FleetClient
from archipel_fleet.cli.command import Asking, Session, add
from archipel_fleet.cli.screen import Screen, plain
from archipel_fleet.cli.sites import contact_said, health_said, site_marks, table
from archipel_fleet.records import SiteRow, SiteSort
from archipel_fleet.web.views import ages

WATCH = """\
Follow the fleet: a line for each site whose contact, health, nodes or findings change.

Goes on until Ctrl-C, and over a controller that is away for a while. With --screen the list of sites is drawn anew instead.

Examples:

  archipel fleet watch

  archipel fleet watch --screen --sort health

  archipel fleet watch --json --count 1
"""
EVERY = "*"
ALL_AT_ONCE = 500
ASKED_ONE_BY_ONE = 20
FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0  # seconds between attempts while the controller is away
CLEAR = "\033[H\033[2J"  # home, and clear (ECMA-48 CUP, ED)


@dataclass(frozen=True, kw_only=True)
class WatchOptions(Asking):
    """Options of `watch`."""

    screen: Annotated[bool, typer.Option("--screen", help="Draw the list of sites anew at each change.")] = (
        False
    )
    sort: Annotated[SiteSort, typer.Option("--sort", help="Order of the list of --screen.")] = SiteSort.HEALTH
    count: Annotated[
        int,
        typer.Option("--count", min=0, help="End after that many changes (0: never).", show_default=False),
    ] = 0


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "watch", WatchOptions, watch, WATCH)


def watch(session: Session[WatchOptions]) -> int:
    """Follow."""
    given, client, screen = session.options, session.client, session.screen
    known = {row.site_id: row for row in _everything(client)}
    if not screen.as_json:
        screen.note(screen.words.count("list.count", len(known)) + ". " + screen.words("page.live") + ".")
    told = 0
    for changed in _rounds(client, screen):
        try:
            rows = _asked(client, changed)
        except ControllerAway:
            continue  # the stream ends as well, and with the next one everything is asked for again
        fresh = [(known.get(row.site_id), row) for row in rows if _differs(known.get(row.site_id), row)]
        known |= {row.site_id: row for row in rows}
        if given.screen and rows:
            _draw(client, screen, given.sort)
            told += 1
        elif not given.screen:
            for before, row in fresh:
                _tell(screen, before, row, client.now)
            told += len(fresh)
        if 0 < given.count <= told:
            break
    return Exit.OK


def _rounds(client: FleetClient, screen: Screen) -> Iterator[frozenset[str]]:
    """Yield what changed, for ever; after each interruption everything may have."""
    wait = FIRST_WAIT
    pause = threading.Event()
    complained = False
    while True:
        try:
            with client.changes() as events:
                if complained:
                    screen.note("the controller answers again")
                complained, wait = False, FIRST_WAIT
                # Between the list and the stream something may have changed too.
                yield frozenset({EVERY})
                yield from events
        except ControllerAway as away:
            if not complained:
                screen.note(f"{away}\n  Trying again.")
            complained = True
        pause.wait(wait)
        wait = min(wait * 2, LONGEST_WAIT)


def _asked(client: FleetClient, changed: frozenset[str]) -> tuple[SiteRow, ...]:
    """Return the sites of these ids as they are now; those we may not see are left out."""
    if not changed:
        return ()
    if EVERY in changed or len(changed) > ASKED_ONE_BY_ONE:
        return _everything(client)
    found = [row for site in sorted(changed) for row in client.rows(SiteRow, "/sites", text=site, size=5)[0]]
    return tuple(row for row in found if row.site_id in changed)


def _everything(client: FleetClient) -> tuple[SiteRow, ...]:
    rows: list[SiteRow] = []
    page = 1
    while True:
        found, total = client.rows(SiteRow, "/sites", page=page, size=ALL_AT_ONCE)
        rows += found
        if not found or len(rows) >= total:
            return tuple(rows)
        page += 1


def _differs(before: SiteRow | None, row: SiteRow) -> bool:
    """Whether something changed that a person wants to be told; a mere word that came is not it."""
    return before is None or _matter(before) != _matter(row)


def _matter(row: SiteRow) -> tuple[object, ...]:
    return (
        row.name,
        row.customer,
        row.contact.state,
        row.health.health,
        row.nodes,
        row.nodes_connected,
        row.problems,
        row.warnings,
        row.worst,
        row.k3s_versions,
        row.agent_versions,
    )


def _tell(screen: Screen, before: SiteRow | None, row: SiteRow, now: int) -> None:
    if screen.as_json:
        screen.data({"at": now, "site": wire.to_data(row), "before": wire.to_data(before)})
        return
    words = screen.words
    marks = " ".join(screen.mark(mark) for mark in site_marks(row))
    rehearsed = f" [{words('page.rehearsed')}]" if row.rehearsed else ""
    said = [contact_said(screen, row.contact, now), health_said(screen, row.health, now)]
    said.append(words("headline.nodes", connected=row.nodes_connected, count=row.nodes).rstrip("."))
    if row.worst and (before is None or row.worst != before.worst):
        said.append(row.worst)
    screen.line(
        f"{ages.full(now)[11:19]} {marks} {screen.strong(plain(row.name or row.site_id))}{rehearsed}: "
        + plain("; ".join(said))
    )


def _draw(client: FleetClient, screen: Screen, sort: SiteSort) -> None:
    rows, total = client.rows(SiteRow, "/sites", sort=str(sort), size=ALL_AT_ONCE)
    if screen.is_terminal:
        screen.out.write(CLEAR)
    screen.line(f"{ages.full(client.now)}  {screen.words.count('list.count', total)}")
    table(screen, rows, client.now)
