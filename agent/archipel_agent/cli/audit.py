"""`archipel audit`: who did what on this machine, on site and from afar; `--verify` checks that nothing was changed."""

import argparse
from datetime import UTC, datetime

from archipel_agent.cli import command
from archipel_agent.cli.command import Session
from archipel_agent.cli.output import Mark
from archipel_agent.cli.reader import reader
from archipel_contract.api import AuditPage
from archipel_contract.audit import Entry
from archipel_contract.exits import Exit
from archipel_contract.facts import ClockQuality

EXAMPLES = """\
  archipel audit
  archipel audit -n 20
  archipel audit --verify
  archipel audit --json | jq '.entries[] | select(.actor | startswith("fleet:"))'"""

MOST = 10_000


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = command.parser("audit", EXAMPLES)
    made.add_argument(
        "-n",
        "--lines",
        type=_count,
        default=100,
        metavar="N",
        help=f"how many entries, 1 to {MOST} (default: 100)",
    )
    made.add_argument("--verify", action="store_true", help="check the chain of all entries as well")
    return made


def main(arguments: list[str]) -> int:
    """Run the command."""
    return command.run(parser(), _audit, arguments)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST}")
    return int(text)


def _audit(session: Session) -> int:
    options = session.options
    page = reader(session).audit(options.lines, options.verify)
    if session.screen.as_json:
        session.screen.data(page)
    else:
        _show(session, page)
    return Exit.NOT_OK if page.verified is False else Exit.OK


def _show(session: Session, page: AuditPage) -> None:
    screen = session.screen
    screen.table([_row(one) for one in page.entries])
    if not page.entries:
        screen.note("The audit journal is empty.")
    if page.verified is True:
        screen.line(
            f"{screen.mark(Mark.GOOD)} All entries follow one another; the last is entry {page.head.count}."
        )
    elif page.verified is False:
        screen.line(f"{screen.mark(Mark.BAD)} The journal was changed: {page.detail}.")


def _row(entry: Entry) -> list[str]:
    told = [entry.detail] if entry.detail else []
    told += [f"{name}={value}" for name, value in entry.params.items()]
    return [
        str(entry.number),
        _when(entry),
        entry.actor,
        entry.action,
        entry.outcome,
        " ".join(told),
    ]


def _when(entry: Entry) -> str:
    try:
        moment = datetime.fromtimestamp(entry.at / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return "?"
    unsure = "" if entry.clock is ClockQuality.SYNCHRONIZED else "?"
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}{unsure}"
