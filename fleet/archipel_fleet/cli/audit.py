"""`archipel fleet audit`: who did what, at the fleet and on its devices, and whether the journals are whole."""

from dataclasses import dataclass
from typing import Annotated

import typer

from archipel_contract.exits import Exit
from archipel_fleet.cli import complete
from archipel_fleet.cli.client import read
from archipel_fleet.cli.command import Asking, Session, add
from archipel_fleet.cli.screen import Mark, plain
from archipel_fleet.cli.sites import quoted
from archipel_fleet.order_records import Chain, DeedRow
from archipel_fleet.web.views import audit as views

AUDIT = """\
Show who did what: logins, approvals, orders, changes of accounts, and what devices wrote into their own journals.

With --verify every journal is followed from its first entry. Ends with 0 when all are whole, and 1 when one is not.

Examples:

  archipel fleet audit

  archipel fleet audit berlin

  archipel fleet audit --verify
"""


@dataclass(frozen=True, kw_only=True)
class AuditOptions(Asking):
    """Options of `audit`."""

    site: Annotated[
        str,
        typer.Argument(
            metavar="SITE",
            help="Only this site, by name or id.",
            autocompletion=complete.sites,
            show_default=False,
        ),
    ] = ""
    verify: Annotated[bool, typer.Option("--verify", help="Check the journals; takes an admin.")] = False
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many lines.")] = 50


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, "audit", AuditOptions, audit, AUDIT)


def audit(session: Session[AuditOptions]) -> int:
    """Show or check."""
    if session.options.verify:
        return _verified(session)
    given, screen = session.options, session.screen
    path = f"/sites/{quoted(given.site)}/audit" if given.site else "/audit"
    raw = session.client.get(path, limit=given.limit)
    if screen.as_json:
        screen.data(raw)
        return Exit.OK
    words = screen.words
    lines = views.lines(words, [read(DeedRow, one) for one in raw], session.client.now)
    head = [words(f"column.{key}") for key in ("when", "who", "what", "where", "source")]
    head.append(words("column.message"))
    rows = [
        ((), (one.shown, one.who, f"{one.what} {one.outcome}".strip(), one.where, one.source, one.detail))
        for one in lines
    ]
    screen.table(head, rows, spare=(4,), may_split=True)
    return Exit.OK


def _verified(session: Session[AuditOptions]) -> int:
    screen = session.screen
    raw = session.client.get("/audit/check")
    chains = [read(Chain, one) for one in raw]
    bad = any(one.problem for one in chains)
    if screen.as_json:
        screen.data(raw)
        return Exit.NOT_OK if bad else Exit.OK
    for one in chains:
        mark = screen.mark(Mark.BAD if one.problem else Mark.GOOD)
        said = plain(one.problem) if one.problem else f"whole, ends with {one.hash[:16] or '-'}"
        screen.line(f"{mark} {plain(one.name)}: {one.entries} entries, {said}")
    return Exit.NOT_OK if bad else Exit.OK
