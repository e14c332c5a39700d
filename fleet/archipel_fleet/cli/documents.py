"""`archipel fleet document`: set what a site should be, and see what it was told before."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from archipel_contract.exits import Exit
from archipel_fleet.cli import complete
from archipel_fleet.cli.client import read
from archipel_fleet.cli.command import Asking, Session, add
from archipel_fleet.cli.sites import quoted
from archipel_fleet.cli.stop import Stop
from archipel_fleet.order_records import DocumentRow
from archipel_fleet.web.views import ages

SET = """\
Say what a site should be: sign the next generation of its site document and send it.

FILE is JSON as `archipel status --json` shows it under `site`; generation and origin are set by the fleet.

Examples:

  archipel fleet document set berlin site.json
"""
LIST = """\
List the site documents the fleet has signed for a site.

Examples:

  archipel fleet document list berlin
"""


@dataclass(frozen=True, kw_only=True)
class ListOptions(Asking):
    """Options of `document list`."""

    site: Annotated[
        str, typer.Argument(metavar="SITE", help="The site's name or id.", autocompletion=complete.sites)
    ]


@dataclass(frozen=True, kw_only=True)
class SetOptions(ListOptions):
    """Options of `document set`."""

    file: Annotated[str, typer.Argument(metavar="FILE", help="The site document, in JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="What sites should be.", no_args_is_help=True, rich_markup_mode=None)
    add(group, "set", SetOptions, set_document, SET)
    add(group, "list", ListOptions, list_documents, LIST)
    app.add_typer(group, name="document")


def set_document(session: Session[SetOptions]) -> int:
    """Set a site's document."""
    given, screen = session.options, session.screen
    try:
        document = json.loads(Path(given.file).read_text(encoding="utf-8"))
    except OSError as error:
        raise Stop(Exit.USAGE, f"{given.file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise Stop(Exit.USAGE, f"{given.file} is not JSON: {error}") from error
    raw = session.client.call("PUT", f"/sites/{quoted(given.site)}/document", json={"document": document})
    if screen.as_json:
        screen.data(raw)
    else:
        screen.line(
            f"generation {read(DocumentRow, raw).generation} is signed; nodes get it at their next contact"
        )
    return Exit.OK


def list_documents(session: Session[ListOptions]) -> int:
    """List a site's documents."""
    screen, words = session.screen, session.screen.words
    raw = session.client.get(f"/sites/{quoted(session.options.site)}/documents")
    if screen.as_json:
        screen.data(raw)
        return Exit.OK
    rows = [read(DocumentRow, one) for one in raw]
    head = ["", words("column.by"), words("column.when")]
    screen.table(head, [((), (str(one.generation), one.asked_by, ages.full(one.issued))) for one in rows])
    return Exit.OK
