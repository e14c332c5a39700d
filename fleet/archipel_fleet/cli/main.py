"""`archipel fleet`: the table of its commands. Called by the launcher with the words behind `fleet`."""

import os
import sys

import typer

# Where typer keeps the errors of its parser (it carries its own copy of click) and what makes completion ready.
from typer._click.exceptions import ClickException
from typer._completion_classes import completion_init

from archipel_contract.exits import Exit
from archipel_fleet.cli import (
    accounts,
    audit,
    broker,
    completion,
    copies,
    devices,
    documents,
    keys,
    orders,
    serving,
    session,
    site,
    sites,
    watch,
)
from archipel_fleet.cli.stop import Stop

PROGRAM = "archipel fleet"
COMPLETE_VARIABLE = "_ARCHIPEL_FLEET_COMPLETE"
HELP = """\
The fleet: its controller, its sites, who is silent and why.

Examples:

  archipel fleet serve                   start the controller

  archipel fleet sites --contact overdue   who is silent that should not be

  archipel fleet why berlin              why a site is not OK, and what next

Exit codes: 0 good, 1 not good, 2 usage, 3 refused, 4 failed, 5 controller away, 6 not permitted, 7 busy.
"""


def application() -> typer.Typer:
    """Return the application with every command."""
    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for part in (serving, sites, site, watch, orders, documents, audit, devices, session, accounts):
        part.register(app)
    keys.register(app)
    broker.register(app)
    copies.register(app)
    serving.register_care(app)
    completion.register(app)
    return app


def main(arguments: list[str]) -> int:
    """Run `archipel fleet ARGUMENTS` and return the exit code."""
    command = typer.main.get_command(application())
    if COMPLETE_VARIABLE in os.environ:
        # typer does this where it adds its own options for completion, which know commands of one word only.
        completion_init()
    try:
        code = command.main(
            arguments, prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, standalone_mode=False
        )
    except Stop as stop:
        print(f"{PROGRAM}: {stop}", file=sys.stderr)
        return stop.code
    except ClickException as error:
        error.show()
        return Exit.USAGE
    except typer.Abort:
        return Exit.INTERRUPTED
    except SystemExit as end:  # completion ends this way
        return end.code if isinstance(end.code, int) else Exit.OK
    return int(code or 0)


__all__ = ["application", "main"]
